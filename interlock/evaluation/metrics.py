"""The metrics that ask no model, as DeepEval's: for `interlock eval`, and for `assert_test` in plain pytest.

A case's test case is made of the run's own record. Import this module late: DeepEval takes seconds.
"""

from collections.abc import Sequence
from typing import Any, cast

from interlock.core.canonical import canonical
from interlock.evaluation.cases import Case, Metric, MetricSettings
from interlock.evaluation.judging import Observed
from interlock.evaluation.quiet import inert, quietly
from interlock.evaluation.table import Measured, Result
from interlock.evaluation.traffic import loops

with quietly():
    from deepeval import assert_test
    from deepeval.metrics import BaseMetric, ToolCorrectnessMetric, ToolPermissionMetric
    from deepeval.models import DeepEvalBaseLLM
    from deepeval.test_case import LLMTestCase, ToolCall

__all__ = [
    "ExactOutcome",
    "Grounded",
    "NoLoop",
    "OfRecord",
    "assert_test",
    "deepeval_case",
    "measure",
    "metrics_of",
]


def deepeval_case(case: Case, result: Result) -> LLMTestCase:
    """A played case as DeepEval's test case: what was asked, what was answered, which tools were called.

    Its `metadata` holds the `Result` under `result`, for metrics of your own.
    """
    seen = result.seen or Observed(state="created")
    return LLMTestCase(
        name=result.case,
        input=inert(canonical(case.ticket).decode()),
        actual_output=inert(seen.reply),
        tools_called=[
            ToolCall.model_validate(
                {"name": call.tool, "input_parameters": call.arguments, "output": call.answer}
            )
            for call in seen.calls
            if call.state != "denied"
        ],
        expected_tools=[ToolCall.model_validate({"name": tool}) for tool in case.expect.tools],
        retrieval_context=[inert(canonical(each).decode()) for each in seen.evidence],
        completion_time=seen.seconds,
        token_cost=float(seen.cost.usd) if seen.cost.usd is not None else None,
        metadata={"result": result},
    )


def metrics_of(case: Case, settings: MetricSettings) -> dict[Metric, BaseMetric]:
    """The metrics that apply to a case: tools it needs, tools it must not call, loops, and grounding."""
    found: dict[Metric, BaseMetric] = {}
    if case.expect.tools:
        found["tools"] = ToolCorrectnessMetric(threshold=1.0, model=NoModel(), async_mode=False)
    if never := sorted({*settings.never, *case.expect.never}):
        found["forbidden"] = ToolPermissionMetric(denied_tools=never, threshold=1.0)
    found["loop"] = NoLoop(settings.repeats)
    found["grounded"] = Grounded()
    return found


def measure(case: Case, result: Result, settings: MetricSettings) -> tuple[Measured, ...]:
    """What each metric says of a played case; nothing of one that could not be run."""
    if result.seen is None:
        return ()
    test_case = deepeval_case(case, result)
    called = {call.tool for call in result.seen.calls if call.state != "denied"}
    told = {  # DeepEval's own reasons are written for logs
        "tools": f"not called: {', '.join(tool for tool in case.expect.tools if tool not in called)}",
        "forbidden": f"called: {', '.join(sorted(called & {*settings.never, *case.expect.never}))}",
    }
    found: list[Measured] = []
    for name, metric in metrics_of(case, settings).items():
        score = float(cast("Any", metric).measure(test_case, _show_indicator=False))
        ok = bool(metric.is_successful())
        found.append(Measured(name, round(score, 4), ok, "" if ok else told.get(name, metric.reason or "")))
    return tuple(found)


class NoModel(DeepEvalBaseLLM):
    """Stands where DeepEval wants a model that it will not ask."""

    def __init__(self) -> None:
        """Needs no key."""
        cast("Any", super()).__init__("none")

    def load_model(self, *args: Any, **kwargs: Any) -> "NoModel":  # noqa: ANN401
        """Itself."""
        return self

    def generate(self, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        """Refuses: a metric that needs no model has asked one."""
        raise NotImplementedError("this metric asks no model")

    async def a_generate(self, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        """Refuses, as `generate` does."""
        return self.generate()

    def get_model_name(self, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        """`none`."""
        return "none"


class OfRecord(BaseMetric):
    """A metric that reads the run's record: it passes where it finds nothing wrong."""

    title: str = "of the record"
    """What reports call it."""
    threshold: float | None = 1.0
    """All or nothing."""
    async_mode: bool = False
    model: DeepEvalBaseLLM | None = None
    """None: nobody is asked."""
    score: float | None = None
    reason: str | None = None
    success: bool | None = None

    def wrong(self, result: Result) -> Sequence[str]:
        """What is wrong with a played case, a sentence each; none passes."""
        raise NotImplementedError

    def measure(self, test_case: LLMTestCase, *args: Any, **kwargs: Any) -> float:  # noqa: ANN401
        """1 where nothing is wrong, else 0."""
        result = cast("dict[str, object]", cast("Any", test_case).metadata or {}).get("result")
        if not isinstance(result, Result):
            raise TypeError("this metric reads a played case: make the test case with `deepeval_case`.")
        found = ["it could not be run"] if result.seen is None else self.wrong(result)
        self.success, self.reason = not found, "; ".join(found) or "nothing is wrong"
        self.score = float(self.success)
        return self.score

    async def a_measure(self, test_case: LLMTestCase, *args: Any, **kwargs: Any) -> float:  # noqa: ANN401
        """As `measure`."""
        return self.measure(test_case)

    def is_successful(self) -> bool:
        """Says whether nothing was wrong."""
        return bool(self.success)

    @property
    def __name__(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]  # DeepEval types it by its default
        return self.title


class ExactOutcome(OfRecord):
    """Every expectation of the case holds, and nothing happened that must never happen."""

    title: str = "exact outcome"

    def wrong(self, result: Result) -> Sequence[str]:
        """The expectations that do not hold, and the harm."""
        differs = [f"{c.field}: expected {c.expected!r}, came {c.came!r}" for c in result.checks if not c.ok]
        return [*differs, *result.harm]


class NoLoop(OfRecord):
    """No attempt of a task makes the same call, or goes round the same few calls, too often."""

    title: str = "no loop"

    def __init__(self, repeats: int = 3) -> None:
        """Takes how often is not yet a loop."""
        self.repeats: int = repeats

    def wrong(self, result: Result) -> Sequence[str]:
        """The loops."""
        return loops(result.seen.calls, self.repeats) if result.seen else []


class Grounded(OfRecord):
    """Every amount, date, identifier and person of the reply stands in what tools and people answered."""

    title: str = "grounded"

    def wrong(self, result: Result) -> Sequence[str]:
        """What no evidence says."""
        return [f"no evidence has {each}" for each in (result.seen.unsupported if result.seen else ())]
