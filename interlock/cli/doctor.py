"""`interlock doctor`: is everything here that a run needs, and if not, what to do."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer

from interlock.cli import exits, options, outside, project, terminal
from interlock.cli.outside import Line
from interlock.errors import InterlockError

if TYPE_CHECKING:
    from interlock.mcp.servers import ToolServer
    from interlock.settings import Settings

FOLDERS = ("graphs", "agents", "tools", "evals")
REACHED_WITHIN_S = 10.0
_DEFAULT = "  (default)"


def doctor(json: options.Json = False) -> None:
    """Check this machine and this project.

    Exits with 1 if there is a problem.
    """
    from interlock.core.redaction import redact_text

    found = [*_python(), *_packages()]
    try:
        settings = project.settings()
    except InterlockError as error:
        found.append(Line("problem", "settings", error.message))
    else:
        found += [*_settings(settings), *_strict()]
        graphs = list(_graphs())
        found += [line for line, _ in graphs]
        made = [each for _, each in graphs if each is not None]
        agents = list({each.name: each for one in made for each in outside.agents_of(one)}.values())
        beyond = project.play(_all(outside.models(settings, agents)))
        beyond += [*outside.remotes(settings, agents), outside.tracing(settings)]
        found += [replace(line, told=redact_text(line.told)) for line in beyond]
        found += project.play(_connected(settings, [server for one in made for server in _servers_of(one)]))
    bad = sum(line.verdict == "problem" for line in found)
    if json:
        terminal.emit([asdict(line) for line in found], indent=2)
    else:
        shown = [line for line in found if not line.told.endswith(_DEFAULT)]
        terminal.table(("", "what", "found"), [(line.verdict, line.what, line.told) for line in shown])
        if left := len(found) - len(shown):
            terminal.say("", f"{left} settings have their defaults: `interlock doctor --json` lists them.")
        terminal.say("", f"{bad} problem{'' if bad == 1 else 's'}." if bad else "No problem.")
    raise typer.Exit(exits.CHECK_FAILED if bad else exits.DONE)


def _python() -> Iterator[Line]:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = sys.version_info >= (3, 11)
    yield (
        Line("ok", "python", version)
        if fits
        else Line("problem", "python", f"{version}: Interlock needs 3.11 or newer")
    )


def _packages() -> Iterator[Line]:
    from interlock import __version__

    yield Line("ok", "interlock", __version__)
    there: list[str] = []
    for name in packages():
        try:
            there.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            yield Line("problem", name, "is not installed: install interlock again, with its dependencies")
    yield Line("ok", "packages", ", ".join(there))
    try:
        version = metadata.version("openai-agents")
    except metadata.PackageNotFoundError:
        return
    yield Line(
        "note",
        "openai-agents",
        f"{version} has the import name `agents` too: inside this folder yours wins; keep that SDK's agents "
        "in an environment of their own, and call them over A2A",
    )


def packages() -> list[str]:
    """The packages that Interlock stands on, as its own installation names them."""
    wanted = (line for line in metadata.requires("interlock") or () if "extra ==" not in line)
    return [re.split(r"[\[<>=~!; ]", line)[0] for line in wanted]


def _settings(settings: "Settings") -> Iterator[Line]:
    from interlock.core.redaction import redact_text
    from interlock.settings import origins

    for name, origin in origins().items():
        value: object = getattr(settings, name)
        if isinstance(value, dict | tuple):
            told = ", ".join(map(str, cast("Collection[object]", value))) or "none"
        else:
            told = str(value)
        yield Line("ok", f"setting {name}", f"{redact_text(told or 'not set')}  ({origin})")


def _strict() -> Iterator[Line]:
    from interlock.settings import strict_checkpoints

    if strict_checkpoints():
        yield Line("ok", "checkpoints", "are read strictly")
    else:
        yield Line(
            "problem",
            "checkpoints",
            "are not read strictly: take LANGGRAPH_STRICT_MSGPACK away, or set it to true",
        )


async def _all(lines: AsyncIterator[Line]) -> list[Line]:
    return [line async for line in lines]


def _graphs() -> Iterator[tuple[Line, object]]:
    """What is to be said of each graph, and the graph where it could be made."""
    from interlock.registry import Registry

    for name in FOLDERS:
        if Path(name).is_dir() and not Path(name, "__init__.py").is_file():
            told = (
                "has no __init__.py, so an installed package of that name would be imported: add an empty one"
            )
            yield Line("problem", f"folder {name}/", told), None
    try:
        registry = Registry.read(Path.cwd())
    except InterlockError as error:
        yield Line("problem", "langgraph.json", error.message), None
        return
    for name in registry.graphs:
        try:
            with terminal.apart():
                made = registry.load(name)
        except InterlockError as error:
            yield Line("problem", f"graph {name}", error.message), None
        else:
            yield Line("ok", f"graph {name}", registry.graphs[name]), made


def _servers_of(made: Any) -> "list[ToolServer]":  # noqa: ANN401
    from interlock.core.tools import Tool
    from interlock.mcp.servers import ToolServer

    supervisor = getattr(made, "supervisor", None)
    agents = supervisor.agents.values() if supervisor is not None else ()
    tools: list[Tool[..., Any]] = [tool for agent in agents for tool in agent.tools if isinstance(tool, Tool)]
    if supervisor is not None and supervisor.deliver is not None:
        tools.append(supervisor.deliver.tool)
    return [tool.origin for tool in tools if isinstance(tool.origin, ToolServer)]


async def _connected(settings: "Settings", servers: "list[ToolServer]") -> list[Line]:
    found = [line async for line in _database(settings)]
    try:
        from interlock.bootstrap import servers_of

        every = {server.name: server for server in (*servers, *servers_of(settings))}
    except InterlockError as error:
        found.append(Line("problem", "tool servers", error.message))
        every = {server.name: server for server in servers}
    return [*found, *await asyncio.gather(*map(_server, every.values()))]


async def _database(settings: "Settings") -> AsyncIterator[Line]:
    from interlock.persistence.schema import VERSIONS

    try:
        async with project.stores(settings) as stores:
            yield Line("ok", "database", f"{stores.database.path}, schema version {VERSIONS[-1]}")
            key = await asyncio.to_thread(getattr, stores.signer, "key_id")
            yield Line("ok", "signing key", f"{key} in {settings.key_folder}, readable by you alone")
    except InterlockError as error:
        what = "signing key" if "key" in error.message else "database"
        yield Line("problem", what, error.message)


async def _server(server: "ToolServer") -> Line:
    from interlock.mcp.connections import Connection

    what, where = f"tool server {server.name}", server.url or " ".join(server.command) or "in this process"
    connection = Connection(server)
    try:
        async with asyncio.timeout(REACHED_WITHIN_S):
            await connection.ready()
        return Line("ok", what, f"{where} answers")
    except TimeoutError:
        return Line("problem", what, f"{where} did not answer within {REACHED_WITHIN_S:g} s: is it running?")
    except InterlockError as error:
        return Line("problem", what, f"{where}: {error.message}")
    finally:
        await connection.close()
