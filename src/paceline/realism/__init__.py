"""How much a simulated market is like a recorded one: distributions, distances, known facts."""
