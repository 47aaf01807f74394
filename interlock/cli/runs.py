"""`interlock runs`: lists runs, shows one, cancels one, goes on with one."""

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from interlock.cli import options, project, results, terminal, work
from interlock.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.bootstrap import Bound
    from interlock.core.principal import Principal
    from interlock.core.questions import Question
    from interlock.core.runs import Run
    from interlock.settings import Settings

app: typer.Typer = typer.Typer(help="List, show, cancel and resume runs.")
Id = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, as `runs list` shows it.")]


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(metavar="STATE", help="Only runs in this state.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many, the newest.")] = 50,
    json: options.Json = False,
) -> None:
    """List runs, the newest first."""
    from interlock.core.runs import RunState

    states = get_args(RunState)
    if state is not None and state not in states:
        raise BadInput(f"there is no state {state!r}; states are: {', '.join(states)}.")
    found = project.play(_list(project.settings(), state, limit))
    if json:
        terminal.emit([_json(run) for run in found], indent=2)
    elif not found:
        terminal.say("No runs." if state is None else f"No run is {_words(state)}.")
    else:
        rows = [
            (r.id, r.graph, _words(r.state), _words(r.outcome), _when(r), r.owner.user, r.reason)
            for r in found
        ]
        terminal.table(("run", "graph", "state", "outcome", "started", "owner", "reason"), rows)


@app.command()
def show(run: Id, json: options.Json = False) -> None:
    """Show where a run stands, what it answered and what it waits for."""
    found, asked = project.play(_get(project.settings(), run))
    if json:
        terminal.emit({**_json(found), **results.as_json(found, asked)}, indent=2)
        return
    results.show(found, asked, record=True)
    terminal.say(
        f"  graph {found.graph} {found.version}, owner {found.owner.user}, started {_when(found)} UTC",
        f"  why and how:  interlock explain {found.id}",
    )


@app.command()
def resume(run: Id, json: options.Json = False) -> None:
    """Go on with a run: after an answer, or after its process has died.

    Of two that resume the same run at once, one goes on and the other is told so (exit code 4).
    """
    settings = project.settings()
    stored, _ = project.play(_get(settings, run))
    bound = project.load_for(stored)
    raise typer.Exit(project.play(_resume(bound, settings, run, json)))


@app.command()
def cancel(
    run: Id,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Also take back what can be taken back.")
    ] = False,
    json: options.Json = False,
    user: options.As = None,
    role: options.Role = None,
) -> None:
    """End a run; --rollback takes its effects back as well.

    The last effect is taken back first, where its tool says how.
    """
    settings = project.settings()
    by = options.principal(settings, user, role)
    stored, _ = project.play(_get(settings, run))
    bound = project.load_for(stored)
    ended = project.play(_cancel(bound, settings, run, by, rollback, json))
    work.show(ended, [], json=json)


async def _list(settings: "Settings", state: str | None, limit: int) -> "list[Run]":
    async with project.stores(settings) as stores:
        return await stores.runs.list(state, limit)  # pyright: ignore[reportArgumentType]


async def _get(settings: "Settings", run: str) -> "tuple[Run, list[Question]]":
    async with project.stores(settings) as stores:
        return await stores.runs.get(run), await stores.inbox.list("open", run)


async def _resume(bound: "Callable[[Settings], Bound]", settings: "Settings", run: str, json: bool) -> int:
    async with bound(settings) as app:
        ended, asked = await work.advance(app, run, json=json)
    return work.show(ended, asked, json=json)


async def _cancel(
    bound: "Callable[[Settings], Bound]",
    settings: "Settings",
    run: str,
    by: "Principal",
    rollback: bool,
    json: bool,
) -> "Run":
    from interlock.cli import progress

    async with bound(settings) as app, progress.shown(app.stores.record, run, wanted=not json):
        return await app.cancel(run, by=by, roll_back_effects=rollback)


def _json(run: "Run") -> dict[str, object]:
    """A run's row without what it was asked."""
    told = run.model_dump(mode="json", exclude={"v", "id", "input", "fence"})
    return {"run_id": run.id, **told}


def _words(name: str | None) -> str:
    return (name or "").replace("_", " ")


def _when(run: "Run") -> str:
    return f"{run.created_at:%Y-%m-%d %H:%M}"
