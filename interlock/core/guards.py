"""The safety mechanisms, each with a switch.

The switches exist so that tests can show the harm a guard prevents. Nothing outside a test
should ever turn one off, and no setting or environment variable does.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guards:
    """Which mechanisms are on; all of them, unless a test says otherwise."""

    journal: bool = True
    """Replays recorded calls and keeps idempotency keys stable across re-executions."""
    approvals: bool = True
    """Binds a yes to the exact call it was given for, for one use."""
    policy: bool = True
    """Refuses calls no rule allows."""
    gate: bool = True
    """Checks a response before it may leave."""
    fencing: bool = True
    """Refuses writes of a worker that lost its lease."""
    limits: bool = True
    """Stops work that is out of time or budget."""
    loops: bool = True
    """Keeps a model from making the same call over and over, and the same effect a second time."""


ON = Guards()
