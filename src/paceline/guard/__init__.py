"""The guard: limits that no child order passes unchecked, whoever sends it."""
