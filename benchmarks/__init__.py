"""What measures speed and quality; every module prints one JSON line."""
