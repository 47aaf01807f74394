"""Several ways to do the same work, side by side: how good, how dear, how slow. The choice is a person's."""

import statistics
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import inf, sqrt
from pathlib import Path

from interlock.core.canonical import Json
from interlock.evaluation.cases import Suite
from interlock.evaluation.measuring import measured
from interlock.evaluation.runner import run_suite
from interlock.evaluation.table import Result
from interlock.evaluation.traffic import Cost
from interlock.evaluation.variants import Variant

STRUCTURE = ("agents", "results")
"""Expectations about a graph's parts: another graph has others, and may do the same work."""
Z = 1.96
"""Standard deviations of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """One variant with its figures."""

    name: str
    results: tuple[Result, ...]
    """Without what only one graph can be expected to do, where graphs differ."""

    @property
    def passed(self) -> int:
        """Cases that were as expected in everything."""
        return sum(result.ok for result in self.results)

    @property
    def harmed(self) -> tuple[str, ...]:
        """Cases in which something happened that must never happen."""
        return tuple(result.case for result in self.results if result.harm)

    @property
    def unplayed(self) -> int:
        """Cases that could not be run; what they would have cost, nobody knows."""
        return sum(result.seen is None for result in self.results)

    @property
    def rate(self) -> float:
        """The share of cases that passed, from 0 to 1."""
        return self.passed / len(self.results)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the pass rate of many more such cases would be, with 95 % confidence (Wilson)."""
        n, p = len(self.results), self.rate
        middle, width = p + Z * Z / (2 * n), Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        return max(0.0, (middle - width) / (1 + Z * Z / n)), min(1.0, (middle + width) / (1 + Z * Z / n))

    @property
    def cost(self) -> Cost:
        """What all cases used together."""
        total = Cost()
        for result in self.results:
            total = total.plus(result.seen.cost if result.seen else Cost())
        return total

    @property
    def seconds(self) -> tuple[float, float]:
        """Seconds a case took: the median, and the slowest of twenty."""
        taken = sorted(result.seen.seconds for result in self.results if result.seen) or [0.0]
        return statistics.median(taken), taken[min(len(taken) - 1, int(len(taken) * 0.95))]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Variants that played the same cases."""

    suite: str
    cases: int
    entrants: tuple[Entrant, ...]

    @property
    def priced(self) -> bool:
        """Says whether every variant's USD is known, and something was paid at all."""
        prices = [each.cost.usd for each in self.entrants]
        return all(price is not None for price in prices) and any(prices)

    def spend(self, entrant: Entrant) -> float:
        """What a case that could be run costs on average: USD where all prices are known, else tokens."""
        cost = entrant.cost
        total = (cost.usd or Decimal(0)) if self.priced else Decimal(cost.tokens)
        return float(total / max(1, self.cases - entrant.unplayed))

    @property
    def unit(self) -> str:
        """What `spend` counts."""
        return "USD" if self.priced else "tokens"

    def beaten_by(self, entrant: Entrant) -> str:
        """The variant that is better in something and worse in nothing, or none.

        Compared are harm, pass rate, spend and the median of the seconds.
        """
        mine = self._figures(entrant)
        for other in self.entrants:
            theirs = self._figures(other)
            no_worse = all(b <= a for a, b in zip(mine, theirs, strict=True))
            if other is not entrant and no_worse and theirs != mine:
                return other.name
        return ""

    def _figures(self, entrant: Entrant) -> tuple[float, ...]:
        """Less is better in each; what never ran was neither cheap nor fast."""
        ran = entrant.unplayed < len(entrant.results)
        used = (self.spend(entrant), round(entrant.seconds[0], 1)) if ran else (inf, inf)
        return (len(entrant.harmed), -entrant.rate, *used)

    def header(self) -> list[str]:
        """The table's first line."""
        return ["variant", "passed", "95 %", "harm", "model calls", "tokens", "USD", "median s", "p95 s", ""]

    def rows(self) -> list[list[str]]:
        """The table's lines, the best first."""
        ordered = sorted(self.entrants, key=self._figures)
        return [self._row(each) for each in ordered]

    def _row(self, entrant: Entrant) -> list[str]:
        cost, (low, high), (median, slow) = entrant.cost, entrant.interval, entrant.seconds
        better = self.beaten_by(entrant)
        return [
            entrant.name,
            f"{entrant.passed}/{len(entrant.results)}",
            f"{low:.0%}-{high:.0%}",
            str(len(entrant.harmed)),
            str(cost.model_calls),
            str(cost.tokens),
            "unknown" if cost.usd is None else f"{cost.usd:.4f}",
            f"{median:.2f}",
            f"{slow:.2f}",
            f"beaten by {better}" if better else "",
        ]

    def lines(self) -> list[str]:
        """What stands below the table: the choice that is left, and the cases that tell variants apart."""
        left = [each.name for each in self.entrants if not self.beaten_by(each)]
        told = [
            f"Left to choose from: {', '.join(left)}. No other variant is at least as good in harm, "
            f"pass rate, {self.unit} and seconds, and better in one of them."
        ]
        told += [
            f"{each.name}: what must never happen did in {', '.join(each.harmed)}."
            for each in self.entrants
            if each.harmed
        ]
        told += [
            f"{each.name}: {each.unplayed} of {len(each.results)} cases could not be run."
            for each in self.entrants
            if each.unplayed
        ]
        return told + [f"{case}: only {', '.join(names)} passed." for case, names in self.apart().items()]

    def apart(self) -> dict[str, list[str]]:
        """Case -> the variants that passed it, where some did and some did not."""
        passed = {
            result.case: [
                each.name
                for each in self.entrants
                for own in each.results
                if own.case == result.case and own.ok
            ]
            for result in self.entrants[0].results
        }
        return {case: names for case, names in passed.items() if 0 < len(names) < len(self.entrants)}

    def as_json(self) -> dict[str, Json]:
        """The comparison for programs."""
        return {
            "suite": self.suite,
            "cases": self.cases,
            "variants": [
                {
                    "name": each.name,
                    "passed": each.passed,
                    "pass_rate": round(each.rate, 4),
                    "interval": [round(bound, 4) for bound in each.interval],
                    "harm": list(each.harmed),
                    "not_run": each.unplayed,
                    "model_calls": each.cost.model_calls,
                    "tokens": each.cost.tokens,
                    "usd": None if each.cost.usd is None else str(each.cost.usd),
                    "seconds_median": round(each.seconds[0], 3),
                    "seconds_p95": round(each.seconds[1], 3),
                    "beaten_by": self.beaten_by(each) or None,
                    "failed": {result.case: list(result.wrong) for result in each.results if not result.ok},
                }
                for each in self.entrants
            ],
            "apart": {case: list(names) for case, names in self.apart().items()},
        }


async def compare(
    suite: Suite,
    project: Path,
    variants: Sequence[Variant],
    *,
    held_out: bool = False,
    only: Collection[str] = (),
    done: Callable[[Result, int], None] | None = None,
) -> Comparison:
    """Plays the same cases with each variant, one variant after the other so that seconds can be compared.

    Where a variant is another graph, nothing is expected of anybody's agents and their results: only of what
    is seen from outside.

    Raises:
        NotFound, BadInput: if a variant cannot be played.
    """
    entrants: list[Entrant] = []
    count = len(variants)
    foreign = any(variant.graph not in ("", suite.graph) for variant in variants)
    for variant in variants:

        def told(result: Result, total: int) -> None:
            if done is not None:
                done(result, total * count)

        report = await run_suite(
            suite.name, project, variant=variant, held_out=held_out, only=only, done=told
        )
        results = [measured(suite, each) for each in report.results]
        if foreign:
            results = [_outside(each) for each in results]
        entrants.append(Entrant(variant.name, tuple(results)))
    return Comparison(suite.name, len(entrants[0].results), tuple(entrants))


def _outside(result: Result) -> Result:
    """A result without the expectations about a graph's parts."""
    return replace(result, checks=tuple(each for each in result.checks if each.field not in STRUCTURE))
