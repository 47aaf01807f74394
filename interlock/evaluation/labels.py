"""What people said of answers, and how often a judge says the same.

`evals/SUITE/labels.jsonl` has one label a line. An answer that a person corrected counts twice: the given one
is wrong, the corrected one is right.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ValidationError

from interlock.core.canonical import Json, canonical
from interlock.errors import BadInput
from interlock.evaluation.cases import LABELS, Suite
from interlock.evaluation.table import Measured

Said: TypeAlias = Literal["right", "wrong"]


class Label(BaseModel, frozen=True, extra="forbid"):
    """What a person said of one answer."""

    v: Literal[1] = 1
    """Format version."""
    case: str
    """The case that was made of the same run."""
    ticket: Json
    """What was asked."""
    reply: str
    """The answer that is right or wrong."""
    evidence: tuple[Json, ...] = ()
    """What tools and people had answered when it was written."""
    label: Said
    why: str = ""
    corrected: str = ""
    """The answer that would have been right."""
    by: str
    """The person."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer with what a person says of it."""

    case: str
    ticket: Json
    reply: str
    evidence: tuple[Json, ...]
    right: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a judge compares with the people who labelled."""

    samples: tuple[Sample, ...]
    judged: tuple[Measured, ...]
    """In the same order."""

    def count(self, *, person: bool, judge: bool) -> int:
        """How many answers the person and the judge called right (True) or wrong (False)."""
        pairs = zip(self.samples, self.judged, strict=True)
        return sum(sample.right == person and measured.ok == judge for sample, measured in pairs)

    @property
    def share(self) -> float:
        """The share of answers on which both agree, from 0 to 1."""
        agreed = self.count(person=True, judge=True) + self.count(person=False, judge=False)
        return agreed / len(self.samples)

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa: agreement beyond chance; None where both say only one of the two words."""
        total = len(self.samples)
        people = sum(sample.right for sample in self.samples) / total
        judge = sum(measured.ok for measured in self.judged) / total
        chance = people * judge + (1 - people) * (1 - judge)
        return None if chance == 1 else (self.share - chance) / (1 - chance)

    @property
    def apart(self) -> list[tuple[Sample, Measured]]:
        """The answers on which they differ."""
        pairs = zip(self.samples, self.judged, strict=True)
        return [(sample, measured) for sample, measured in pairs if sample.right != measured.ok]

    @property
    def contested(self) -> list[str]:
        """The cases with an answer that one person calls right and another one wrong."""
        said: dict[tuple[str, str], set[bool]] = {}
        for each in self.samples:
            said.setdefault((each.case, each.reply), set()).add(each.right)
        return list(dict.fromkeys(case for (case, _), words in said.items() if len(words) > 1))

    def lines(self) -> list[str]:
        """The agreement for people."""
        kappa = self.kappa
        told = [
            f"{len(self.samples)} answers that people labelled; judge and people agree on {self.share:.0%}"
            + (f" (Cohen's kappa {kappa:.2f})." if kappa is not None else "."),
            f"  people right, judge right: {self.count(person=True, judge=True)}",
            f"  people right, judge wrong: {self.count(person=True, judge=False)}",
            f"  people wrong, judge right: {self.count(person=False, judge=True)}",
            f"  people wrong, judge wrong: {self.count(person=False, judge=False)}",
        ]
        told += (
            [f"people do not agree with each other on {', '.join(self.contested)}."] if self.contested else []
        )
        return told + [
            f"{sample.case}: a person says {'right' if sample.right else 'wrong'}, the judge "
            f"{measured.score:.2f}: {' '.join(measured.why.split())[:200]}"
            for sample, measured in self.apart
        ]

    def as_json(self) -> dict[str, Json]:
        """The agreement for programs."""
        kappa = self.kappa
        return {
            "answers": len(self.samples),
            "agreement": round(self.share, 4),
            "kappa": None if kappa is None else round(kappa, 4),
            "both_right": self.count(person=True, judge=True),
            "both_wrong": self.count(person=False, judge=False),
            "only_people_right": self.count(person=True, judge=False),
            "only_judge_right": self.count(person=False, judge=True),
            "contested": list(self.contested),
            "apart": [
                {"case": sample.case, "person": "right" if sample.right else "wrong", "score": measured.score}
                for sample, measured in self.apart
            ],
        }


def read_labels(suite: Suite) -> list[Label]:
    """Every label of a suite, in the order in which they were given.

    Raises:
        BadInput: naming file and line.
    """
    file = suite.folder / LABELS
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise BadInput(f"{str(file)!r} cannot be read: {type(error).__name__}.") from error
    return [_label(file, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def add_label(folder: Path, label: Label) -> None:
    """Appends a label.

    Raises:
        BadInput: if it cannot be written.
    """
    append(folder / LABELS, label.model_dump(mode="json", exclude_defaults=True) | {"v": label.v})


def append(file: Path, row: Json) -> None:
    """Adds one line to a file of JSON lines.

    Raises:
        BadInput: if it cannot be written.
    """
    canonical(row)  # what JSON has no word for is refused before anything is written
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        gap = "\n" if before and not before.endswith("\n") else ""
        with file.open("a", encoding="utf-8") as out:
            out.write(f"{gap}{json.dumps(row, ensure_ascii=False)}\n")
    except OSError as error:
        raise BadInput(f"{str(file)!r} cannot be written: {error.strerror}.") from error


def samples_of(labels: Sequence[Label]) -> list[Sample]:
    """The labelled answers, corrected ones included; whoever labels one again has changed their mind."""
    last = {(each.by, each.case, each.reply): each for each in labels}
    found: list[Sample] = []
    for each in last.values():
        found.append(Sample(each.case, each.ticket, each.reply, each.evidence, each.label == "right"))
        if each.corrected:
            found.append(Sample(each.case, each.ticket, each.corrected, each.evidence, True))
    return found


def _label(file: Path, number: int, line: str) -> Label:
    try:
        return Label.model_validate_json(line)
    except ValidationError as error:
        what = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, what["loc"]))
        told = f"{place}: {what['msg']}" if place else what["msg"]
        raise BadInput(f"{'/'.join(file.parts[-3:])}, line {number}: {told}.") from error
