"""Recorded runs executed anew with everything they reached switched off: the same decisions, and no call."""

import json
import sqlite3
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from evals.support.world import World
from graphs.support import graph as support
from interlock import Agent, Doors, Findings, Plan, Policy, Supervisor, Task, ToolServer, bind
from interlock.bootstrap import Bound, Stores
from interlock.core.runs import Run
from interlock.errors import EffectTaken, OutcomeUnknown, ToolFailed, ToolUnavailable
from interlock.evaluation.replay import Recording, Replayed, replay
from interlock.orchestration.alone import alone
from interlock.settings import Settings
from interlock.testing import StillClock
from tests import nested, payments, remote_desk
from tests.desk import Reply, Shop, Ticket, desk, settings
from tests.integration import foreign
from tests.prompts import Actor, write_prompt
from tests.served import running

pytestmark = pytest.mark.long

LOST = Ticket(text="my parcel is lost")
CASES = Path(__file__).parents[2] / "evals" / "support" / "tickets.jsonl"


async def again(graph: object, given: Settings, run: Run, **more: Any) -> Replayed:
    """The run of a database, replayed with a graph."""
    async with Stores.open(given) as stores:
        recording = await Recording.read(stores, run.id)
    return await replay(graph, run.graph, recording, given, **more)


async def to_the_end(app: Bound, run: Run, **answer: Any) -> Run:
    """Says yes to everything until the run has ended."""
    given: dict[str, Any] = {"yes": True, **answer}
    while run.state in ("waiting_for_approval", "blocked"):
        for question in await app.questions(run.id):
            await app.answer(question.id, **given)
        run = await app.resume(run.id)
    return run


async def test_the_payment_server_need_not_run(tmp_path: Path) -> None:
    """A payment over HTTP is replayed while nothing listens there; its book has one row."""
    book = payments.Book(tmp_path / "book.db")

    async def pay(ticket: Ticket, doors: Doors) -> Reply:
        done = await doors.call(tool, order_id="A-1", amount=Decimal("9.90"))
        return Reply(text=f"Paid {done.amount} for {done.order_id}.")

    with payments.elsewhere("keyed", tmp_path / "book.db") as url:
        _, tool = payments.payment_server("keyed", book, url)
        payer = Agent("payer", "Pays.", run=pay, tools=[tool])
        graph = alone(payer, policy=Policy().allow(payer, tool)).build()
        async with bind(graph, settings=settings(tmp_path)) as app:
            run = await app.run(LOST)
    seen = await again(graph, settings(tmp_path), run)

    assert (run.outcome, len(book.rows())) == ("resolved", 1)
    assert (seen.same, seen.outcome) == (True, "resolved"), seen.differences


async def test_a_remote_agent_need_not_be_there(tmp_path: Path) -> None:
    """Its answer comes from the record; asked something else, nobody is asked."""

    async def score(ticket: Ticket, doors: Doors) -> remote_desk.Score:
        return remote_desk.Score(level="low", points=3)

    (tmp_path / "there").mkdir()
    given = remote_desk.settings(tmp_path, remotes={"scorer": {"url": "", "token_env": "SCORER"}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCORER", "ann-token")
        async with running(tmp_path / "there", Agent("scores", "Scores.", run=score)) as server:
            plain = remote_desk.scorer(server.url, ask=lambda ticket: ticket)
            async with bind(remote_desk.desk(plain).build(), settings=given) as app:
                run = await app.run(LOST)
    seen = await again(remote_desk.desk(plain).build(), given, run)
    louder = remote_desk.scorer(server.url, ask=lambda ticket: {"email": ticket.email, "text": "LOUD"})
    other = await again(remote_desk.desk(louder).build(), given, run)

    assert "low" in str(run.response)
    assert (seen.same, seen.outcome) == (True, run.outcome), seen.differences
    assert other.differences[0].kind == "remote"
    assert "LOUD" in str(other.differences[0].now)


async def test_a_remote_agent_that_nobody_reached_is_not_reached_again(tmp_path: Path) -> None:
    """Its message never left, so the same failure is no difference, and another message is one."""
    given = settings(tmp_path)
    plain = remote_desk.scorer("http://127.0.0.1:9", ask=lambda ticket: ticket)
    async with bind(remote_desk.desk(plain).build(), settings=given) as app:
        run = await app.run(LOST)
    seen = await again(remote_desk.desk(plain).build(), given, run)
    louder = remote_desk.scorer("http://127.0.0.1:9", ask=lambda ticket: "LOUD")
    other = await again(remote_desk.desk(louder).build(), given, run)

    assert (seen.same, seen.outcome) == (True, run.outcome), seen.differences
    assert "LOUD" in str(other.differences[0].now)


async def test_a_remote_agent_alone_runs_and_is_replayed(tmp_path: Path) -> None:
    """It is an agent like any other: its answer passes the gate, and comes from the record the next time."""

    async def score(ticket: Ticket, doors: Doors) -> remote_desk.Score:
        return remote_desk.Score(level="low", points=3)

    (tmp_path / "there").mkdir()
    given = remote_desk.settings(tmp_path, remotes={"scorer": {"url": "", "token_env": "SCORER"}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCORER", "ann-token")
        async with running(tmp_path / "there", Agent("scores", "Scores.", run=score)) as server:
            agent = remote_desk.scorer(server.url, ask=lambda ticket: ticket)
            async with bind(agent, settings=given) as app:
                run = await app.run(LOST)
    seen = await again(agent, given, run)

    assert (run.outcome, run.response) == ("resolved", {"level": "low", "points": 3})
    assert (seen.same, seen.outcome) == (True, "resolved"), seen.differences


@pytest.mark.parametrize("floors", [1, 2])
async def test_supervisors_inside_supervisors_are_replayed_with_their_approvals(
    tmp_path: Path, floors: int
) -> None:
    """The tasks inside have their own answers; an inner rule that has changed is named with its path."""
    shop = Shop(tmp_path / "shop.db", total="250")
    made = nested.house(shop, floors=floors)
    async with bind(made.build(), settings=settings(tmp_path)) as app:
        run = await to_the_end(app, await app.run(LOST))
    seen = await again(made.build(), settings(tmp_path), run)
    other = Shop(tmp_path / "shop.db", total="250")
    stricter = nested.house(other, floors=floors, checks=[lambda reply, findings: nested_problem()])
    changed = await again(stricter.build(), settings(tmp_path), run)

    assert (run.outcome, shop.rows()) == ("resolved", [("A-1001", "250")])
    assert (seen.same, seen.outcome) == (True, "resolved"), seen.differences
    assert changed.differences[0].kind == "gate"
    assert changed.differences[0].task.endswith("desk/aggregate")
    assert len(shop.rows()) == 1


def nested_problem() -> Any:
    """A check that lets nothing out."""
    from interlock.orchestration.gate import Problem

    return Problem("No.", "refuse")


async def test_questions_of_existing_graphs_get_their_answers(tmp_path: Path) -> None:
    """A graph body that asks by its own `interrupt()`, twice at once."""
    made = foreign.supervisor(tmp_path / "log")
    async with bind(made.build(), settings=settings(tmp_path)) as app:
        run = await app.run(LOST)
        for question in await app.questions(run.id):
            colour = "red" if "kitchen" in question.title else "blue"
            await app.answer(question.id, value=colour)
        run = await app.resume(run.id)
    seen = await again(made.build(), settings(tmp_path), run)

    assert run.state == "completed"
    assert (seen.same, seen.outcome) == (True, run.outcome), seen.differences


async def test_the_reference_desk_is_replayed_with_its_world_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refunds, approvals and refusals decide the same with no shop, no carrier and no payment book."""
    cases = [json.loads(line)["ticket"] for line in CASES.read_text(encoding="utf-8").splitlines()]
    given, ended = settings(tmp_path), list[Run]()
    world = World()
    for variable in ("CARRIER_URL", "SHOP_DATA", "SHOP_WEATHER"):
        monkeypatch.setenv(variable, "")  # the world sets them; they are put back
    world.start(tmp_path / "world")
    try:
        world.open(tmp_path / "world" / "shop", {})  # else it would be the shop of earlier tests
        async with bind(support, settings=given) as app:
            for case in cases[:40:4]:
                ended.append(await to_the_end(app, await app.run(case), value="A-1001"))
            asked = [question.kind for question in await app.stores.inbox.list(None, None)]
    finally:
        world.close()
    for file in (tmp_path / "world").rglob("*.db"):
        file.unlink()
    seen = [await again(support, given, run) for run in ended]

    assert len(seen) == 10
    assert asked.count("approve") >= 2
    assert [each.differences for each in seen if not each.same] == []
    assert {each.outcome for each in seen} == {run.outcome for run in ended}
    assert list((tmp_path / "world").rglob("*.db")) == []


async def test_a_changed_prompt_of_a_prompt_agent_is_the_first_difference(tmp_path: Path) -> None:
    """The same prompt with a tool decides the same; another one is shown line by line."""
    shop, asked = Shop(tmp_path / "shop.db"), []
    script: list[Any] = [{"shop__latest_order": {"email": "ann@example.com"}}, '{"text": "It is A-1001."}']

    def made(words: str) -> Any:
        file = write_prompt(tmp_path, words)
        agent = Agent(
            "worker", "Works.", input=Ticket, output=Reply, prompt=file, tools=[shop.latest_order], attempts=1
        )
        return alone(agent).build()

    graph = made("Find the order.\n\nSay its number.")
    actor = Actor(script)
    async with bind(graph, settings=settings(tmp_path), models=actor) as app:
        run = await app.run(LOST)
    asked = [call.messages[-1].speaker for call in actor.heard]
    seen = await again(graph, settings(tmp_path), run)
    other = await again(made("Find the order.\n\nSay its number and thank them."), settings(tmp_path), run)

    assert run.outcome is not None, (run.reason, asked)
    assert (seen.same, seen.outcome) == (True, run.outcome), seen.differences
    assert (other.differences[0].kind, other.differences[0].task) == ("model", "worker")
    assert "+Say its number and thank them." in "\n".join(other.differences[0].lines())


class Odd:
    """A shop whose tools fail in every way there is."""

    def __init__(self, folder: Path) -> None:
        """Counts its calls in files."""
        self.server = ToolServer("odd")
        self.calls: list[str] = []

        @self.server.tool()
        async def flaky() -> str:
            """Answers from the second time on."""
            self.calls.append("flaky")
            if self.calls.count("flaky") == 1:
                raise ToolFailed("not yet")
            return "now"

        @self.server.tool(effect="once", effect_key=lambda args: "the only one")
        async def single() -> str:
            """Happens once in all runs."""
            self.calls.append("single")
            return "done"

        @self.server.tool(effect="once")
        async def refusing() -> str:
            """Refuses."""
            self.calls.append("refusing")
            raise ToolFailed("not today")

        @self.server.tool(effect="once")
        async def dying() -> str:
            """Nobody knows what it did."""
            self.calls.append("dying")
            raise RuntimeError("the line went dead")

        self.flaky, self.single, self.refusing, self.dying = flaky, single, refusing, dying

    def graph(self) -> Any:
        """An agent that lives with all of it."""

        async def try_all(ticket: Ticket, doors: Doors) -> Reply:
            told: list[str] = []
            for _ in range(2):
                try:
                    told.append(await doors.call(self.flaky))
                except (ToolFailed, ToolUnavailable) as error:
                    told.append(error.message)
            for tool in (self.single, self.refusing, self.dying):
                try:
                    told.append(await doors.call(tool))
                except (ToolFailed, EffectTaken, OutcomeUnknown) as error:
                    told.append(error.message)
            moments = [await doors.now(), await doors.now()]
            return Reply(text=f"{'; '.join(told)} {moments[0] <= moments[1]} {await doors.random() < 1}")

        tools = [self.flaky, self.single, self.refusing, self.dying]
        agent = Agent("trier", "Tries.", run=try_all, tools=tools)
        return alone(agent, policy=Policy().allow(agent, *tools)).build()


async def test_failures_refusals_and_settled_effects_are_replayed_as_they_were(tmp_path: Path) -> None:
    """Three runs: after the first one an effect is taken; what is settled without an answer stays unknown."""
    odd, given = Odd(tmp_path), settings(tmp_path)
    runs = []
    async with bind(odd.graph(), settings=given) as app:
        for told in ("happened", None, {"no": "text"}):
            runs.append(await to_the_end(app, await app.run(LOST), value=told))
    before = list(odd.calls)
    seen = [await again(odd.graph(), given, run) for run in runs]

    assert [run.state for run in runs] == ["completed"] * 3
    assert before.count("single") == 1
    assert [each.differences for each in seen] == [()] * 3
    assert odd.calls == before


async def test_a_question_that_ran_out_of_time_does_so_again(tmp_path: Path) -> None:
    """Time passes in the replay as far as it has to."""
    shop, clock = Shop(tmp_path / "shop.db", total="250"), StillClock()
    given = settings(tmp_path)
    async with bind(desk(shop).build(), settings=given, clock=clock) as app:
        run = await app.run(LOST)
        clock.advance(timedelta(days=3).total_seconds())
        run = await app.resume(run.id)
    seen = await again(desk(shop).build(), given, run)

    assert (run.state, run.outcome) == ("completed", "degraded")
    assert (seen.same, seen.outcome) == (True, "degraded"), seen.differences
    assert shop.rows() == []


class Count(BaseModel):
    """A number."""

    n: int


async def test_work_at_the_same_time_makes_no_difference(tmp_path: Path) -> None:
    """Ten tasks, each with three calls at once that answer in any order, twice replayed."""
    slow = ToolServer("slow")

    @slow.tool()
    async def twice(n: int) -> int:
        """Doubles."""
        import asyncio

        await asyncio.sleep(0.001 * (n * 7 % 5))
        return 2 * n

    async def work(count: Count, doors: Doors) -> Count:
        import asyncio

        made = await asyncio.gather(*(doors.call(twice, n=count.n + i) for i in range(3)))
        return Count(n=sum(made))

    worker = Agent("worker", "Works.", run=work, tools=[twice])

    def ten(count: Count) -> Plan:
        """Ten at once."""
        return Plan(*(Task(worker, Count(n=i)) for i in range(10)))

    def answer(count: Count, findings: Findings) -> Count:
        return Count(n=sum(each.n for each in findings.get(worker)))

    made = Supervisor(
        "sums",
        request=Count,
        response=Count,
        agents=[worker],
        routes=[ten],
        answer=answer,
        examples=[Count(n=1)],
    )
    async with bind(made.build(), settings=settings(tmp_path)) as app:
        run = await app.run(Count(n=1))
    seen = [await again(made.build(), settings(tmp_path), run) for _ in range(2)]

    assert [(each.same, each.outcome) for each in seen] == [(True, "resolved")] * 2


async def test_a_run_whose_worker_died_is_compared_as_far_as_it_came(tmp_path: Path) -> None:
    """What the replay does beyond the recorded end is no difference."""
    shop = Shop(tmp_path / "shop.db")
    async with bind(desk(shop).build(), settings=settings(tmp_path)) as app:
        run = await app.engine.start(LOST, app.user)
    seen = await again(desk(shop).build(), settings(tmp_path), run)

    assert (seen.same, seen.state, seen.decisions) == (True, "failed", 0)
    assert shop.rows() == []
    with sqlite3.connect(tmp_path / "interlock.db") as db:
        assert db.execute("SELECT state FROM runs").fetchall() == [("created",)]
    db.close()
