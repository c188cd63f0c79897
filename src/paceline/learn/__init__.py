"""Learning: policies trained on logged decisions and in environments; checkpoints; serving."""
