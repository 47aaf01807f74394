"""What commands that execute runs have in common: advance one, show it, and say with which code to exit."""

import asyncio
from typing import TYPE_CHECKING

from interlock.cli import exits, progress, project, results, terminal
from interlock.errors import InterlockError, RunBusy

if TYPE_CHECKING:
    from interlock.bootstrap import Bound
    from interlock.core.questions import Question
    from interlock.core.runs import Run
    from interlock.settings import Settings


async def advance(app: "Bound", run: str, *, json: bool) -> "tuple[Run, list[Question]]":
    """Executes a run as far as it goes, with live progress for people.

    Raises:
        RunBusy: while another process is advancing it.
    """
    try:
        async with progress.shown(app.stores.record, run, wanted=not json):
            ended = await app.resume(run)
        if told := app.chosen.news():
            terminal.tell(told)
    except asyncio.CancelledError:
        terminal.tell(f"Stopped. Go on with: interlock runs resume {run}")
        raise
    return ended, await app.questions(run)


def show(run: "Run", asked: "list[Question]", *, json: bool) -> int:
    """Prints what a run came to and returns the exit code."""
    if json:
        terminal.emit(results.as_json(run, asked))
    else:
        results.show(run, asked)
    return exits.of_run(run)


async def run_of(given: "Settings", question: str) -> "tuple[Question, Run]":
    """A question and its run.

    Raises:
        NotFound: if there is no such question.
    """
    async with project.stores(given) as opened:
        asked = await opened.ledger.question(question)
        if asked is None:
            raise unknown_question(question)
        return asked, await opened.runs.get(asked.run)


def unknown_question(question: str) -> InterlockError:
    """The error for an id that no question has."""
    from interlock.errors import NotFound

    return NotFound(f"there is no question {question!r}: `interlock approvals list` shows the open ones.")


def busy(error: RunBusy, run: str) -> RunBusy:
    """What to tell somebody whose answer was taken while another process advances the run."""
    return RunBusy(
        f"the answer was recorded, but {error.message.rstrip('.')}; if the run still waits then, go on with "
        f"`interlock runs resume {run}`."
    )
