"""Runs made into cases: what the person did, what is masked, and which runs no case can play."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from interlock.core.principal import Principal
from interlock.core.questions import Question
from interlock.core.runs import Run
from interlock.errors import BadInput
from interlock.evaluation.adding import Opinion, add_case
from interlock.evaluation.cases import Suite
from interlock.evaluation.world import Seen
from tests.recorded import recorded

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def seen(*asked: Question, **more: Any) -> Seen:
    """A run that came to its end, with these questions on the way."""
    run = Run.model_validate(
        {
            "id": "r-1", "graph": "desk", "version": "v", "owner": Principal.local("ann"), "session": "s",
            "created_at": NOW, "updated_at": NOW, "state": "completed", "outcome": "resolved", **more,
        }
    )  # fmt: skip
    return Seen({"id": "T-1", "text": "Pay me."}, run, asked, (), "Paid.")


def question(kind: str, answer: Any, state: str = "answered") -> Question:
    """A question and its answer."""
    return Question.model_validate(
        {
            "id": "q-1", "run": "r-1", "task": "t", "agent": "clerk", "kind": kind, "digest": "d",
            "title": "May it?", "asked_at": NOW, "expires_at": NOW, "state": state, "answer": answer,
        }
    )  # fmt: skip


def row(folder: Path, given: Seen, opinion: Opinion | None = None) -> dict[str, Any]:
    """The case that was made, as it stands in its file; it can be read again."""
    added = add_case(folder, "desk", given, (), opinion)
    [line] = added.file.read_text(encoding="utf-8").splitlines()
    Suite.read("desk", folder)
    return json.loads(line)


@pytest.mark.parametrize(
    ("asked", "more", "weather"),
    [
        ((question("approve", {"yes": True}),), {}, {"person": "approves"}),
        ((question("approve", {"yes": False}),), {}, {"person": "rejects"}),
        ((question("clarify", "A-1"), question("clarify", "A-2")), {}, {"answers": ["A-1", "A-2"]}),
        ((question("approve", None, "open"),), {"state": "waiting_for_approval", "outcome": None}, None),
        ((), {"state": "canceled", "outcome": None}, {"person": "cancels"}),
        ((), {"state": "rolled_back", "outcome": None}, {"person": "rolls_back"}),
    ],
)
def test_what_the_person_did_is_played_again(
    tmp_path: Path, asked: tuple[Question, ...], more: dict[str, Any], weather: dict[str, Any] | None
) -> None:
    """A yes, a no, words, an end; a question that nobody answered stays one."""
    assert row(tmp_path, seen(*asked, **more)).get("weather") == weather


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (seen(question("settle", {"yes": True})), "settled what nobody knew"),
        (
            seen(question("approve", {"yes": True}), question("approve", {"yes": False})),
            "say the same",
        ),
        (seen(state="executing", outcome=None), "let it come to its end"),
    ],
)
def test_a_run_that_no_case_can_play_is_refused(tmp_path: Path, given: Seen, told: str) -> None:
    """In one sentence, and nothing is written."""
    with pytest.raises(BadInput, match=told):
        add_case(tmp_path, "desk", given)

    assert list(tmp_path.iterdir()) == []


def test_a_correction_says_what_would_have_been_right(tmp_path: Path) -> None:
    """As a file with the reply and the expectations; both take the place of what the run came to."""
    file = tmp_path / "right.json"
    file.write_text('{"reply": "No.", "expect": {"outcome": "refused", "reply_has": ["no"]}}')

    made = row(tmp_path, seen(), Opinion.read("wrong", "ann", "It is late.", str(file)))

    [label] = [json.loads(each) for each in (tmp_path / "evals/desk/labels.jsonl").read_text().splitlines()]
    assert made["expect"] == {"state": "completed", "outcome": "refused", "reply_has": ["no"]}
    assert made["why"] == "It is late." and made["run"] == "r-1"
    assert (label["corrected"], label["reply"], label["by"]) == ("No.", "Paid.", "ann")


@pytest.mark.parametrize(
    ("corrected", "told"),
    [
        ('{"reply": "No.", "mood": 1}', "has 'mood'"),
        ("{broken", "looks like JSON"),
        ("answer.txt", "looks like a file, and there is none"),
        ('{"expect": []}', "is an object"),
        ('{"expect": {"outcome": "great"}}', "expect.outcome"),
    ],
)
def test_a_correction_that_means_nothing_is_refused(tmp_path: Path, corrected: str, told: str) -> None:
    """Before anything is written."""
    with pytest.raises(BadInput, match=told):
        add_case(tmp_path, "desk", seen(), (), Opinion.read("wrong", "ann", "", corrected))

    assert list(tmp_path.iterdir()) == []


def test_a_taken_id_makes_way(tmp_path: Path) -> None:
    """Another run about the same ticket becomes a case by its own id."""
    row(tmp_path, seen())

    added = add_case(tmp_path, "desk", seen(id="r-2"))

    assert added.case == "r-2" and added.row["name"] == "r-2"
    assert [case.id for case in Suite.read("desk", tmp_path).cases["development"]] == ["T-1", "r-2"]


def test_a_run_of_which_part_was_erased_is_no_case(tmp_path: Path) -> None:
    """What is gone would be expected to be absent, and the rest might name who it was about."""
    found = recorded()["erased"]

    with pytest.raises(BadInput, match="part of its record was erased"):
        add_case(tmp_path, "desk", Seen({"id": "T-1"}, found.run, (), tuple(found.lines), "Paid."))

    assert not (tmp_path / "evals").exists()
