"""`interlock replay`: a recorded run against the present code and prompts, offline."""

from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli import exits, options, project, terminal

if TYPE_CHECKING:
    from interlock.evaluation.replay import Recording, Replayed
    from interlock.settings import Settings


def replay(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, as `runs list` shows it.")],
    graph: Annotated[
        str | None,
        typer.Option("--graph", metavar="GRAPH", help="Another graph, or its place: path/to/file.py:name."),
    ] = None,
    lenient: Annotated[
        bool,
        typer.Option("--lenient", help="A changed prompt gets the reply recorded at its place."),
    ] = False,
    json: options.Json = False,
) -> None:
    """Execute a run again, from its record, and say what differs.

    Code and prompts are the present ones. Models, tools, agents elsewhere, people and clocks answer as
    they are recorded; nobody is called and nothing is changed, not even the run. Exits with 0 when no
    decision differs and with 1 when one does.
    """
    settings = project.settings()
    recording = project.play(_read(settings, run))
    made, name = (project.graph(graph), graph) if graph else project.graph_of(recording.run)
    seen = project.play(_replay(made, name, recording, settings, lenient))
    if json:
        terminal.emit(seen.model_dump(mode="json"), indent=2)
    else:
        _show(seen)
    raise typer.Exit(exits.DONE if seen.same else exits.CHECK_FAILED)


async def _read(settings: "Settings", run: str) -> "Recording":
    from interlock.evaluation.replay import Recording

    async with project.stores(settings) as stores:
        return await Recording.read(stores, run)


async def _replay(
    graph: object, name: str, recording: "Recording", settings: "Settings", lenient: bool
) -> "Replayed":
    from interlock.evaluation.replay import replay

    return await replay(graph, name, recording, settings, lenient=lenient)


def _show(seen: "Replayed") -> None:
    """For people: the first decision that differs, with both sides."""
    from interlock.observability.wording import count

    if seen.same:
        terminal.say(f"{seen.run}: no decision differs ({count(seen.decisions, 'decision')}).")
        return
    first, *later = seen.differences
    terminal.say(f"{seen.run}: the first decision that differs is {first.title} (entry {first.seq}).")
    terminal.say(*(f"  {line}" for line in first.lines()))
    if later:
        terminal.say(f"  After it, other tasks differ as well: {', '.join(each.title for each in later)}.")
    terminal.tell("Nothing was called or changed: every answer came from the record.")
