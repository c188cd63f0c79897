"""Stress: named scenarios that change a tape, a simulated market, or the venue's delays."""
