"""One server: hosted graphs, the identity door, and the protocols that stand behind it."""
