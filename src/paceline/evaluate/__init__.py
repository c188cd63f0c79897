"""Proof: many parent orders worked on tapes, measured, compared and shown."""
