"""Puts the parts together; nothing else picks what stands behind a port.

What needs LangGraph is loaded when it is first used: commands that only read the database go without.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from interlock.bootstrap.servers import local_user, servers_of
from interlock.bootstrap.stores import Stores, database_file
from interlock.core.guards import ON, Guards
from interlock.core.policy import Policy
from interlock.core.ports import Clock, Models
from interlock.mcp.servers import ToolServer
from interlock.settings import Settings, load

if TYPE_CHECKING:
    from interlock.bootstrap.bound import Bound
    from interlock.bootstrap.programs import as_graph, name_of

__all__ = ["Bound", "Stores", "as_graph", "bind", "database_file", "local_user", "name_of", "servers_of"]

_LATER = {"Bound": "bound", "as_graph": "programs", "name_of": "programs"}


def __getattr__(name: str) -> object:
    """Loads what needs LangGraph."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def bind(
    graph: object,
    *,
    database: str | None = None,
    user: str | None = None,
    policy: Policy | None = None,
    name: str = "graph",
    models: Models | None = None,
    servers: Sequence[ToolServer] = (),
    clock: Clock | None = None,
    guards: Guards = ON,
    settings: Settings | None = None,
) -> "Bound":
    """Binds a graph to a database, tools and a user; use the result with `async with`.

    Args:
        graph: What `Supervisor.build()` returned, a supervisor, an agent alone, or a hand-written
            StateGraph of `agent.node()`s.
        database: `sqlite:///path`; by default the setting, else `.interlock/interlock.db`.
        user: On whose behalf it acts; by default the setting, else the operating system's user.
        policy: For hand-written graphs; a supervisor brings its own.
        name: For hand-written graphs; a place such as `agents/orders.py:orders` names the runs of any graph.
        models: What stands behind `doors.think`; by default what the settings name, else a script.
        servers: Tool servers whose tools are called by name.
        clock: Time, for tests.
        guards: For tests that show the harm a guard prevents.
        settings: Everything else; by default from pyproject.toml and the environment.
    """
    from interlock.bootstrap.bound import Bound

    given: dict[str, Any] = {"database_url": database} if database else {}
    given |= {"user": user} if user else {}
    settings = settings or load(**given)
    return Bound(
        graph,
        settings=settings,
        policy=policy,
        name=name,
        models=models,
        servers=servers,
        clock=clock,
        guards=guards,
    )
