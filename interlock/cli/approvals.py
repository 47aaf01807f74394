"""`interlock approvals`: what people are asked, and their answers.

Listing and showing need the database alone; answering needs the project's graph as well, unless the
answer is only recorded.
"""

import json as json_
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlock.cli import exits, options, project, results, terminal, work
from interlock.errors import BadInput, RunBusy

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.bootstrap import Bound
    from interlock.core.principal import Principal
    from interlock.core.questions import Question
    from interlock.settings import Settings

app: typer.Typer = typer.Typer(help="List, show and answer what people are asked.")
Id = Annotated[str, typer.Argument(metavar="QUESTION", help="A question's id, as `approvals list` shows it.")]
Comment = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is recorded, and the agent may read it.")]
Given = Annotated[
    str | None,
    typer.Option("--answer", metavar="JSON|TEXT", help="The answer, where more is asked than yes or no."),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Only record the answer; do not go on with the run.")]


@app.command("list")
def list_(
    every: Annotated[
        bool, typer.Option("--all", help="Also those that are answered, expired or withdrawn.")
    ] = False,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Only those of this run.")] = None,
    json: options.Json = False,
) -> None:
    """List what people are asked, the oldest first."""
    from interlock.observability.wording import span

    found = project.play(_list(project.settings(), run, every))
    if json:
        terminal.emit([question.model_dump(mode="json") for question in found], indent=2)
    elif not found:
        terminal.say("Nobody is asked anything." if not every else "Nobody was ever asked anything.")
    else:
        from interlock.core.ports import SystemClock

        now = SystemClock().now()
        rows = [
            (q.id, q.run, q.kind, q.state, q.whom, span((now - q.asked_at).total_seconds()), q.title)
            for q in found
        ]
        terminal.table(("question", "run", "kind", "state", "for", "asked ago", "what"), rows)
        terminal.say("", "Look at one: interlock approvals show QUESTION")


@app.command()
def show(question: Id, json: options.Json = False) -> None:
    """Show one question as a review card."""
    from interlock.core.ports import SystemClock
    from interlock.observability.cards import card

    asked, _ = project.play(work.run_of(project.settings(), question))
    if json:
        terminal.emit(asked.model_dump(mode="json"), indent=2)
    else:
        terminal.say(*card(asked, SystemClock().now()))


@app.command()
def approve(
    question: Id,
    comment: Comment = "",
    answer: Given = None,
    no_wait: NoWait = False,
    json: options.Json = False,
    user: options.As = None,
    role: options.Role = None,
) -> None:
    """Say yes, and go on with the run here.

    Where more is asked than yes or no, the answer is given with --answer.
    """
    _answer(question, True, comment, answer, no_wait, json, user, role)


@app.command()
def reject(
    question: Id,
    comment: Comment = "",
    no_wait: NoWait = False,
    json: options.Json = False,
    user: options.As = None,
    role: options.Role = None,
) -> None:
    """Say no, and go on with the run here."""
    _answer(question, False, comment, None, no_wait, json, user, role)


def _answer(
    question: str,
    yes: bool,
    comment: str,
    text: str | None,
    no_wait: bool,
    json: bool,
    user: str | None,
    roles: list[str] | None,
) -> None:
    settings = project.settings()
    by = options.principal(settings, user, roles)
    asked, _ = project.play(work.run_of(settings, question))
    if asked.kind == "settle":
        raise BadInput(f"question {question} asks what happened: use `interlock effects settle {question}`.")
    in_words = asked.in_words
    if yes and in_words and text is None and asked.state == "open":
        raise BadInput(f"question {question} asks for more than yes or no: add --answer.")
    if not in_words and text is not None:
        raise BadInput(f"question {question} asks for yes or no and takes no --answer: use --comment.")
    value = None if text is None else value_of(text, asked)
    raise typer.Exit(give(asked, settings, by, yes, value, comment, no_wait=no_wait, json=json))


def give(
    asked: "Question",
    settings: "Settings",
    by: "Principal",
    yes: bool,
    value: object,
    comment: str,
    *,
    no_wait: bool,
    json: bool,
) -> int:
    """Records an answer and, unless told otherwise, goes on with the run here; returns the exit code.

    Raises:
        AnswerRefused: malformed, late, second or foreign; the question is as it was.
    """
    if no_wait or asked.state != "open":
        taken = project.play(_record(settings, asked.id, by, yes, value, comment))
        if json:
            terminal.emit(results.brief(taken) | {"state": taken.state, "answer": taken.answer})
        else:
            terminal.say(f"Recorded. Go on with the run:  interlock runs resume {taken.run}")
        return exits.DONE
    _, run = project.play(work.run_of(settings, asked.id))
    bound = project.load_for(run)
    return project.play(_go_on(bound, settings, asked, by, yes, value, comment, json))


def value_of(text: str, asked: "Question") -> Any:  # noqa: ANN401
    """An answer from the command line: text where text is asked, else JSON, and text where it is none."""
    schema = asked.answer_schema
    choices = schema.get("enum")
    in_words = not schema or schema.get("type") == "string" or (isinstance(choices, list) and text in choices)
    if asked.kind in ("clarify", "relay") and in_words:
        return text
    try:
        return json_.loads(text)
    except (ValueError, RecursionError):
        return text


async def _list(settings: "Settings", run: str | None, every: bool) -> "list[Question]":
    async with project.stores(settings) as stores:
        if run is not None:
            await stores.runs.get(run)
        return await stores.inbox.list(None if every else "open", run)


async def _record(
    settings: "Settings", question: str, by: "Principal", yes: bool, value: object, comment: str
) -> "Question":
    from interlock.core.canonical import plain
    from interlock.core.questions import Answer

    async with project.stores(settings) as stores:
        return await stores.inbox.answer(
            Answer(question=question, by=by, yes=yes, value=plain(value), comment=comment)
        )


async def _go_on(
    bound: "Callable[[Settings], Bound]",
    settings: "Settings",
    asked: "Question",
    by: "Principal",
    yes: bool,
    value: object,
    comment: str,
    json: bool,
) -> int:
    async with bound(settings) as app:
        await app.answer(asked.id, yes=yes, value=value, comment=comment, by=by)
        try:
            ended, waiting = await work.advance(app, asked.run, json=json)
        except RunBusy as error:
            raise work.busy(error, asked.run) from error
        return work.show(ended, waiting, json=json)
