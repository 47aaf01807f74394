"""A supervisor as a specialist of another one: one run, one record, one purse, and two gates."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from interlock import Agent, Doors, Findings, GaveUp, Limits, Plan, Supervisor, Task, bind
from interlock.core.guards import Guards
from interlock.core.principal import Principal
from interlock.core.reflections import Reflection
from interlock.core.stores import Line
from interlock.errors import BuildError
from interlock.observability.explain import explain
from interlock.observability.narrate import narrate
from interlock.orchestration.drawing import costs, mermaid
from interlock.orchestration.gate import Problem
from tests.desk import Reply, Shop, Ticket, desk, settings
from tests.nested import house

ROOT = Path(__file__).resolve().parents[2]
LOST = Ticket(text="my parcel is lost")
LEAD = Principal(user="lena", scopes=("shift-lead",))


def of(lines: list[Line], kind: str) -> list[Line]:
    """The events of a kind."""
    return [line for line in lines if line.event.kind == kind]


async def test_the_inner_supervisor_works_in_the_same_run_and_record(tmp_path: Path) -> None:
    """Its tasks stand in the outer run under the outer task's name; the shop's book has one payment."""
    shop = Shop(tmp_path / "shop.db")
    async with bind(house(shop).build(), settings=settings(tmp_path)) as app:
        run = await app.run(LOST)
        lines = await app.stores.record.lines(run.id)
        runs = await app.stores.runs.list()

    assert (run.state, run.outcome, len(runs)) == ("completed", "resolved", 1)
    assert run.response == {"text": "The desk says: We paid back 49.90 EUR for order A-1001."}
    assert shop.rows() == [("A-1001", "49.90")]
    assert [line.event.task for line in of(lines, "task.sent")] == ["desk", "desk/orders", "desk/returns"]
    assert [line.event.task for line in of(lines, "gate.checked")] == ["desk/aggregate", "aggregate"]
    assert {line.event.task for line in of(lines, "effect.sent")} == {"desk/returns"}
    assert [line.body["to"] for line in of(lines, "run.moved") if isinstance(line.body, dict)] == [
        "context_loaded",
        "planning",
        "executing",
        "completed",
    ]
    told = explain(run, lines)
    assert told.plan is not None and [step.task for step in told.plan.tasks] == ["desk"]
    assert told.response == run.response
    assert [each.route for each in told.routes] == ["everything", "desk/lost_parcel"]
    assert "The gate of desk let the answer pass" in "\n".join(narrate(told))


async def test_a_question_inside_is_the_runs_and_names_its_path(tmp_path: Path) -> None:
    """The inner policy asks its own role; after the yes in a new process part the payment is made once."""
    shop = Shop(tmp_path / "shop.db", total="250")
    async with bind(house(shop).build(), settings=settings(tmp_path)) as app:
        run = await app.run(LOST)
        (question,) = await app.questions(run.id)
    async with bind(house(shop).build(), settings=settings(tmp_path)) as app:
        await app.answer(question.id, yes=True, by=LEAD)
        ended = await app.resume(run.id)

    assert (run.state, question.whom, question.task) == (
        "waiting_for_approval",
        "shift-lead",
        "desk/returns",
    )
    assert question.path == ("desk", "returns")
    assert (ended.state, ended.outcome, shop.rows()) == ("completed", "resolved", [("A-1001", "250")])


async def test_killed_at_the_question_it_goes_on_and_pays_once(tmp_path: Path) -> None:
    """A worker killed by SIGKILL, right after the question and again right after the payment was sent."""
    shop = Shop(tmp_path / "shop.db", total="250")
    for turn, wanted in (("ask", []), ("sent", [("A-1001", "250")]), ("end", [("A-1001", "250")])):
        done = subprocess.run(
            [sys.executable, "-m", "tests.nested", turn, str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == (0 if turn == "end" else -9), done.stderr
        assert shop.rows() == wanted
    assert done.stdout.strip() == "completed resolved"
    with sqlite3.connect(tmp_path / "interlock.db") as db:
        (reads,) = db.execute("SELECT count(*) FROM journal WHERE kind = 'read'").fetchone()
    db.close()
    assert reads == 1, "the inner order was looked up once in all three processes"


async def test_the_outer_gate_sees_nothing_the_inner_gate_refused(tmp_path: Path) -> None:
    """An inner refusal is a task that gave up; the words that were refused are nowhere in the outer state."""
    shop = Shop(tmp_path / "shop.db")

    def never(reply: Reply, findings: Findings) -> Problem:
        """Nothing leaves."""
        return Problem("CANARY", "refuse")

    async with bind(house(shop, checks=[never]).build(), settings=settings(tmp_path)) as app:
        run = await app.run(LOST)
        lines = await app.stores.record.lines(run.id)

    (returned,) = [line.body for line in of(lines, "task.returned") if line.event.task == "desk"]
    assert isinstance(returned, dict)
    assert (returned["status"], returned.get("output")) == ("gave_up", None)
    assert (run.outcome, run.response) == ("gave_up", {"text": "The desk says: nothing."})


async def test_without_the_gate_the_refused_words_would_come_through(tmp_path: Path) -> None:
    """The same run with the guard switched off: what the inner gate refuses is told by the outer one."""
    shop = Shop(tmp_path / "shop.db")

    def never(reply: Reply, findings: Findings) -> Problem:
        """Nothing leaves."""
        return Problem("CANARY", "refuse")

    off = Guards(gate=False)
    async with bind(house(shop, checks=[never]).build(), settings=settings(tmp_path), guards=off) as app:
        run = await app.run(LOST)

    assert run.response == {"text": "The desk says: We paid back 49.90 EUR for order A-1001."}


async def test_without_the_journal_a_revision_would_pay_again(tmp_path: Path) -> None:
    """The same revision with the guard switched off: the shop's book has a second payment."""
    shop = Shop(tmp_path / "shop.db")
    said: list[str] = []

    def once(reply: Reply, findings: Findings) -> Problem | None:
        """The first draft is sent back."""
        said.append(reply.text)
        return Problem("again, please") if len(said) == 1 else None

    made, off = house(shop, closing=True, outer=[once]), Guards(journal=False)
    async with bind(made.build(), settings=settings(tmp_path), guards=off) as app:
        await app.run(LOST)

    assert shop.rows() == [("A-1001", "49.90")] * 2


async def test_the_inner_supervisor_delivers_nothing(tmp_path: Path) -> None:
    """Only the outermost gate speaks: the inner delivery tool is not called."""
    shop = Shop(tmp_path / "shop.db")
    sent: list[str] = []

    async with bind(house(shop, mailbox=sent).build(), settings=settings(tmp_path)) as app:
        run = await app.run(LOST)
        lines = await app.stores.record.lines(run.id)

    assert (run.outcome, sent, of(lines, "response.delivered")) == ("resolved", [], [])
    async with bind(desk_with_mail(shop, sent).build(), settings=settings(tmp_path)) as app:
        await app.run(Ticket(text="lost", email="b@example.com"))
    assert sent == ["We paid back 49.90 EUR for order A-1001."], "alone it does deliver"


def desk_with_mail(shop: Shop, sent: list[str]) -> Supervisor[Any, Any]:
    """The inner supervisor as it stands alone."""
    from tests.nested import mailing

    return desk(shop, deliver=mailing(sent))


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(tool_calls=1, seconds=60), "1 of 1 tool calls"),
        (Limits(seconds=0.000001), "time was over|not done within"),
    ],
)
async def test_the_inner_supervisor_spends_what_the_task_may_spend(
    tmp_path: Path, limits: Limits, why: str
) -> None:
    """Two calls under a cap of one: the second is not sent, whatever the inner agents may do themselves."""
    shop = Shop(tmp_path / "shop.db")
    async with bind(house(shop, limits=limits).build(), settings=settings(tmp_path)) as app:
        run = await app.run(LOST)

    assert shop.rows() == []
    assert run.outcome in ("gave_up", "degraded", None)
    assert any(word in run.reason for word in why.split("|")), run.reason


async def test_what_was_spent_before_a_restart_still_counts(tmp_path: Path) -> None:
    """A cap of one call inside, used before the question, is used after it as well."""
    shop = Shop(tmp_path / "shop.db", total="250")
    capped = Limits(tool_calls=1, seconds=60)
    async with bind(house(shop, limits=capped).build(), settings=settings(tmp_path)) as app:
        run = await app.run(LOST)
        (question,) = await app.questions(run.id)
    async with bind(house(shop, limits=capped).build(), settings=settings(tmp_path)) as app:
        await app.answer(question.id, yes=True, by=LEAD)
        ended = await app.resume(run.id)

    assert (ended.state, shop.rows()) == ("completed", [])
    assert "1 of 1 tool calls" in ended.reason


async def test_two_tasks_of_one_inner_supervisor_do_not_share_a_journal(tmp_path: Path) -> None:
    """Planned twice, it pays twice, each under its own task; a run can be rolled back whole."""
    shop = Shop(tmp_path / "shop.db")
    async with bind(house(shop, times=2).build(), settings=settings(tmp_path)) as app:
        run = await app.run(LOST)
        lines = await app.stores.record.lines(run.id)

    assert run.outcome == "resolved"
    assert {line.event.task for line in of(lines, "effect.sent")} == {"desk/returns", "desk-2/returns"}
    assert shop.rows() == [("A-1001", "49.90")] * 2


async def test_three_floors_work_like_two(tmp_path: Path) -> None:
    """A supervisor in a supervisor in a supervisor; the question says the whole way."""
    shop = Shop(tmp_path / "shop.db", total="250")
    tower = house(shop, floors=2)
    async with bind(tower.build(), settings=settings(tmp_path)) as app:
        run = await app.run(LOST)
        (question,) = await app.questions(run.id)
        await app.answer(question.id, yes=True, by=LEAD)
        ended = await app.resume(run.id)

    assert question.task == "house/desk/returns"
    assert (ended.outcome, shop.rows()) == ("resolved", [("A-1001", "250")])


async def test_an_inner_person_hands_over_and_the_whole_is_escalated(tmp_path: Path) -> None:
    """What the inner supervisor came to decides what the outer one says of it."""

    async def hand(ticket: Ticket, doors: Doors) -> Reply:
        return Reply(text="handed over")

    async def leave(ticket: Ticket, doors: Doors) -> Reply | GaveUp:
        return GaveUp(reason="nobody can", tried=("looking",), needs="a person")

    async def fail(ticket: Ticket, doors: Doors) -> Reply:
        raise RuntimeError("CANARY")

    came: dict[str, Any] = {}
    for word, body in (("escalated", hand), ("gave_up", leave), ("failed", fail)):
        folder = tmp_path / word
        folder.mkdir()
        worker = Agent("worker", "Works.", run=body, escalates=True, attempts=1)
        async with bind(lone(worker).build(), settings=settings(folder)) as app:
            run = await app.run(LOST)
            came[word] = (run.state, run.outcome)
            assert "CANARY" not in run.reason

    assert came == {
        "escalated": ("completed", "escalated"),
        "gave_up": ("completed", "gave_up"),
        "failed": ("failed", None),
    }


def lone(worker: Agent[Ticket, Reply]) -> Supervisor[Ticket, Reply]:
    """A supervisor around a supervisor around one agent."""

    def ask(ticket: Ticket) -> Plan:
        """Always."""
        return Plan(Task(worker, ticket))

    def said(ticket: Ticket, findings: Findings) -> Reply:
        made = findings.get(worker)
        return made[0] if made else Reply(text="nothing")

    common: dict[str, Any] = {"request": Ticket, "response": Reply, "examples": [LOST]}
    inner = Supervisor("desk", agents=[worker], routes=[ask], answer=said, **common).agent("Works.")

    def ask_inner(ticket: Ticket) -> Plan:
        """Always."""
        return Plan(Task(inner, ticket))

    def heard(ticket: Ticket, findings: Findings) -> Reply:
        made = findings.get(inner)
        return made[0] if made else Reply(text="nothing")

    return Supervisor("outer", agents=[inner], routes=[ask_inner], answer=heard, **common)


def test_it_is_drawn_and_its_cost_is_known(tmp_path: Path) -> None:
    """X-ray opens the inner graph; the worst case counts the inner hops and the inner caps."""
    shop = Shop(tmp_path / "shop.db")
    drawn = mermaid(house(shop).build(), xray=True)
    (cost,) = costs(house(shop, limits=Limits(seconds=7, tool_calls=3)))
    (inner,) = costs(desk(shop))

    assert "subgraph desk\n" in drawn
    assert "subgraph desk_strand\n" in drawn
    assert "strand\\3adesk\\3adesk_strand\\3areturns(returns" in drawn
    assert cost.most.hops == 1 + inner.most.hops
    assert (cost.most.tool_calls, cost.most.seconds) == (3, 7)


def test_effects_inside_forbid_what_would_repeat_them(tmp_path: Path) -> None:
    """A reflection on a supervisor whose agents have effects fails the build by name."""
    shop = Shop(tmp_path / "shop.db")

    def judge(reply: Reply) -> str:
        return ""

    with pytest.raises(BuildError, match=r"a reflection would repeat the effects of desk \(shop/pay_back\)"):
        house(shop, judge=lambda inner: Reflection(inner, judge, max_rounds=1))


async def test_a_revised_closing_supervisor_does_not_pay_again(tmp_path: Path) -> None:
    """Run again for a revision, the inner supervisor gets its recorded effects back."""
    shop = Shop(tmp_path / "shop.db")
    said: list[str] = []

    def once(reply: Reply, findings: Findings) -> Problem | None:
        """The first draft is sent back."""
        said.append(reply.text)
        return Problem("again, please") if len(said) == 1 else None

    async with bind(house(shop, closing=True, outer=[once]).build(), settings=settings(tmp_path)) as app:
        run = await app.run(LOST)
        lines = await app.stores.record.lines(run.id)

    assert (run.outcome, len(said)) == ("resolved", 2)
    assert shop.rows() == [("A-1001", "49.90")]
    assert len(of(lines, "effect.sent")) == 1
    attempts = [line.event.attempt for line in of(lines, "task.sent") if line.event.task == "desk/orders"]
    assert attempts == [1, 1001]


async def test_an_attempt_that_leaves_out_what_it_had_paid_is_stopped(tmp_path: Path) -> None:
    """Run again, the inner supervisor plans something else: a person says how to go on."""
    shop = Shop(tmp_path / "shop.db")
    said: list[str] = []

    def once(reply: Reply, findings: Findings) -> Problem | None:
        """The first draft is sent back, and what the inner plan depends on changes."""
        said.append(reply.text)
        (tmp_path / "changed").touch()
        return Problem("again, please") if len(said) == 1 else None

    flag = tmp_path / "changed"
    async with bind(
        house(shop, closing=True, outer=[once], fickle=flag).build(), settings=settings(tmp_path)
    ) as app:
        run = await app.run(LOST)
        (question,) = await app.questions(run.id)

    assert (run.state, question.kind, question.task) == ("blocked", "settle", "desk")
    assert "desk/returns" in str(question.details)
    assert shop.rows() == [("A-1001", "49.90")]
