"""Agents of other processes and frameworks, over A2A: what we call, and what calls us."""
