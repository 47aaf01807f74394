"""`interlock run`: starts runs, executes them here, and prints what they came to."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlock.cli import exits, options, project, terminal, tickets, work
from interlock.errors import BadInput, InterlockError, SchemaViolation

if TYPE_CHECKING:
    from interlock.bootstrap import Bound
    from interlock.core.principal import Principal
    from interlock.core.questions import Question
    from interlock.core.runs import Run
    from interlock.settings import Settings

AT_ONCE = 4
"""Runs that one command executes at the same time."""


def run(
    graph: options.Graph,
    source: Annotated[
        str,
        typer.Option(
            "--input", "-i", metavar="FILE", help="One JSON object, or one per line; - reads standard input."
        ),
    ],
    json: options.Json = False,
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="The same key starts the same run only once.")
    ] = None,
    user: options.As = None,
    role: options.Role = None,
) -> None:
    """Run a graph, or an agent alone, on one ticket, or on several.

    Several are run four at a time, and their results printed in the order of the tickets.
    Exits with 0 when completed, 3 when a person is asked, 4 when it gave up or is blocked, 5 when it
    failed, 6 when it was canceled; of several runs the highest counts.
    """
    asked = tickets.read(source)
    if key is not None and (not key.strip() or len(asked) > 1):
        raise BadInput("--key names one run: give one ticket, and a key that is not empty.")
    settings = project.settings()
    owner = options.principal(settings, user, role)
    bound = project.load(graph)
    raise typer.Exit(project.play(_runs(bound, settings, asked, owner, key, json)))


async def _runs(
    bound: "Callable[[Settings], Bound]",
    settings: "Settings",
    asked: list[dict[str, Any]],
    owner: "Principal",
    key: str | None,
    json: bool,
) -> int:
    async with bound(settings) as app:
        _check(app, asked)
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(ticket: dict[str, Any]) -> "tuple[Run, list[Question]]":
            async with turns:
                stored = await app.engine.start(ticket, owner, key=key)
                _same(app, stored, ticket, key)
                return await work.advance(app, stored.id, json=json)

        working = [asyncio.create_task(one(ticket)) for ticket in asked]
        try:
            return await _printed(working, json)
        finally:
            for each in working:
                each.cancel()
            await asyncio.gather(*working, return_exceptions=True)


async def _printed(working: "list[asyncio.Task[tuple[Run, list[Question]]]]", json: bool) -> int:
    """Prints results in the order of the tickets, each as soon as it and all before it are there."""
    code = exits.DONE
    for each in working:
        try:
            code = max(code, work.show(*await each, json=json))
        except InterlockError as error:
            if len(working) == 1:
                raise
            terminal.tell(error.message)
            code = max(code, exits.of_error(error))
    return code


def _check(app: "Bound", asked: list[dict[str, Any]]) -> None:
    """Refuses all tickets if one is no request of the graph, so that nothing is half done."""
    from interlock.core.canonical import canonical

    for number, ticket in enumerate(asked, 1):
        which = f"ticket {number}: " if len(asked) > 1 else ""
        try:
            canonical(app.program.read(ticket))
        except SchemaViolation as error:
            raise SchemaViolation(f"{which}{error.message}") from error
        except ValueError as error:
            raise BadInput(f"{which}the record cannot keep it: {error}.") from error


def _same(app: "Bound", stored: "Run", ticket: dict[str, Any], key: str | None) -> None:
    """Refuses a key that was used for another ticket."""
    from interlock.core.canonical import plain

    if key is not None and stored.input != plain(app.program.read(ticket)):
        raise BadInput(
            f"the key {key!r} was used for another ticket, in run {stored.id}: choose another key."
        )
