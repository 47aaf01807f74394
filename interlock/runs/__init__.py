"""Runs: what a worker executes, under a lease, from a command to the next question or the end."""
