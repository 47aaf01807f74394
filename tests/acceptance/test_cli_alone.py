"""Agents on the command line without a supervisor: the same exit codes, questions, gate and record."""

import json

import pytest

from tests.front import Front, fresh

front = pytest.fixture(fresh)

AGENTS = '''
from decimal import Decimal

from pydantic import BaseModel

from interlock import Agent, Doors, GaveUp, Policy, Supervisor
from interlock.orchestration.alone import alone
from front_desk import answer, Reply, Ticket, asker, asking, broken, look, much, murmurer, pay, payer

async def add(first: int, second: Decimal, json: str, doors: Doors) -> str:
    """Adds, and shows what it was given."""
    return f"{first + second} {json}"

async def brood(ticket: Ticket, doors: Doors) -> Reply:
    """Says what nobody knows."""
    return Reply(text="We pay 4711.00 EUR.")

adder = Agent("adder", "Adds.", run=add)
brooder = Agent("brooder", "Broods.", run=brood)
freely = alone(payer, policy=Policy().allow("other", look).allow(payer, look, pay, "books/take_back"))
desk = Supervisor("desk", request=Ticket, response=Reply, agents=[asker], routes=[asking], answer=answer,
                  examples=[Ticket(text="colour")])
number = 7
'''


@pytest.fixture
def folder(front: Front) -> Front:
    """The project with a file of agents, and no registry at all."""
    front.write("some.py", AGENTS)
    (front.folder / "langgraph.json").unlink()
    return front


def test_an_agent_runs_alone_and_its_output_is_the_response(folder: Front) -> None:
    """Several inputs are one object; an output that is no model is the field `output`."""
    given = {"first": 1, "second": "2.50", "json_": "x"}
    told = folder("run", "some.py:adder", "--input", folder.write("in.json", json.dumps(given)), "--json")

    assert (told.code, told.json["response"]) == (0, {"output": "3.50 x"})


def test_what_the_caller_gave_counts_as_known(folder: Front) -> None:
    """An output that repeats the request needs no other evidence; one from nowhere does."""
    told = folder("run", "some.py:brooder", "--input", folder.ticket("we pay 4711.00 EUR"), "--json")
    other = folder("run", "some.py:brooder", "--input", folder.ticket("we pay"), "--json")

    assert (told.code, told.json["response"]) == (0, {"text": "We pay 4711.00 EUR."})
    assert (other.code, other.json["approvals"][0]["kind"]) == (3, "review")


@pytest.mark.parametrize(
    ("agent", "text", "code", "outcome"),
    [
        ("front_desk.py:broken", "x", 5, None),
        ("front_desk.py:murmurer", "nothing", 4, "gave_up"),
        ("front_desk.py:murmurer", "x", 0, "degraded"),
        ("./front_desk.py:graph", "pay", 0, "resolved"),
        ("some.py:freely", "pay", 0, "resolved"),
    ],
)
def test_the_exit_code_tells_how_it_ended(
    folder: Front, agent: str, text: str, code: int, outcome: str | None
) -> None:
    """0 completed, 4 gave up, 5 failed, as for every graph."""
    told = folder("run", agent, "--input", folder.ticket(text), "--json")

    assert (told.code, told.json["outcome"]) == (code, outcome)
    assert "CANARY why" not in told.out + told.err


def test_an_effect_of_an_agent_alone_asks_its_owner_and_the_yes_finds_the_agent_again(folder: Front) -> None:
    """Without a policy an agent reads what it was granted and asks before it changes the world."""
    told = folder("run", "front_desk.py:payer", "--input", folder.ticket("pay"), "--json")
    assert (told.code, folder.paid) == (3, [])

    listed = folder("runs", "list", "--json").json
    done = folder.process("approvals", "approve", told.json["approvals"][0]["id"], "--json")

    assert listed[0]["graph"] == "front_desk.py:payer"
    assert (done.code, done.json["response"]) == (0, {"amount": "49.90"})
    assert folder.paid == ["49.90"]
    assert folder("audit", "verify", told.json["run_id"]).code == 0
    assert "payer" in folder("explain", told.json["run_id"]).out


def test_a_run_of_an_agent_is_resumed_and_canceled_by_its_id(folder: Front) -> None:
    """What was answered without waiting is gone on with; a run is taken back as any other."""
    told = folder("run", "./front_desk.py:asker", "--input", folder.ticket("colour"), "--json").json
    folder("approvals", "approve", told["approvals"][0]["id"], "--answer", "red", "--no-wait")
    resumed = folder("runs", "resume", told["run_id"], "--json")
    other = folder("run", "front_desk.py:asker", "--input", folder.ticket("colour"), "--json").json
    canceled = folder("runs", "cancel", other["run_id"], "--json")

    assert (resumed.code, resumed.json["response"]) == (0, {"text": "It will be red."})
    assert canceled.json["state"] == "canceled"


def test_a_supervisor_that_was_not_built_runs_by_its_place(folder: Front) -> None:
    """`build()` is done for it."""
    told = folder("run", "some.py:desk", "--input", folder.ticket("colour"), "--json")

    assert (told.code, told.json["approvals"][0]["title"]) == (3, "Which colour?")


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("none.py:payer", "there is no file 'none.py' here."),
        ("some.py:nobody", "some.py has no 'nobody'; it has: adder, asker, broken, brooder, "),
        ("empty.py:nobody", "empty.py has no 'nobody'; it has: no graph, supervisor or agent."),
        (
            "some.py:number",
            "some.py:number is no graph (int): name an agent, a supervisor, or an uncompiled StateGraph.",
        ),
        ("payer", "there is no langgraph.json"),
    ],
)
def test_a_place_where_nothing_can_run_is_named(folder: Front, place: str, sentence: str) -> None:
    """Exit code 2, and a sentence that says what is there."""
    folder.write("empty.py", "import re\nfrom interlock import Agent\nnumber = 7\n")

    told = folder("run", place, "--input", folder.ticket("x"))

    assert told.code == 2
    assert sentence in told.sentence and "Doors" not in told.sentence


def test_the_graph_of_an_agent_has_a_worst_case(folder: Front) -> None:
    """One task, with the agent's own caps and attempts."""
    told = folder("graph", "front_desk.py:payer", "--json").json

    assert [row["tasks"] for row in told["worst_case"]] == [["payer"]]
    assert told["worst_case"][0]["hops"] == 2
    assert {row["tool"] for row in folder("tools", "list", "front_desk.py:payer", "--json").json} == {
        "books/look",
        "books/pay",
        "books/take_back",
    }
