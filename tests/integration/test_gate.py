"""The gate as the only exit: what it lets through, sends back, asks about, and refuses."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from interlock import Agent, Conflict, Doors, Findings, Plan, Supervisor, Task, ToolServer, bind
from interlock.core.conflicts import prefer
from interlock.core.plans import Finding
from interlock.orchestration.deliver import Delivery
from interlock.orchestration.gate import Gate, Problem
from tests.desk import Reply, Ticket, settings


class Word(BaseModel):
    """A small output."""

    word: str


class Fact(BaseModel):
    """What a source knows."""

    status: str
    price: str


shop = ToolServer("shop")
carrier = ToolServer("carrier")
desk = ToolServer("helpdesk")
SENT: list[str] = []
CARD = "4111 1111 1111 1111"


@shop.tool()
async def shipped(number: str) -> Fact:
    """What the shop says of a parcel."""
    return Fact(status="shipped", price="49.90 EUR")


@carrier.tool()
async def tracked(number: str) -> Fact:
    """What the carrier says of a parcel."""
    return Fact(status="delivered", price="49.90 EUR")


@desk.tool(effect="once", key="key", speaks=True)
async def write_to_customer(text: str, key: str = "") -> bool:
    """Writes to the customer."""
    SENT.append(text)
    return True


async def compare(ticket: Ticket, doors: Doors) -> Word:
    """Asks both sources and states what each says."""
    for tool in (shipped, tracked):
        fact = await doors.call(tool, number="TN1")
        doors.claim("parcel TN1: status", fact.status, source=tool)
    return Word(word="asked both")


async def draft(ticket: Ticket, findings: Findings, doors: Doors) -> Word:
    """Drafts from the ticket's own words on the first try, from the feedback afterwards."""
    decided = [r.winner.value for r in findings.resolutions if r.winner]
    return Word(
        word=f"{ticket.text if not doors.feedback else ticket.email} {''.join(map(str, decided))}".strip()
    )


facts = Agent("facts", "Asks the sources.", run=compare, tools=[shipped, tracked])
writer = Agent("writer", "Drafts.", run=draft)


def route(ticket: Ticket) -> Plan:
    """Asks the sources and drafts."""
    asked = Task(facts, ticket)
    return Plan(asked, closing=Task(writer, ticket, Findings.of(asked)))


def answer(ticket: Ticket, findings: Findings) -> Reply:
    """The draft; a careless function adds a card number to the word leak."""
    text = findings.get(writer)[-1].word
    return Reply(text=f"{text} {CARD}" if "leak" in text else text)


def supervisor(**options: Any) -> Supervisor[Ticket, Reply]:
    """A desk whose replies are the ticket's text, and on a revision the ticket's e-mail."""
    given: dict[str, Any] = {
        "request": Ticket,
        "response": Reply,
        "agents": [facts, writer],
        "routes": [route],
        "answer": answer,
        "examples": [Ticket(text="go")],
        "conflicts": [Conflict("parcel *: status", prefer("carrier/*"))],
    }
    return Supervisor("gated", **{**given, **options})


async def test_sources_disagree_and_a_rule_decides(tmp_path: Path) -> None:
    """The drafting task gets the winner, and the record has claims, sources, rule and winner."""
    async with bind(supervisor().build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="it was"))
        lines = await app.stores.record.lines(run.id)

    (decided,) = [line.body for line in lines if line.event.kind == "conflict.decided"]
    assert run.response == {"text": "it was delivered"}
    assert isinstance(decided, dict)
    resolution: Any = decided["resolution"]
    assert {c["source"]: c["value"] for c in resolution["claims"]} == {
        "shop/shipped": "shipped",
        "carrier/tracked": "delivered",
    }
    assert (resolution["rule"], resolution["winner"]["source"]) == ("prefer", "carrier/tracked")


async def test_sources_disagree_and_no_rule_decides(tmp_path: Path) -> None:
    """Without a rule a person is asked whether the response may leave."""
    async with bind(supervisor(conflicts=[]).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="it was"))
        (question,) = await app.questions(run.id)
        await app.answer(question.id, yes=True)
        ended = await app.resume(run.id)

    assert (run.state, question.kind) == ("waiting_for_approval", "review")
    assert "Sources disagree and no rule decides: parcel TN1: status" in str(question.details["problems"])
    assert ended.response == {"text": "it was"}


async def test_an_ungrounded_draft_is_revised_once(tmp_path: Path) -> None:
    """An amount no tool has named is sent back with the reason; the grounded second draft leaves."""
    async with bind(supervisor().build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="you owe me 99.00 EUR", email="we paid 49.90 EUR"))

    assert (run.state, run.response) == ("completed", {"text": "we paid 49.90 EUR delivered"})


async def test_a_draft_that_stays_ungrounded_needs_a_person(tmp_path: Path) -> None:
    """After the last revision a person is asked; a no refuses the request and nothing of the draft leaves."""
    refusal = Reply(text="We cannot answer this by mail.")
    built = supervisor(refusal=lambda ticket: refusal).build()
    async with bind(built, settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="you owe me 99.00 EUR", email="you owe me 88.00 EUR"))
        (question,) = await app.questions(run.id)
        await app.answer(question.id, yes=False)
        ended = await app.resume(run.id)

    assert (run.state, run.response, question.kind) == ("waiting_for_approval", None, "review")
    assert (ended.outcome, ended.response) == ("refused", {"text": "We cannot answer this by mail."})


async def test_a_secret_never_leaves(tmp_path: Path) -> None:
    """A draft with a card number is revised, and refused when it still has one."""
    async with bind(supervisor().build(), settings=settings(tmp_path)) as app:
        revised = await app.run(Ticket(text="leak", email="thank you"))
        refused = await app.run(Ticket(text="leak", email="leak"))
        stored = [str(line.body) for line in await app.stores.record.lines(refused.id)]

    assert revised.response == {"text": "thank you delivered"}
    assert (refused.outcome, refused.response) == ("refused", None)
    assert not any("4111" in body for body in stored)


async def test_a_refusal_is_gated_too(tmp_path: Path) -> None:
    """What a refused customer reads passes the same basic checks, or nothing leaves at all."""
    quotes = supervisor(refusal=lambda ticket: Reply(text=f"We cannot pay {ticket.text} 77.00 EUR."))
    async with bind(quotes.build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="leak", email="leak"))
        kinds = [line.event.kind for line in await app.stores.record.lines(run.id)]
    async with bind(
        supervisor(refusal=lambda ticket: Reply(text="We cannot act on this.")).build(),
        settings=settings(tmp_path),
    ) as app:
        plain = await app.run(Ticket(text="leak", email="leak"))
        told = [line.event.kind for line in await app.stores.record.lines(plain.id)]

    assert (run.outcome, run.response, "response.accepted" in kinds) == ("refused", None, False)
    assert (plain.response, told.count("response.accepted")) == ({"text": "We cannot act on this."}, 1)


async def test_a_check_of_your_own_can_refuse(tmp_path: Path) -> None:
    """A custom check sees the response and the findings, and its words are the reason."""

    def no_shouting(reply: Reply, findings: Findings) -> Problem | None:
        return Problem("The reply shouts.", "refuse") if reply.text.isupper() else None

    async with bind(
        supervisor(checks=[no_shouting], conflicts=[Conflict("*", prefer("none"))]).build(),
        settings=settings(tmp_path),
    ) as app:
        run = await app.run(Ticket(text="HELLO"))

    assert (run.outcome, run.response) == ("refused", None)
    assert "The reply shouts." in run.reason


async def test_the_accepted_response_is_delivered_byte_for_byte(tmp_path: Path) -> None:
    """Delivery is an effect: sent once, with exactly the accepted text; a refused one is never sent."""
    SENT.clear()
    deliver = Delivery(write_to_customer, lambda ticket, reply: {"text": reply.text})
    async with bind(supervisor(deliver=deliver).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="it was"))
        await app.run(Ticket(text="leak", email="leak"))
        await app.resume(run.id)

    assert SENT == ["it was delivered"]
    assert run.response == {"text": SENT[0]}


@pytest.mark.parametrize(
    ("response", "left", "verdict"),
    [
        ({"text": "fine"}, 1, "accept"),
        ({"words": "no schema"}, 1, "revise"),
        ({"words": "no schema"}, 0, "refuse"),
        ({"text": "pay 5.00 EUR"}, 1, "revise"),
        ({"text": "pay 5.00 EUR"}, 0, "ask"),
        ({"text": "password: hunter22"}, 1, "revise"),
        ({"text": "password: hunter22"}, 0, "refuse"),
    ],
)
def test_verdicts(response: dict[str, str], left: int, verdict: str) -> None:
    """Each problem has its verdict, and out of revisions a person or nobody takes over."""
    findings = Findings(items=(Finding(task="t", agent="a", status="completed"),))

    assert Gate(Reply).judge(response, findings, [], revisions_left=left).verdict == verdict


async def test_secrets_in_a_request_stay_outside(tmp_path: Path) -> None:
    """A card number a customer writes is masked before anything is stored, in all tables and in the reply."""
    async with bind(supervisor().build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="my card is 4111 1111 1111 1111"))
        await app.stores.database.forget()

    stored = b"".join(file.read_bytes() for file in tmp_path.glob("interlock.db*"))
    assert run.response == {"text": "my card is [redacted] delivered"}
    assert b"4111 1111" not in stored
