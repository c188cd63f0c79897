"""Environments: parent orders worked decision by decision, one at a time or thousands at once."""
