"""`interlock eval`: plays the cases of a graph and prints how they went."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli import exits, options, project, terminal

if TYPE_CHECKING:
    from interlock.evaluation.table import Report, Result


def evaluate(
    graph: Annotated[str, typer.Argument(metavar="GRAPH", help="A graph with cases in evals/GRAPH/.")],
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Also the part that nobody builds against.")
    ] = False,
    noise: Annotated[
        bool, typer.Option("--noise", help="Each case also misspelt, and with its sentences reordered.")
    ] = False,
    case: Annotated[
        list[str] | None, typer.Option("--case", metavar="ID", help="Only this case; repeatable.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Play the evaluation cases of a graph, each in a fresh folder.

    Exits with 1 where a column is below its threshold, or where anything happened that must never happen.
    """
    from interlock.evaluation import run_suite

    project.settings()  # settings that cannot be used are told before anything is started
    playing = run_suite(
        graph, Path.cwd(), held_out=held_out, noise=noise, only=tuple(case or ()), done=_Progress()
    )
    report = asyncio.run(playing)
    if json:
        terminal.emit(report.as_json(), indent=2)
    else:
        _show(report)
    raise typer.Exit(exits.DONE if report.ok else exits.CHECK_FAILED)


def _show(report: "Report") -> None:
    terminal.table(report.header(), report.rows())
    failures = report.failures()
    terminal.say(*(["", *failures] if failures else []), "", *report.verdict())


class _Progress:
    """Counts cases on one line of a terminal; says nothing where nobody watches."""

    def __init__(self) -> None:
        self._done = 0

    def __call__(self, result: "Result", total: int) -> None:
        self._done += 1
        if sys.stderr.isatty():
            end = "\n" if self._done == total else ""
            print(f"\r{self._done} of {total} played", end=end, file=sys.stderr, flush=True)
