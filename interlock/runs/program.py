"""A program: a graph with what a worker needs to know to run it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from interlock.core.limits import RUN_LIMITS, Limits
from interlock.core.tools import Tool

STEPS = 200
"""Supersteps of a graph whose worst case is not known."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is run; made by bootstrap from a supervisor's graph or a hand-written one."""

    name: str
    version: str
    graph: Any
    """An uncompiled LangGraph graph."""
    read: Callable[[Any], Any]
    """Validates a request and returns it as JSON; raises SchemaViolation."""
    to_input: Callable[[Any], Any]
    """Makes the graph's input from the stored request."""
    response_of: Callable[[Any], Any] = field(default=lambda state: None)
    """The response in the final state, for graphs that do not end runs themselves."""
    moves_itself: bool = True
    """True for a supervisor's graph, whose nodes move the run from state to state."""
    subject: Callable[[Any], str | None] = field(default=lambda request: None)
    limits: Limits = RUN_LIMITS
    max_steps: int = STEPS
    tools: tuple[Tool[..., Any], ...] = ()
    """Every tool of its agents, for compensation."""
