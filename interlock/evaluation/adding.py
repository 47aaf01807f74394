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
from interlock.errors import BadInput, NotFound
from interlock.evaluation.cases import HELD_OUT, Case, Expect, Person, Suite
from interlock.evaluation.judging import Observed
from interlock.evaluation.labels import Label, Said, add_label, append
from interlock.evaluation.play import observed_of
from interlock.evaluation.traffic import SUPERVISOR
from interlock.evaluation.world import Seen

ADDED = "added.jsonl"
"""Where cases made of runs go, beside the cases that people wrote."""


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

    Raises:
        BadInput: if the run is under way, is a case already, or went as no case can be played.
    """
    run = seen.run
    if run.state not in (*FINAL, "waiting_for_approval", "blocked"):
        raise BadInput(f"run {run.id} is {run.state}: let it come to its end or its first question.")
    folder = project / "evals" / suite
    name = _name(folder, project, suite, seen)
    row = _row(seen, opinion)
    if name != seen.ticket.get("id"):
        row["name"] = name
    _check(row)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / (HELD_OUT if held_out else ADDED)
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
    return Added(name, file, row)


def _name(folder: Path, project: Path, suite: str, seen: Seen) -> str:
    """The ticket's own id where it is free in the suite, else the run's."""
    taken: set[str] = set()
    if any(folder.glob("*.jsonl")):
        try:
            cases = Suite.read(suite, project).cases
        except NotFound:
            cases = {}
        taken = {case.id for part in cases.values() for case in part}
    if seen.run.id in taken:
        raise BadInput(f"run {seen.run.id} is a case of {suite} already.")
    own = seen.ticket.get("id")
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
    own = seen.ticket.get("id")
    row: dict[str, Json] = {"ticket": ticket, "expect": expect, "why": why}
    weather = _weather(seen)
    return {
        **row,
        **({"weather": weather} if weather else {}),
        "ticket_id": own if isinstance(own, str) else "",
    }


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
    try:
        return Path(given).read_text(encoding="utf-8") if Path(given).is_file() else given
    except (OSError, ValueError) as error:
        raise BadInput(f"--corrected {given!r} cannot be read: {type(error).__name__}.") from error
