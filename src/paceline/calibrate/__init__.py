"""What a market is like, measured on tapes: the settings of the simulator, fitted."""
