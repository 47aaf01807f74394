"""Interlock makes LangGraph multi-agent systems safe to run on real systems.

The names below are all that most programs need; everything else is imported from the module that
owns it. They are loaded when first used, so that `interlock --help` answers at once.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

# LangGraph reads this once, when it is imported: without it a forged checkpoint may name any callable.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

if TYPE_CHECKING:
    from interlock.bootstrap import bind
    from interlock.core.conflicts import Conflict
    from interlock.core.doors import Doors
    from interlock.core.limits import Limits
    from interlock.core.plans import Findings, Plan, Task
    from interlock.core.policy import Policy
    from interlock.core.results import Degraded, GaveUp
    from interlock.mcp.servers import ToolServer
    from interlock.orchestration.agent import Agent
    from interlock.orchestration.gate import Gate
    from interlock.orchestration.model_route import ModelRoute
    from interlock.orchestration.remote import RemoteAgent
    from interlock.orchestration.supervisor import Supervisor

__version__ = "0.1.0"
__all__ = [
    "Agent",
    "Conflict",
    "Degraded",
    "Doors",
    "Findings",
    "Gate",
    "GaveUp",
    "Limits",
    "ModelRoute",
    "Plan",
    "Policy",
    "RemoteAgent",
    "Supervisor",
    "Task",
    "ToolServer",
    "bind",
]

_HOME = {
    "Agent": "orchestration.agent",
    "Conflict": "core.conflicts",
    "Degraded": "core.results",
    "Doors": "core.doors",
    "Findings": "core.plans",
    "Gate": "orchestration.gate",
    "GaveUp": "core.results",
    "Limits": "core.limits",
    "ModelRoute": "orchestration.model_route",
    "Plan": "core.plans",
    "Policy": "core.policy",
    "RemoteAgent": "orchestration.remote",
    "Supervisor": "orchestration.supervisor",
    "Task": "core.plans",
    "ToolServer": "mcp.servers",
    "bind": "bootstrap",
}


def __getattr__(name: str) -> object:
    """Loads one of the names above from its module."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
