"""Tests through the front door with real processes, some killed in the middle."""
