"""Pure tests, in memory, fast."""
