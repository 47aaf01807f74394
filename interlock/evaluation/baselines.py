"""Keeps the results of a suite under a name, and says by name which cases got worse since.

A baseline is `evals/SUITE/baselines/NAME.json`: sorted, without times or texts, so that two of them can be
compared line by line in a review.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from interlock.core.canonical import Json
from interlock.errors import BadInput, FormatRefused, NotFound
from interlock.evaluation.cases import Suite
from interlock.evaluation.table import Report, Result

FOLDER = "baselines"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Kept(BaseModel, frozen=True, extra="forbid"):
    """One case in one spelling, as a baseline has it."""

    wrong: tuple[str, ...] = ()
    """Expectations that did not hold and metrics that were missed, by name."""
    harmed: bool = False
    """Something happened that must never happen."""

    @property
    def ok(self) -> bool:
        """Says whether nothing was wrong."""
        return not self.wrong and not self.harmed


class Baseline(BaseModel, frozen=True, extra="forbid"):
    """The results of a suite under a name."""

    v: Literal[1] = 1
    """Format version."""
    suite: str
    cases: dict[str, Kept]
    """`CASE`, or `CASE noisy` and `CASE reordered` -> how it went."""

    @classmethod
    def of(cls, report: Report) -> "Baseline":
        """What is kept of a report."""
        kept = {
            key(each): Kept(wrong=tuple(sorted(set(each.wrong))), harmed=bool(each.harm))
            for each in report.results
        }
        return cls(suite=report.suite, cases=dict(sorted(kept.items())))

    @classmethod
    def read(cls, suite: Suite, name: str) -> "Baseline":
        """Reads a baseline of a suite.

        Raises:
            NotFound: if there is none of that name.
            BadInput: if it cannot be read.
            FormatRefused: if it was written by a newer Interlock.
        """
        file = file_of(suite, name)
        try:
            told: Any = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(told, dict) and "v" in told and told["v"] != 1:
                raise FormatRefused(
                    f"the baseline {name!r} has another format than the one this Interlock reads, 1: save it "
                    "again."
                )
            return cls.model_validate(told)
        except FileNotFoundError:
            known = sorted(each.stem for each in file.parent.glob("*.json"))
            raise NotFound(
                f"there is no baseline {name!r} of {suite.name} (there are: {', '.join(known) or 'none'}): "
                f"save one with `interlock eval run {suite.name} --save {name}`."
            ) from None
        except (OSError, ValueError, ValidationError) as error:
            raise BadInput(f"the baseline {str(file)!r} cannot be read: save it again.") from error

    def over(self, older: "Baseline") -> "Baseline":
        """These results, and those of an older baseline for the cases that were not played."""
        return Baseline(suite=self.suite, cases=dict(sorted({**older.cases, **self.cases}.items())))

    def write(self, suite: Suite, name: str) -> Path:
        """Writes it, over one of the same name, and returns the file.

        Raises:
            BadInput: if it cannot be written, or the name is none for a file.
        """
        file = file_of(suite, name)
        text = json.dumps(self.model_dump(mode="json", exclude_defaults=False), indent=1, sort_keys=True)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            raise BadInput(f"the baseline {str(file)!r} cannot be written: {error.strerror}.") from error
        return file


@dataclass(frozen=True, slots=True)
class Change:
    """One case that is not as it was."""

    case: str
    what: tuple[str, ...]
    """The expectations and metrics that changed, and `safe`."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different from a baseline, among the cases that were played."""

    against: str
    worse: tuple[Change, ...]
    better: tuple[Change, ...]
    new: tuple[str, ...]
    """Played now, and not in the baseline."""
    gone: tuple[str, ...]
    """In the baseline, and not in the suite any more."""
    unplayed: int
    """How many of the baseline were not played this time."""

    @property
    def ok(self) -> bool:
        """Says whether nothing got worse."""
        return not self.worse

    def lines(self) -> list[str]:
        """The changes for people."""
        told = [f"worse than {self.against!r}: {each.case}: {', '.join(each.what)}" for each in self.worse]
        told += [f"better than {self.against!r}: {each.case}: {', '.join(each.what)}" for each in self.better]
        told += [f"not in {self.against!r}: {', '.join(self.new)}"] if self.new else []
        told += [f"in {self.against!r} and gone from the suite: {', '.join(self.gone)}"] if self.gone else []
        told += [f"in {self.against!r} and not played now: {self.unplayed}"] if self.unplayed else []
        return told or [f"no case is worse or better than in {self.against!r}."]

    def as_json(self) -> dict[str, Json]:
        """The changes for programs."""
        return {
            "against": self.against,
            "ok": self.ok,
            "worse": {each.case: list(each.what) for each in self.worse},
            "better": {each.case: list(each.what) for each in self.better},
            "new": list(self.new),
            "gone": list(self.gone),
            "unplayed": self.unplayed,
        }


def changes(suite: Suite, report: Report, baseline: Baseline, name: str) -> Changes:
    """Compares a report with a baseline; a case that was wrong and now is wrong in more is worse."""
    now, before = Baseline.of(report).cases, baseline.cases
    both = [case for case in now if case in before]
    pairs = [(case, _wrong(before[case]), _wrong(now[case])) for case in both]
    ids = {case.id for cases in suite.cases.values() for case in cases}
    absent = [case for case in before if case not in now]
    gone = tuple(case for case in absent if case.removesuffix(" noisy").removesuffix(" reordered") not in ids)
    return Changes(
        against=name,
        worse=tuple(Change(case, tuple(sorted(new - old))) for case, old, new in pairs if new - old),
        better=tuple(Change(case, tuple(sorted(old - new))) for case, old, new in pairs if old - new),
        new=tuple(case for case in now if case not in before),
        gone=gone,
        unplayed=len(absent) - len(gone),
    )


def key(result: Result) -> str:
    """How a baseline names a result: the case, and its spelling where that is not the plain one."""
    return result.case if result.spelling == "plain" else f"{result.case} {result.spelling}"


def file_of(suite: Suite, name: str) -> Path:
    """The file of a baseline.

    Raises:
        BadInput: if the name is none for a file.
    """
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} is no name for a baseline: use letters, digits, '.', '-' and '_', at most 64."
        )
    return suite.folder / FOLDER / f"{name}.json"


def _wrong(kept: Kept) -> set[str]:
    return {*kept.wrong, *(["safe"] if kept.harmed else [])}
