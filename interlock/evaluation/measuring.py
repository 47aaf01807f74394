"""Measures what was played: the metrics that ask no model always, the judge where a model is configured."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from interlock.core.ports import Models
from interlock.errors import BadInput, NotFound
from interlock.evaluation.cases import Suite
from interlock.evaluation.table import Report, Result
from interlock.evaluation.traffic import Cost

if TYPE_CHECKING:
    from interlock.evaluation.rubric import Judge


@dataclass(frozen=True, slots=True)
class Assessed:
    """A report with everything measured."""

    report: Report
    judging: Cost | None = None
    """What the judge used; absent where nobody judged."""
    note: str = ""
    """Why nobody judged, where a judge is declared."""


async def assess(suite: Suite, report: Report, models: Models | None) -> Assessed:
    """Measures every result of a report.

    Args:
        suite: Whose cases were played.
        report: How they went.
        models: Behind which the judge's route is; None where no model is configured.

    Raises:
        BadInput: if DeepEval is not installed.
    """
    results = [measured(suite, result) for result in report.results]
    if suite.settings.judge is None:
        return Assessed(Report.of(suite, results))
    if models is None:
        note = "no model is configured, so nothing was judged: see [tool.interlock.models]."
        return Assessed(Report.of(suite, results), note=note)
    from interlock.evaluation.rubric import Judge

    judge = Judge(suite.settings.judge, models)
    try:
        results = await _judged(suite, judge, results)
    except NotFound as error:
        return Assessed(Report.of(suite, results), note=f"nothing was judged: {error.message}")
    return Assessed(Report.of(suite, results), judging=judge.cost)


def measured(suite: Suite, result: Result) -> Result:
    """A result with what the metrics say that ask no model.

    Raises:
        BadInput: if DeepEval is not installed.
    """
    try:
        from interlock.evaluation.metrics import measure
    except ImportError as error:
        raise BadInput(
            'the metrics are DeepEval\'s, which is not installed: pip install "interlock[evals]".'
        ) from error
    _, case = suite.case(result.case)
    return replace(result, measured=measure(case, result, suite.settings.metrics))


async def _judged(suite: Suite, judge: "Judge", results: Sequence[Result]) -> list[Result]:
    """The results with what the judge says of each reply; an empty reply is not judged."""
    from interlock.evaluation.rubric import Judged

    spoken = [(at, each.seen) for at, each in enumerate(results) if each.seen and each.seen.reply]
    answers = [Judged(suite.case(results[at].case)[1].ticket, s.reply, s.evidence) for at, s in spoken]
    found = dict(zip([at for at, _ in spoken], await judge.read_all(answers), strict=True))
    return [
        replace(each, measured=(*each.measured, found[at])) if at in found else each
        for at, each in enumerate(results)
    ]
