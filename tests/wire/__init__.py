"""Interlock against other people's servers, each in an environment of its own: the second ring."""
