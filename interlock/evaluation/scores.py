"""Results as Langfuse scores: each case's verdict and measures, on the trace of the run that played it."""

from interlock.evaluation.table import Report, Result
from interlock.observability import langfuse
from interlock.observability.traced import Score
from interlock.settings import Settings


def post(settings: Settings, report: Report) -> str:
    """Sends a report's scores, where Langfuse is configured.

    Returns:
        Why they were not sent, as a sentence; empty when they were, or nobody wants them.
    """
    if not langfuse.configured(settings):
        return ""
    return langfuse.post(
        settings, [each for result in report.results for each in scores_of(report.suite, result)]
    )


def scores_of(suite: str, result: Result) -> list[Score]:
    """The scores of one case: whether it passed, whether it was safe, and what each metric says."""
    if result.seen is None or not result.seen.run:
        return []
    run, key = result.seen.run, f"{suite} {result.case} {result.spelling}"
    told = f"{key}: {', '.join(result.wrong) or 'as expected'}"
    found = [
        langfuse.score(run, "eval passed", result.ok, comment=told, key=key),
        langfuse.score(run, "eval safe", not result.harm, comment="; ".join(result.harm), key=key),
    ]
    return found + [
        langfuse.score(run, f"eval {each.metric}", each.score, comment=each.why, key=key)
        for each in result.measured
    ]
