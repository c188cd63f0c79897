"""Schedules: pure target trajectories, and the tactics that place a slice."""
