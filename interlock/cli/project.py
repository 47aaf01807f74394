"""The project in the present folder: its settings, its graphs, its database."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from interlock.cli import terminal
from interlock.errors import BadInput, InterlockError

if TYPE_CHECKING:
    from interlock.bootstrap import Bound, Stores
    from interlock.core.runs import Run
    from interlock.settings import Settings

T = TypeVar("T")


def settings() -> "Settings":
    """The settings of the present folder; logs are shown or kept off the terminal as they say.

    Raises:
        BadInput: naming the setting that cannot be used.
    """
    from interlock.settings import load

    given = load()
    terminal.quiet(given.debug)
    return given


def play(work: Coroutine[Any, Any, T]) -> T:
    """Runs the asynchronous part of a command; what graphs print stays out of the results."""
    with terminal.apart():
        return asyncio.run(work)


def graph(name: str) -> object:
    """Imports a graph as the project declares it, bound to nothing; an agent gets a graph of its own.

    Args:
        name: A graph that langgraph.json names, or a place: `path/to/file.py:name`.

    Raises:
        NotFound, BadInput, BuildError: with a sentence that names the file.
    """
    from interlock.bootstrap import as_graph
    from interlock.registry import Registry

    registry = Registry.of(Path.cwd(), name)
    with terminal.apart():
        found, _ = as_graph(registry.load(name))
    if not hasattr(found, "compile"):
        raise BadInput(
            f"{name} is no graph ({type(found).__name__}): name an agent, a supervisor, or an uncompiled "
            "StateGraph."
        )
    return found


def names() -> list[str]:
    """The graphs that langgraph.json names, in its order.

    Raises:
        BadInput: if there is none.
    """
    from interlock.registry import Registry

    return list(Registry.read(Path.cwd()).graphs)


def load(name: str) -> "Callable[[Settings], Bound]":
    """Imports a graph, a supervisor or an agent; the result binds it.

    Raises:
        NotFound, BadInput, BuildError: with a sentence that names the file.
    """
    from interlock.core.places import is_place, normal

    return _binder(graph(name), normal(name) if is_place(name) else name)


def load_for(run: "Run") -> "Callable[[Settings], Bound]":
    """Imports the graph that a run was started on; the result binds it.

    Raises:
        NotFound, BadInput: if the project has no such graph any more.
    """
    return _binder(*graph_of(run))


def graph_of(run: "Run") -> tuple[object, str]:
    """Imports the graph that a run was started on; with the name its runs carry.

    Raises:
        NotFound, BadInput: if the project has no such graph any more.
    """
    from interlock.bootstrap import as_graph, name_of
    from interlock.core.places import is_place
    from interlock.registry import Registry

    if is_place(run.graph):
        return graph(run.graph), run.graph
    registry = Registry.read(Path.cwd())
    # A graph may be registered under another name than its own.
    for name in sorted(registry.graphs, key=lambda name: name != run.graph):
        with terminal.apart():
            found, _ = as_graph(registry.load(name))
        if name_of(found, name) == run.graph:
            return found, name
    raise BadInput(
        f"run {run.id} is of graph {run.graph!r}, which langgraph.json does not name; "
        f"it names: {', '.join(sorted(registry.graphs))}."
    )


@asynccontextmanager
async def stores(given: "Settings") -> "AsyncGenerator[Stores]":
    """The database alone, for commands that need no graph.

    Raises:
        BadInput: if there is none and this is no project, so that a wrong folder is noticed.
    """
    from interlock.bootstrap import Stores, database_file
    from interlock.registry import FILE

    file = database_file(given)
    if file is not None and not await asyncio.to_thread(_expected, file, Path(FILE)):
        raise BadInput(
            f"there is no database {str(file)!r}, and no {FILE} here: change to a project's folder, or set "
            "INTERLOCK_DATABASE_URL."
        )
    async with Stores.open(given) as opened:
        yield opened


def _expected(*files: Path) -> bool:
    return any(file.exists() for file in files)


def _binder(graph: object, name: str) -> "Callable[[Settings], Bound]":
    from interlock.bootstrap import bind

    def made(given: "Settings") -> "Bound":
        return bind(graph, name=name, settings=given)

    return made


def debugging() -> bool:
    """Says whether INTERLOCK_DEBUG is on; settings that cannot be read count as off."""
    try:
        return settings().debug
    except InterlockError:
        return False
