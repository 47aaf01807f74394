"""The demo (`make demo`): five acts on real processes and databases; each says what it shows, and checks it.

It writes into one folder of its own and talks to loopback alone.
"""
