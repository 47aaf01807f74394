"""What a suite came to: a table for people, JSON for programs, and whether it is good enough."""

from collections.abc import Sequence
from dataclasses import dataclass

from interlock.core.canonical import Json
from interlock.evaluation.cases import Part, Suite
from interlock.evaluation.judging import SAFE, Checked, Observed
from interlock.evaluation.noise import Variant

COLUMNS = ("development", "held_out", "noisy", "reordered")
FIELDS = ("state", "outcome", "verdict", "agents", "results", "reply_has", "asks")
SHOWN = 160
"""Characters of a reply that a failing case shows."""


@dataclass(frozen=True, slots=True)
class Result:
    """One case in one variant, judged."""

    case: str
    part: Part
    variant: Variant
    why: str
    checks: tuple[Checked, ...]
    harm: tuple[str, ...]
    """What must never happen and did."""
    seen: Observed | None
    """Absent where it could not be run."""

    @property
    def column(self) -> str:
        """Where it counts: plain cases by part, the others by variant."""
        return self.part if self.variant == "plain" else self.variant

    @property
    def ok(self) -> bool:
        """Says whether everything is as expected and nothing was harmed."""
        return all(check.ok for check in self.checks) and not self.harm


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    name: str
    threshold: float
    results: tuple[Result, ...]

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
        return self.share >= self.threshold and not self.harmed

    def passed(self, field: str) -> tuple[int, int]:
        """(passed, total) of one field."""
        if field == SAFE:
            return len(self.results) - self.harmed, len(self.results)
        every = [check.ok for result in self.results for check in result.checks if check.field == field]
        return sum(every), len(every)

    def cases(self) -> tuple[int, int]:
        """(as expected in every field, total)."""
        return sum(result.ok for result in self.results), len(self.results)


@dataclass(frozen=True, slots=True)
class Report:
    """A suite's results."""

    graph: str
    fields: tuple[str, ...]
    columns: tuple[Column, ...]
    """Only those that were played."""

    @classmethod
    def of(cls, suite: Suite, results: Sequence[Result]) -> "Report":
        """Sorts results into columns."""
        columns = [
            Column(name, getattr(suite.settings.thresholds, name), found)
            for name in COLUMNS
            if (found := tuple(result for result in results if result.column == name))
        ]
        return cls(suite.graph, (*FIELDS, *suite.settings.facts, SAFE), tuple(columns))

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
        rows = [[name, *(_of(column.passed(name)) for column in self.columns)] for name in self.fields]
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
        return lines

    def verdict(self) -> list[str]:
        """Why it is good enough, or what is not."""
        lines = [
            f"{column.name.replace('_', '-')}: {column.share:.1%} of the expectations hold, "
            f"{column.threshold:.1%} is the least."
            for column in self.columns
            if column.share < column.threshold
        ]
        harmed = sorted({result.case for result in self.results if result.harm})
        lines += [f"what must never happen did: {', '.join(harmed)}."] if harmed else []
        return ["not good enough:", *(f"  {line}" for line in lines)] if lines else ["good enough."]

    def as_json(self) -> dict[str, Json]:
        """Everything, for programs."""
        return {
            "graph": self.graph,
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
        "variant": result.variant,
        "ok": result.ok,
        "wrong": wrong,
        "harm": list(result.harm),
        "seen": result.seen.model_dump(mode="json") if result.seen else None,
    }
