"""Makes an eval case of a run: what was asked, what it came to, and what a person says of the answer."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from interlock.core.canonical import Json
from interlock.core.questions import Question
from interlock.core.redaction import redact, redact_text
from interlock.core.runs import FINAL
from interlock.errors import BadInput
from interlock.evaluation.cases import HELD_OUT, LABELS, Case, Expect, Person, Suite
from interlock.evaluation.judging import Observed
from interlock.evaluation.labels import Label, Said, add_label, append
from interlock.evaluation.play import observed_of
from interlock.evaluation.traffic import SUPERVISOR
from interlock.evaluation.world import Seen

ADDED = "added.jsonl"
"""Where cases made of runs go, beside the cases that people wrote."""

_FILES = (".txt", ".json", ".md")
"""Endings by which a single word is meant for a file, and not for an answer."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a person says of an answer."""

    label: Said
    by: str
    why: str = ""
    reply: str = ""
    """The answer that would have been right."""
    expect: Json = None
    """Expectations that would have been right, as an object; they replace those of the record."""

    @classmethod
    def read(cls, label: Said, by: str, why: str, corrected: str) -> "Opinion":
        """Reads an opinion as it was given.

        Args:
            label: Whether the answer was right.
            by: The person.
            why: Their reason.
            corrected: The right answer, or a file that has it; as a JSON object it may have `reply` and
                `expect`.

        Raises:
            BadInput: if the file cannot be used.
        """
        text = _file_or_text(corrected)
        try:
            told: Any = json.loads(text) if text.lstrip().startswith("{") else None
        except ValueError as error:
            raise BadInput(f"--corrected looks like JSON and is none: {error}.") from error
        if not isinstance(told, dict):
            return cls(label, by, why, text.strip())
        given = cast("dict[str, Json]", told)
        unknown = sorted(set(given) - {"reply", "expect"})
        if unknown:
            raise BadInput(f"--corrected has {unknown[0]!r}; it may have `reply` and `expect`.")
        return cls(label, by, why, str(given.get("reply", "")).strip(), given.get("expect"))


@dataclass(frozen=True, slots=True)
class Added:
    """A case as it was added."""

    case: str
    file: Path
    row: dict[str, Json]
    new: bool
    """False where the run was a case already and only got a label."""


def add_case(
    project: Path,
    suite: str,
    seen: Seen,
    evidence: tuple[Json, ...] = (),
    opinion: Opinion | None = None,
    *,
    held_out: bool = False,
) -> Added:
    """Appends a run as a case, and the person's label beside it; secrets are masked.

    What the run came to becomes what the case expects. Of an answer that a person calls wrong only where the
    run ended is kept, unless they say what would have been right.

    Args:
        project: The project's folder.
        suite: The suite, which need not exist yet.
        seen: The run.
        evidence: What tools and people answered in it.
        opinion: What a person says of its answer.
        held_out: Into the part that nobody builds against.

    A run that is a case already only gets the label.

    Raises:
        BadInput: if the run is under way, is a case already and gets no label, went as no case can be
            played, or part of its record was erased.
    """
    run = seen.run
    if any(line.erased for line in seen.lines):
        raise BadInput(f"run {run.id} cannot become a case: part of its record was erased.")
    if run.state not in (*FINAL, "waiting_for_approval", "blocked"):
        raise BadInput(f"run {run.id} is {run.state}: let it come to its end or its first question.")
    folder = project / "evals" / suite
    known = _cases(folder, project, suite)
    found = next((case for case in known if case.run == run.id), None)
    if found is not None and opinion is None:
        raise BadInput(f"run {run.id} is case {found.id} of {suite} already; it can still get a --label.")
    row = _row(seen, opinion)
    name = found.id if found is not None else _name(known, seen)
    if name != seen.ticket.get("id"):
        row["name"] = name
    _check(row)
    file = folder / (HELD_OUT if held_out else ADDED)
    folder.mkdir(parents=True, exist_ok=True)
    if found is None:
        append(file, row)
    if opinion is not None:
        label = Label(
            case=name,
            ticket=row["ticket"],
            reply=redact_text(seen.reply),
            evidence=tuple(redact(each) for each in evidence),
            label=opinion.label,
            why=redact_text(opinion.why),
            corrected=redact_text(opinion.reply),
            by=opinion.by,
        )
        add_label(folder, label)
    return Added(name, file, row, new=found is None)


def _cases(folder: Path, project: Path, suite: str) -> list[Case]:
    """The cases that are there; none where the suite is yet to be made."""
    if not any(file.name != LABELS for file in folder.glob("*.jsonl")):
        return []
    return [case for part in Suite.read(suite, project).cases.values() for case in part]


def _name(known: list[Case], seen: Seen) -> str:
    """The ticket's own id where it is free in the suite, else the run's."""
    own = seen.ticket.get("id")
    taken = {case.id for case in known}
    return own if isinstance(own, str) and own and own not in taken else seen.run.id


def _row(seen: Seen, opinion: Opinion | None) -> dict[str, Json]:
    observed = observed_of(seen, {}, ())
    ticket = redact(dict(seen.ticket))
    wrong = opinion is not None and opinion.label == "wrong"
    expect = _ended(observed) if wrong else {**_ended(observed), **_did(observed)}
    if opinion is not None and opinion.expect is not None:
        if not isinstance(opinion.expect, dict):
            raise BadInput("--corrected: `expect` is an object, as in a case.")
        expect |= opinion.expect
    why = (redact_text(opinion.why) if opinion else "") or f"As run {seen.run.id} went."
    row: dict[str, Json] = {"ticket": ticket, "expect": expect, "why": why, "run": seen.run.id}
    weather = _weather(seen)
    return {**row, "weather": weather} if weather else row


def _ended(observed: Observed) -> dict[str, Json]:
    """Where it ended; always compared."""
    told = observed.model_dump(mode="json", include={"state", "outcome", "verdict", "asks"})
    return {name: value for name, value in told.items() if value is not None}


def _did(observed: Observed) -> dict[str, Json]:
    """Who worked on it, with which tools, and what changed in the world."""
    tools = dict.fromkeys(
        call.tool for call in observed.calls if call.state != "denied" and call.agent != SUPERVISOR
    )
    effects: list[Json] = [
        {"tool": call.tool} if call.agent == SUPERVISOR else {"tool": call.tool, "arguments": call.arguments}
        for call in observed.effects
    ]
    return {
        "agents": list(observed.agents),
        "results": list(observed.results),
        "tools": list(tools),
        "effects": effects,
    }


def _weather(seen: Seen) -> dict[str, Json]:
    """What the person did."""
    if any(each.kind == "settle" for each in seen.questions):
        raise BadInput(
            f"in run {seen.run.id} a person settled what nobody knew; a case cannot play that: write it by "
            "hand."
        )
    decided = [each for each in seen.questions if each.kind in ("approve", "review")]
    answers = [
        redact(each.answer) for each in seen.questions if each.kind in ("clarify", "relay") and _said(each)
    ]
    person = _person(seen, decided)
    return {**({"person": person} if person else {}), **({"answers": answers} if answers else {})}


def _person(seen: Seen, decided: list[Question]) -> Person | None:
    if seen.run.state == "rolled_back":
        return "rolls_back"
    if seen.run.state == "canceled":
        return "cancels"
    minds = {bool(each.answer.get("yes")) if isinstance(each.answer, dict) else None for each in decided}
    if len(minds) > 1:
        raise BadInput(
            f"in run {seen.run.id} people did not always say the same, as the person of a case does: write "
            "it by hand."
        )
    mind = minds.pop() if minds else None
    return None if mind is None else "approves" if mind else "rejects"


def _said(question: Question) -> bool:
    """Says whether a person answered with more than a yes or no."""
    answered = question.state == "answered" and question.answer is not None
    return answered and question.kind in ("clarify", "relay")


def _check(row: dict[str, Json]) -> None:
    """Refuses what could not be read again."""
    expect = row["expect"]
    assert isinstance(expect, dict)
    known = set(Expect.model_fields)
    facts = {name: value for name, value in expect.items() if name not in known}
    given = {
        **row,
        "expect": {name: value for name, value in expect.items() if name in known} | {"facts": facts},
    }
    try:
        Case.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise BadInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from error


def _file_or_text(given: str) -> str:
    if not given or "\n" in given or len(given) > 255:
        return given
    file = Path(given)
    if not file.is_file() and file.suffix in _FILES and not any(map(str.isspace, given)):
        raise BadInput(f"--corrected {given!r} looks like a file, and there is none: give the answer itself.")
    try:
        return file.read_text(encoding="utf-8") if file.is_file() else given
    except (OSError, ValueError) as error:
        raise BadInput(f"--corrected {given!r} cannot be read: {type(error).__name__}.") from error
