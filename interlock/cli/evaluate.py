"""`interlock eval`: plays a suite's cases, makes cases of runs, compares variants, calibrates the judge."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from interlock.cli import exits, options, project, terminal
from interlock.errors import BadInput

if TYPE_CHECKING:
    from interlock.evaluation.comparison import Comparison
    from interlock.evaluation.measuring import Assessed
    from interlock.evaluation.table import Report, Result


class _RunIsMeant(TyperGroup):
    """`interlock eval support` is `interlock eval run support`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
        """Takes a first word that is no command for a suite."""
        known = not args or args[0].startswith("-") or args[0] in self.list_commands(ctx)
        return super().resolve_command(ctx, args if known else ["run", *args])


app: typer.Typer = typer.Typer(
    cls=_RunIsMeant,
    help="Play cases, make cases of runs, compare variants. "
    "`interlock eval SUITE` is short for `interlock eval run SUITE`.",
)
Case = Annotated[list[str] | None, typer.Option("--case", metavar="ID", help="Only this case; repeatable.")]
HeldOut = Annotated[bool, typer.Option("--held-out", help="Also the part that nobody builds against.")]


@app.command()
def run(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A folder in evals/, called like its graph.")],
    held_out: HeldOut = False,
    noise: Annotated[
        bool, typer.Option("--noise", help="Each case also misspelt, and with its sentences reordered.")
    ] = False,
    case: Case = None,
    save: Annotated[
        str | None, typer.Option("--save", metavar="NAME", help="Keep the results under this name.")
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="NAME", help="Say which cases got worse since.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Play the cases of a suite, and measure them.

    Each case has a fresh folder. Exits with 1 where a column is below its threshold, where anything
    happened that must never happen, or where a case got worse than the results it is set against.
    """
    from interlock.evaluation import run_suite
    from interlock.evaluation.baselines import Baseline, changes, file_of
    from interlock.evaluation.cases import Suite
    from interlock.evaluation.measuring import assess
    from interlock.evaluation.models import models_for
    from interlock.evaluation.scores import post

    settings = project.settings()  # settings that cannot be used are told before anything is started
    read = Suite.read(suite, Path.cwd())
    before = Baseline.read(read, against) if against else None
    if save:
        file_of(read, save)

    async def work() -> "Assessed":
        report = await run_suite(
            suite, Path.cwd(), held_out=held_out, noise=noise, only=tuple(case or ()), done=_Progress()
        )
        async with models_for(settings, read) as models:
            return await assess(read, report, models)

    assessed = asyncio.run(work())
    report = assessed.report
    if unsent := post(settings, report):
        terminal.tell(unsent)
    found = changes(read, report, before, against) if before is not None and against else None
    if save:
        kept = Baseline.of(report)
        if case and file_of(read, save).exists():
            kept = kept.over(Baseline.read(read, save))
        terminal.tell(f"kept in {kept.write(read, save).relative_to(Path.cwd())}")
    if json:
        told = (
            report.as_json() | {"judge": _judging(assessed)} | ({"changes": found.as_json()} if found else {})
        )
        terminal.emit(told, indent=2)
    else:
        _show(report)
        terminal.say(*(found.lines() if found else []), *_judging(assessed))
    good = report.ok and (found is None or found.ok)
    raise typer.Exit(exits.DONE if good else exits.CHECK_FAILED)


@app.command()
def add(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run that came to its end, or waits.")],
    suite: Annotated[
        str | None, typer.Option("--suite", metavar="SUITE", help="By default the one called like its graph.")
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", metavar="right|wrong", help="What you say of its answer.")
    ] = None,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why you say so.")] = "",
    corrected: Annotated[
        str, typer.Option("--corrected", metavar="FILE|TEXT", help="The answer that would have been right.")
    ] = "",
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Into the part that nobody builds against.")
    ] = False,
    user: options.As = None,
    json: options.Json = False,
) -> None:
    """Make a case of a run: what it came to is what the case expects. Your label goes with it."""
    from interlock.core.canonical import Json
    from interlock.evaluation.adding import Opinion, add_case
    from interlock.evaluation.traffic import is_evidence, words_of
    from interlock.evaluation.world import Seen

    if label not in (None, "right", "wrong"):
        raise BadInput(f"--label is `right` or `wrong`, not {label!r}.")
    if label is None and (why or corrected):
        raise BadInput("--why and --corrected say more about a label: give --label right or --label wrong.")
    settings = project.settings()
    by = options.principal(settings, user, None).user
    opinion = Opinion.read(label, by, why, corrected) if label is not None else None

    async def read() -> "tuple[Seen, tuple[Json, ...]]":
        async with project.stores(settings) as stores:
            found = await stores.runs.get(run)
            lines = tuple(await stores.record.lines(run))
            asked = tuple(await stores.inbox.list(None, run))
            entries = await stores.ledger.load(run)
        ticket = found.input if isinstance(found.input, dict) else {}
        evidence = tuple(entry.answer for entry in entries if is_evidence(entry))
        return Seen(ticket, found, asked, lines, words_of(found.response)), evidence

    seen, evidence = asyncio.run(read())
    if not seen.ticket:
        raise BadInput(f"run {run} has no request any more that a case could be made of.")
    if suite is not None and Path(suite).name != suite:
        raise BadInput(f"{suite!r} is no name of a suite: it is the name of a folder in evals/.")
    chosen = suite or seen.run.graph
    if "/" in chosen or "\\" in chosen:
        raise BadInput(f"run {run} is of {chosen!r}: say with --suite where its case belongs.")
    added = add_case(Path.cwd(), chosen, seen, evidence, opinion, held_out=held_out)
    if json:
        terminal.emit({"case": added.case, "file": str(added.file.relative_to(Path.cwd())), **added.row})
        return
    if not added.new:
        terminal.say(f"{added.case} of {chosen} has your label now.")
        return
    terminal.say(f"{added.case} is a case of {chosen} now: {added.file.relative_to(Path.cwd())}")
    terminal.say(f"Play it: interlock eval run {chosen} --case {added.case}")
    terminal.tell(
        "Secrets are masked in it; names, addresses and orders are not: read it before you share it."
    )
    if opinion is not None and opinion.label == "wrong" and opinion.expect is None:
        terminal.say("It expects only where the run ended. Write down what it should come to.")


@app.command()
def calibrate(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A folder in evals/ with a judge.")],
    json: options.Json = False,
) -> None:
    """Measure how often the judge agrees with people.

    It reads the answers that people labelled.
    """
    from interlock.evaluation.calibrating import calibrate as work
    from interlock.evaluation.cases import Suite
    from interlock.evaluation.models import models_for

    settings = project.settings()
    read = Suite.read(suite, Path.cwd())

    async def judge() -> Any:  # noqa: ANN401
        async with models_for(settings, read) as models:
            if models is None:
                raise BadInput("no model is configured that could judge: see [tool.interlock.models].")
            return await work(read, models)

    agreement = asyncio.run(judge())
    if json:
        terminal.emit(agreement.as_json(), indent=2)
    else:
        terminal.say(*agreement.lines())


@app.command()
def compare(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A folder in evals/.")],
    variant: Annotated[
        list[str] | None,
        typer.Option(
            "--variant",
            metavar="NAME=GRAPH",
            help="A graph by its name or place; then, with commas, model=MODEL and prompt=AGENT:FILE; "
            "repeatable. By default those of suite.toml.",
        ),
    ] = None,
    held_out: HeldOut = False,
    case: Case = None,
    plot: Annotated[
        str | None, typer.Option("--plot", metavar="FILE", help="Draw cost against pass rate, as SVG.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Set variants side by side: quality, cost, seconds.

    The suite is played with several graphs, models or prompts, one after the other.
    """
    from interlock.evaluation.cases import Suite
    from interlock.evaluation.comparison import compare as work
    from interlock.evaluation.plot import draw
    from interlock.evaluation.variants import variants_of

    project.settings()
    read = Suite.read(suite, Path.cwd())
    if plot and not Path(plot).resolve().parent.is_dir():  # told before anything is played and paid
        raise BadInput(f"the plot {plot!r} cannot be written: there is no such folder.")
    chosen = variants_of(variant or (), read.settings.variants, Path.cwd())
    comparison: Comparison = asyncio.run(
        work(read, Path.cwd(), chosen, held_out=held_out, only=tuple(case or ()), done=_Progress())
    )
    if plot:
        try:
            Path(plot).write_text(draw(comparison), encoding="utf-8")
        except OSError as error:
            raise BadInput(f"the plot {plot!r} cannot be written: {error.strerror}.") from error
        terminal.tell(f"drawn in {plot}")
    if json:
        terminal.emit(comparison.as_json(), indent=2)
    else:
        terminal.table(comparison.header(), comparison.rows())
        terminal.say("", *comparison.lines())


def _show(report: "Report") -> None:
    terminal.table(report.header(), report.rows())
    failures = report.failures()
    terminal.say(*(["", *failures] if failures else []), "", *report.verdict())


def _judging(assessed: "Assessed") -> list[str]:
    if assessed.judging is None:
        return [assessed.note] if assessed.note else []
    used = assessed.judging
    price = "an unknown price" if used.usd is None else f"{used.usd:.4f} USD"
    return [f"the judge took {used.model_calls} calls, {used.tokens} tokens and {price}."]


class _Progress:
    """Counts cases on one line of a terminal; says nothing where nobody watches."""

    def __init__(self) -> None:
        self._done = 0

    def __call__(self, result: "Result", total: int) -> None:
        self._done += 1
        if sys.stderr.isatty():
            end = "\n" if self._done == total else ""
            print(f"\r{self._done} of {total} played", end=end, file=sys.stderr, flush=True)
