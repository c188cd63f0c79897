"""The vocabulary: instrument, parent order, child order, fill. Immutable."""
