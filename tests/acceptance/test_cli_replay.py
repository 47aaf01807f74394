"""`interlock replay`: a recorded run against changed code, with nobody called and nothing changed."""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.front import Front, fresh

pytestmark = pytest.mark.long

front = pytest.fixture(fresh)

THINKING = '''
import os
from pathlib import Path

from pydantic import BaseModel

from interlock import Agent, Doors, Findings, Plan, Supervisor, Task, ToolServer

key = os.environ.get("SHOP_KEY", "sk-first-key-that-nobody-may-see-1234567890")
crm = ToolServer("crm")


class Ask(BaseModel):
    text: str


class Said(BaseModel):
    text: str


@crm.tool(secret=["token"])
async def about(who: str, token: str) -> str:
    """What is known of somebody."""
    with Path("asked.txt").open("a") as book:
        book.write(f"{who}\\n")
    if who == "nobody":
        raise RuntimeError("no such person")
    return f"{who} is a good customer, key {token}"


async def think(ask: Ask, doors: Doors) -> Said:
    """Asks the shop and a model, and takes its time into account."""
    try:
        known = await doors.call(about, who=ask.text.split()[-1], token=key)
    except Exception:
        known = "nothing"
    first = await doors.think(f"Greet {ask.text}. Known: {known}")
    moment, chance = await doors.now(), await doors.random()
    second = await doors.think(f"Polish: {first.text} at {moment.isoformat()} {chance}")
    return Said(text=second.text)


thinker = Agent("thinker", "Thinks.", run=think, tools=[about])


def always(ask: Ask) -> Plan:
    """Everything."""
    return Plan(Task(thinker, ask))


def answer(ask: Ask, findings: Findings) -> Said:
    return findings.get(thinker)[0]


graph = Supervisor("think", request=Ask, response=Said, agents=[thinker], routes=[always], answer=answer,
                   examples=[Ask(text="x")]).build()
'''


def changed(front: Front, *pairs: tuple[str, str], source: str = "front_desk.py") -> str:
    """The place of a copy of a graph in which some words are others."""
    text = (front.folder / source).read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return f"{front.write('changed.py', text)}:graph"


def started(front: Front, text: str, amount: int = 50) -> str:
    """A run of the front desk."""
    return str(front("run", "front", "--input", front.ticket(text, amount=amount), "--json").json["run_id"])


def answered(front: Front, run: str, *more: str) -> None:
    """Says yes to everything that a run asks."""
    for each in front("approvals", "list", "--run", run, "--json").json:
        extra = more if each["kind"] == "clarify" else ()
        assert front("approvals", "approve", each["id"], *extra).code in (0, 3)


@pytest.mark.parametrize("text", ["pay me", "colour", "both", "break", "murmur", "murmur nothing", "dance"])
def test_the_same_code_decides_the_same(front: Front, text: str) -> None:
    """Completed, waiting, refused and failed runs; the payments book has no line more than before."""
    run = started(front, text)
    before = front.paid, (front.folder / ".interlock" / "interlock.db").read_bytes()

    told = front("replay", run)

    assert (told.code, "no decision differs" in told.out) == (0, True), told.out
    assert front.paid == before[0]
    assert len(front("runs", "list", "--json").json) == 1


def test_people_answer_as_they_did(front: Front) -> None:
    """A run with an approval and a question for a word is replayed to its end; a no stays a no."""
    run, refused = started(front, "both", 250), started(front, "pay", 300)
    answered(front, run, "--answer", "red")
    (question,) = front("approvals", "list", "--run", refused, "--json").json
    front("approvals", "reject", question["id"], "--comment", "never")

    first, second = front("replay", run, "--json"), front("replay", refused, "--json")

    assert (first.code, first.json["state"], first.json["outcome"]) == (0, "completed", "resolved")
    assert (second.code, second.json["state"]) == (0, "failed"), second.out
    assert front.paid == ["250"]


CHANGES: dict[str, tuple[str, int, Sequence[tuple[str, str]], str, str]] = {
    "route": (
        "pay me",
        50,
        [
            ("routes=[paying, asking, breaking, both,", "routes=[both, paying, asking, breaking,"),
            ('if _first(ticket) == "both" else None', 'if _first(ticket) in ("both", "pay") else None'),
        ],
        "route",
        "both",
    ),
    "stricter policy": (
        "pay",
        50,
        [('return call["amount"] > 100', 'return call["amount"] > 20')],
        "effect",
        "a question to a person",
    ),
    "looser policy": (
        "pay",
        120,
        [('return call["amount"] > 100', 'return call["amount"] > 200')],
        "question",
        "an effect",
    ),
    "arguments": ("pay me", 50, [("amount=ticket.amount)", "amount=ticket.amount + 1)")], "effect", "51"),
    "body": ("pay me", 50, [("await doors.call(look, text=ticket.text)\n", "pass\n")], "tool", ""),
    "answer": (
        "pay me",
        50,
        [('f"We paid {each.amount}."', 'f"Paid {each.amount}."')],
        "response",
        "Paid 50.",
    ),
    "gate": (
        "pay me",
        50,
        [('Problem("CANARY found", "refuse") if', 'Problem("No.", "refuse") if 1 or')],
        "gate",
        "No.",
    ),
    "result": (
        "break",
        1,
        [('raise RuntimeError("a defect in the body")', 'return Said(text="fine")')],
        "result",
        "fine",
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_the_first_decision_that_differs_is_named(front: Front, kind: str) -> None:
    """Changed rule, policy, call, body, gate: exit code 1, and both sides; nothing is called by it."""
    text, amount, pairs, what, now = CHANGES[kind]
    run = started(front, text, amount)
    if kind == "looser policy":
        answered(front, run)
    paid = front.paid

    told = front("replay", run, "--graph", changed(front, *pairs), "--json")

    first = told.json["differences"][0]
    assert (told.code, first["kind"]) == (1, what), told.out
    assert now in json.dumps(first["now"])
    assert front.paid == paid
    people = front("replay", run, "--graph", "changed.py:graph")
    assert people.code == 1
    assert "the first decision that differs is" in people.out
    assert "recorded: " in people.out


@pytest.fixture
def thinking(front: Front, monkeypatch: pytest.MonkeyPatch) -> Front:
    """A project whose one agent asks a tool with a secret, a model, the clock and chance."""
    front.write("thinking.py", THINKING)
    front.write("script.py", "replies = ['Dear Ann.', 'Dear Ann, hello.']\n")
    monkeypatch.setenv("INTERLOCK_MODEL_SCRIPT", "script.py:replies")
    return front


def asked(front: Front) -> list[str]:
    """What the tool's own book says."""
    return (front.folder / "asked.txt").read_text(encoding="utf-8").split()


def think(front: Front, text: str = "ann") -> str:
    """A recorded run."""
    told = front(
        "run", "thinking.py:graph", "--input", front.write("in.json", json.dumps({"text": text})), "--json"
    )
    assert told.code in (0, 3), told.err
    return str(told.json["run_id"])


def test_models_times_and_chance_answer_as_recorded(thinking: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """No model and no tool is asked, and a secret that has changed since is no difference."""
    run = think(thinking)
    monkeypatch.setenv("INTERLOCK_MODEL_SCRIPT", "")
    monkeypatch.setenv("SHOP_KEY", "sk-other-key-that-nobody-may-see-0987654321")
    place = changed(thinking, source="thinking.py")

    told = thinking("replay", run, "--graph", place, "--json")

    assert (told.code, told.json["same"], told.json["decisions"] > 8) == (0, True, True), told.out
    assert asked(thinking) == ["ann"]
    assert "nobody-may-see" not in told.out


def test_a_changed_prompt_is_the_first_difference_and_shown_as_lines(thinking: Front) -> None:
    """Without a recorded reply its branch stops; with --lenient it goes on by position."""
    run = think(thinking)
    place = changed(thinking, ('"Greet {ask.text}.', '"Greet\\n{ask.text} warmly.'), source="thinking.py")

    strict, lenient = (
        thinking("replay", run, "--graph", place, *more, "--json") for more in ([], ["--lenient"])
    )
    shown = thinking("replay", run, "--graph", place)

    assert (strict.code, lenient.code) == (1, 1)
    assert {strict.json["differences"][0]["kind"], lenient.json["differences"][0]["kind"]} == {"model"}
    assert strict.json["state"] == "failed"
    assert (lenient.json["state"], lenient.json["outcome"]) == ("completed", "resolved")
    assert "-Greet ann. Known" in shown.out
    assert "+ann warmly. Known" in shown.out
    assert "what a model was asked of thinker" in shown.out


def test_a_tools_error_is_replayed_as_that_error(thinking: Front) -> None:
    """The body sees what it saw."""
    run = think(thinking, "nobody")

    told = thinking("replay", run, "--json")

    assert (told.code, told.json["same"]) == (0, True), told.out
    assert asked(thinking) == ["nobody"]


def test_the_recorded_run_is_left_as_it_is(front: Front) -> None:
    """Nothing is written to the project's database, and the record verifies as before."""
    run = started(front, "pay", 250)

    def rows() -> dict[str, Any]:
        with sqlite3.connect(front.folder / ".interlock" / "interlock.db") as db:
            names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            counted = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone() for name in names}
        db.close()
        return counted

    before = rows()
    front("replay", run)

    assert rows() == before
    assert front("audit", "verify", run).code == 0


def test_what_cannot_be_replayed_is_named(front: Front) -> None:
    """Exit code 2 for an unknown run, an unknown graph, and a record of which part was erased."""
    run = started(front, "pay me")
    unknown, nowhere = front("replay", "r-unknown"), front("replay", run, "--graph", "nowhere.py:graph")
    front("audit", "erase", "--subject", "ann@example.com")
    erased = front("replay", run)

    assert (unknown.code, nowhere.code, erased.code) == (2, 2, 2)
    assert "r-unknown" in unknown.sentence
    assert "nowhere.py" in nowhere.sentence
    assert "part of its record was erased" in erased.sentence


def test_a_rolled_back_run_is_replayed_up_to_its_end(front: Front) -> None:
    """What was done to take effects back was nobody's decision."""
    run = started(front, "both")
    assert front("runs", "cancel", run, "--rollback").code == 0
    paid = front.paid

    told = front("replay", run, "--json")

    assert (told.code, told.json["same"]) == (0, True), told.out
    assert front.paid == paid == ["50", "-50"]
    assert Path(front.folder / ".interlock").is_dir()
