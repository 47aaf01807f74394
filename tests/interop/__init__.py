"""Agents of other frameworks, each in an environment of its own: `make interop`."""
