"""What the public sees of a market: events, the book they build, the tape that keeps a day."""
