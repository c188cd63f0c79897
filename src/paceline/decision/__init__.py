"""The decision: state, features, mask, choice, child order; the same live and in training."""
