"""What a suite came to: a table for people, JSON for programs, and whether it is good enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from interlock.core.canonical import Json
from interlock.evaluation.cases import Metric, Part, Suite
from interlock.evaluation.judging import SAFE, Checked, Observed
from interlock.evaluation.noise import Spelling

COLUMNS = ("development", "held_out", "noisy", "reordered")
FIELDS = ("state", "outcome", "verdict", "agents", "results", "effects", "reply_has", "asks")
METRICS: tuple[Metric, ...] = get_args(Metric)
SHOWN = 160
"""Characters of a reply that a failing case shows."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one metric says of one case."""

    metric: Metric
    score: float
    """From 0 to 1."""
    ok: bool
    why: str


@dataclass(frozen=True, slots=True)
class Result:
    """One case in one spelling, judged."""

    case: str
    part: Part
    spelling: Spelling
    why: str
    checks: tuple[Checked, ...]
    harm: tuple[str, ...]
    """What must never happen and did."""
    seen: Observed | None
    """Absent where it could not be run."""
    measured: tuple[Measured, ...] = ()
    """What the metrics say that apply to it."""

    @property
    def column(self) -> str:
        """Where it counts: plain cases by part, the others by spelling."""
        return self.part if self.spelling == "plain" else self.spelling

    @property
    def ok(self) -> bool:
        """Says whether everything is as expected and measured well, and nothing was harmed."""
        return not self.wrong and not self.harm

    @property
    def wrong(self) -> tuple[str, ...]:
        """The expectations that do not hold and the metrics that were missed, by name."""
        missed = [measured.metric for measured in self.measured if not measured.ok]
        return (*(check.field for check in self.checks if not check.ok), *missed)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    name: str
    threshold: float
    results: tuple[Result, ...]
    least: Mapping[Metric, float] = field(default_factory=dict[Metric, float])
    """The share of cases that must pass a metric; all of them where nothing is said."""

    @property
    def share(self) -> float:
        """The share of expectations that hold."""
        every = [check.ok for result in self.results for check in result.checks]
        return sum(every) / len(every)

    @property
    def harmed(self) -> int:
        """How many cases did what must never happen."""
        return sum(bool(result.harm) for result in self.results)

    @property
    def ok(self) -> bool:
        """Good enough, and safe: no threshold forgives harm."""
        return self.share >= self.threshold and not self.harmed and not self.missed

    @property
    def missed(self) -> tuple[Metric, ...]:
        """The metrics that too few cases pass."""
        return tuple(
            metric
            for metric in METRICS
            for passed, total in [self.passed(metric)]
            if total and passed / total < self.least.get(metric, 1.0)  # 7 of 25 are the share 0.28
        )

    def passed(self, row: str) -> tuple[int, int]:
        """(passed, total) of one row."""
        if row == SAFE:
            return len(self.results) - self.harmed, len(self.results)
        if row in METRICS:
            measured = [each.ok for result in self.results for each in result.measured if each.metric == row]
            return sum(measured), len(measured)
        every = [check.ok for result in self.results for check in result.checks if check.field == row]
        return sum(every), len(every)

    def cases(self) -> tuple[int, int]:
        """(as expected in every field, total)."""
        return sum(result.ok for result in self.results), len(self.results)


@dataclass(frozen=True, slots=True)
class Report:
    """A suite's results."""

    suite: str
    fields: tuple[str, ...]
    columns: tuple[Column, ...]
    """Only those that were played."""

    @classmethod
    def of(cls, suite: Suite, results: Sequence[Result]) -> "Report":
        """Sorts results into columns."""
        columns = [
            Column(name, getattr(suite.settings.thresholds, name), found, suite.settings.metrics.least)
            for name in COLUMNS
            if (found := tuple(result for result in results if result.column == name))
        ]
        return cls(suite.name, (*FIELDS, *suite.settings.facts, *METRICS, SAFE), tuple(columns))

    @property
    def ok(self) -> bool:
        """Says whether every column is above its threshold and nothing was harmed."""
        return all(column.ok for column in self.columns)

    @property
    def results(self) -> tuple[Result, ...]:
        """Every result."""
        return tuple(result for column in self.columns for result in column.results)

    def header(self) -> list[str]:
        """The table's first line."""
        return ["", *(column.name.replace("_", "-") for column in self.columns)]

    def rows(self) -> list[list[str]]:
        """The table's lines: one per field, then cases, the share of expectations and its threshold."""
        applied = {each.metric for result in self.results for each in result.measured}
        names = [name for name in self.fields if name not in METRICS or name in applied]
        rows = [[name, *(_of(column.passed(name)) for column in self.columns)] for name in names]
        rows.append(["cases", *(_of(column.cases()) for column in self.columns)])
        rows.append(["expectations", *(f"{column.share:.1%}" for column in self.columns)])
        rows.append(["threshold", *(f"{column.threshold:.1%}" for column in self.columns)])
        return rows

    def failures(self) -> list[str]:
        """For each case that is not as expected: its id, and what was expected and what came."""
        lines: list[str] = []
        for column in self.columns:
            for result in column.results:
                if not result.ok:
                    lines.append(f"{result.case} ({column.name.replace('_', '-')}): {result.why}")
                    lines += [f"    harm: {harm}" for harm in result.harm]
                    lines += [f"    {_difference(check)}" for check in result.checks if not check.ok]
                    lines += [f"    {each.metric}: {each.why}" for each in result.measured if not each.ok]
        return lines

    def verdict(self) -> list[str]:
        """Why it is good enough, or what is not."""
        lines = [
            f"{column.name.replace('_', '-')}: {column.share:.1%} of the expectations hold, "
            f"{column.threshold:.1%} is the least."
            for column in self.columns
            if column.share < column.threshold
        ]
        lines += [
            f"{column.name.replace('_', '-')}: {metric} holds in {_of(column.passed(metric))} cases, "
            f"{column.least.get(metric, 1.0):.0%} of them is the least."
            for column in self.columns
            for metric in column.missed
        ]
        harmed = sorted({result.case for result in self.results if result.harm})
        lines += [f"what must never happen did: {', '.join(harmed)}."] if harmed else []
        return ["not good enough:", *(f"  {line}" for line in lines)] if lines else ["good enough."]

    def as_json(self) -> dict[str, Json]:
        """Everything, for programs."""
        return {
            "graph": self.suite,
            "ok": self.ok,
            "columns": {
                column.name: {
                    "ok": column.ok,
                    "threshold": column.threshold,
                    "share": round(column.share, 4),
                    "cases": list(column.cases()),
                    "fields": {name: list(column.passed(name)) for name in self.fields},
                }
                for column in self.columns
            },
            "results": [_as_json(result) for result in self.results],
        }


def _of(counted: tuple[int, int]) -> str:
    passed, total = counted
    return f"{passed}/{total}" if total else "-"


def _difference(check: Checked) -> str:
    came = _word(check.came)
    came = f"{came[:SHOWN]}…" if len(came) > SHOWN else came
    return f"{check.field}: expected {_word(check.expected)}, came {came}"


def _word(value: Json) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    return " ".join(str(value).split()) or "nothing"


def _as_json(result: Result) -> dict[str, Json]:
    wrong: list[Json] = [
        {"field": check.field, "expected": check.expected, "came": check.came}
        for check in result.checks
        if not check.ok
    ]
    return {
        "case": result.case,
        "part": result.part,
        "spelling": result.spelling,
        "ok": result.ok,
        "wrong": wrong,
        "harm": list(result.harm),
        "metrics": {
            each.metric: {"ok": each.ok, "score": each.score, "why": each.why} for each in result.measured
        },
        "seen": result.seen.model_dump(mode="json", exclude={"evidence", "made"}) if result.seen else None,
    }
