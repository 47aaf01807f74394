"""Holds a suite's judge against the people who labelled answers."""

from interlock.core.ports import Models
from interlock.errors import BadInput
from interlock.evaluation.cases import Suite
from interlock.evaluation.labels import Agreement, read_labels, samples_of


async def calibrate(suite: Suite, models: Models) -> Agreement:
    """Lets the judge read every labelled answer.

    Raises:
        BadInput: if the suite has no judge or no labels, or DeepEval is not installed.
        NotFound: if no model stands behind the judge's route.
    """
    if suite.settings.judge is None:
        raise BadInput(
            f"{suite.name} has no judge: describe one under [judge] in evals/{suite.name}/suite.toml."
        )
    samples = samples_of(read_labels(suite))
    if not samples:
        raise BadInput(
            f"nobody has labelled an answer of {suite.name}: add some with "
            f"`interlock eval add RUN --suite {suite.name} --label right`."
        )
    try:
        from interlock.evaluation.rubric import Judge, Judged
    except ImportError as error:
        raise BadInput(
            'the judge is DeepEval\'s, which is not installed: pip install "interlock[evals]".'
        ) from error
    judge = Judge(suite.settings.judge, models)
    answers = [Judged(each.ticket, each.reply, each.evidence) for each in samples]
    return Agreement(tuple(samples), tuple(await judge.read_all(answers)))
