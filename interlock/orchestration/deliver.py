"""Delivery: the accepted response is handed over, byte for byte, as an effect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from interlock.core.tools import Tool


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an accepted response reaches people."""

    tool: Tool[..., Any]
    """A tool that `speaks`."""
    arguments: Callable[[Any, Any], Mapping[str, Any]]
    """Makes the call's arguments from the request and the accepted response."""
