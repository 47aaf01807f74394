"""`interlock effects`: effects of which it is not known whether they happened, and what became of them."""

import json as json_
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlock.cli import approvals, options, project, terminal, work
from interlock.errors import BadInput

if TYPE_CHECKING:
    from interlock.core.journal import Entry
    from interlock.core.questions import Question
    from interlock.settings import Settings

app: typer.Typer = typer.Typer(help="List effects and settle those whose outcome is unknown.")


@app.command("list")
def list_(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Every effect of this run.")] = None,
    json: options.Json = False,
) -> None:
    """List the effects somebody must settle, or every effect of one run."""
    settings = project.settings()
    if run is not None:
        _of_run(run, project.play(_effects(settings, run)), json)
        return
    found = project.play(_unsettled(settings))
    if json:
        terminal.emit([question.model_dump(mode="json") for question in found], indent=2)
    elif not found:
        terminal.say("No effect has to be settled.")
    else:
        rows = [(q.id, q.run, q.task, q.whom, q.details.get("tool"), q.title) for q in found]
        terminal.table(("question", "run", "task", "for", "tool", "what"), rows)
        terminal.say("", "Settle one: interlock effects settle QUESTION --happened, or --did-not-happen")


@app.command()
def settle(
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="A question's id, as `effects list` shows it.")
    ],
    happened: Annotated[
        bool | None,
        typer.Option("--happened/--did-not-happen", help="What became of it.", show_default=False),
    ] = None,
    answer: Annotated[
        str | None,
        typer.Option("--answer", metavar="JSON", help="What the tool answered, where it is known."),
    ] = None,
    comment: approvals.Comment = "",
    no_wait: approvals.NoWait = False,
    json: options.Json = False,
    user: options.As = None,
    role: options.Role = None,
) -> None:
    """Say whether an effect happened, and go on with the run here.

    An effect that happened is not done again; one that did not is told to the agent as failed.
    """
    if happened is None:
        raise BadInput("settle needs what became of it: --happened or --did-not-happen.")
    if answer is not None and not happened:
        raise BadInput("--answer is what the tool answered: it goes with --happened.")
    settings = project.settings()
    by = options.principal(settings, user, role)
    asked, _ = project.play(work.run_of(settings, question))
    if asked.kind != "settle":
        raise BadInput(f"question {question} is not about an unknown effect: use `interlock approvals`.")
    value = None if answer is None else _value(answer)
    code = approvals.give(asked, settings, by, happened, value, comment, no_wait=no_wait, json=json)
    raise typer.Exit(code)


def _value(answer: str) -> Any:  # noqa: ANN401
    try:
        return json_.loads(answer)
    except (ValueError, RecursionError) as error:
        raise BadInput("--answer is not JSON: give what the tool answered, as it would have.") from error


async def _unsettled(settings: "Settings") -> "list[Question]":
    async with project.stores(settings) as stores:
        return [q for q in await stores.inbox.list("open") if q.kind == "settle"]


async def _effects(settings: "Settings", run: str) -> "list[Entry]":
    async with project.stores(settings) as stores:
        await stores.runs.get(run)
        return [entry for entry in await stores.ledger.load(run) if entry.kind == "effect"]


def _of_run(run: str, entries: "list[Entry]", json: bool) -> None:
    if json:
        told = [
            {
                "task": e.task,
                "tool": e.operation,
                "state": e.state,
                "arguments": e.arguments,
                "answer": e.answer,
                "error": e.error,
                "key": e.key,
            }
            for e in entries
        ]
        terminal.emit(told, indent=2)
    elif not entries:
        terminal.say(f"Run {run} has caused no effect.")
    else:
        from interlock.observability.wording import shown

        rows = [(e.task, e.operation, e.state, e.key, shown(e.arguments, 100)) for e in entries]
        terminal.table(("task", "tool", "state", "key", "with"), rows)
