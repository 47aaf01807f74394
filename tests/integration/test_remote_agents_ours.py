"""Our own server as the remote agent: the desk with `risk` far away, questions, crashes, tokens."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents.risk import risk
from agents.ticket import Ticket
from evals.support.world import World
from graphs.support import graph, policy
from interlock import Agent, Degraded, Doors, GaveUp, Policy, ToolServer, bind
from interlock.a2a.lenient import LenientTransport
from interlock.bootstrap import Stores
from interlock.core.principal import Principal
from interlock.core.runs import Run
from interlock.errors import BadInput
from interlock.server.identity import Anybody
from interlock.server.serving import Wish, serving
from interlock.settings import RemoteSettings
from tests.a2a_peers import free_port
from tests.desk import Ticket as Note
from tests.integration.test_remote_agents_crashes import killed, taken_over
from tests.remote_desk import Score, desk, events, result, scorer, settings
from tests.remote_worker import LEASE_S
from tests.served import running

pytestmark = pytest.mark.long

TICKETS = Path(__file__).parents[2] / "evals" / "support" / "tickets.jsonl"
CASES = ["T-007", "T-010", "T-020", "T-034"]
"""A refund at once, one that waits for a yes, a cancellation, and a ticket that tries to steer the desk."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The shop and its carrier."""
    made = World()
    made.start(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token that our servers know."""
    monkeypatch.setenv("PEER_TOKEN", "ann-token")


def ticket(case: str) -> Ticket:
    """A ticket of the desk's own suite."""
    lines = [json.loads(line) for line in TICKETS.read_text(encoding="utf-8").splitlines()]
    return Ticket.model_validate(next(x["ticket"] for x in lines if x["ticket"]["id"] == case))


def at(url: str) -> RemoteSettings:
    """A server of ours, with the token it knows."""
    return RemoteSettings(url=url, token_env="PEER_TOKEN")


async def runs_of(folder: Path) -> list[Run]:
    """The runs of a server, from its own database."""
    async with Stores.open(settings(folder)) as stores:
        return await stores.runs.list()


async def outcome(folder: Path, case: str, **more: Any) -> tuple[dict[str, Any], int]:
    """What became of a ticket (the run, and who was asked what), and how many tasks were sent away."""
    async with bind(graph, settings=settings(folder, **more)) as app:
        run = await app.run(ticket(case))
        asked = [(each.kind, each.title, each.whom) for each in await app.questions(run.id)]
        sent = await events(app, run.id, "remote.sent")
        done = await events(app, run.id, "effect.confirmed")
        came = await events(app, run.id, "task.returned")
    effects = [(each["tool"], each["arguments"]) for each in done]
    risks = [each["output"] for each in came if "signs" in str(each.get("output"))]
    response = (run.state, run.outcome, run.response)
    return {"run": response, "asked": asked, "effects": effects, "risk": risks}, len(sent)


@pytest.mark.parametrize("case", CASES)
async def test_the_desk_with_risk_far_away(case: str, world: World, tmp_path: Path) -> None:
    """Where `risk` works is a setting: the outcome, the effects and the questions are the same."""
    world.open(tmp_path / "shop", {})
    here, none = await outcome(tmp_path / "here", case)
    world.open(tmp_path / "again", {})
    async with running(tmp_path / "server", risk, policy=policy) as server:
        there, sent = await outcome(tmp_path / "there", case, remotes={"risk": at(server.url)})

    assert there == here and here["risk"]
    assert none == 0 and sent == len(await runs_of(tmp_path / "server")) == 1


async def _colour(note: Note, doors: Doors) -> Score:
    """Asks which colour."""
    return Score(level=str(await doors.ask("Which colour?")))


async def _never(note: Note, doors: Doors) -> Score | GaveUp:
    """Gives up."""
    return GaveUp(reason="there is nothing to score")


def far(body: Any, **more: Any) -> Agent[Note, Score]:
    """An agent to be served."""
    return Agent("scorer", "Scores.", run=body, **more)


def placed(url: str, **more: Any) -> dict[str, Any]:
    """The desk's own `scorer` is one of code, and works over there."""
    return {"remotes": {"scorer": at(url)}, **more}


async def _here(note: Note, doors: Doors) -> Score:
    raise AssertionError("the body must not run here")


async def test_a_question_of_our_own_server(tmp_path: Path) -> None:
    """It is asked here, answered here, and both runs end; here it is a question of kind relay."""
    async with (
        running(tmp_path / "server", far(_colour)) as server,
        bind(desk(far(_here)).build(), settings=settings(tmp_path, **placed(server.url))) as app,
    ):
        run = await app.run(Note(text="one"))
        (question,) = await app.questions(run.id)
        await app.answer(question.id, value="green")
        ended = await app.resume(run.id)
        came = await result(app, run.id)

    assert question.kind == "relay" and "Which colour?" in question.title
    assert ended.state == "completed" and came["output"]["level"] == "green"
    (there,) = await runs_of(tmp_path / "server")
    assert (there.state, there.response) == ("completed", {"level": "green", "points": 0})
    assert there.owner.user == "ann"


@pytest.mark.parametrize("yes", [True, False])
async def test_a_yes_goes_to_that_peer_alone(yes: bool, tmp_path: Path) -> None:
    """The approval of the other side's effect is given here and stands there; here it approves nothing."""
    till = ToolServer("till")
    paid: list[int] = []

    @till.tool(effect="once")
    async def pay(amount: int) -> int:
        """Pays."""
        paid.append(amount)
        return amount

    async def body(note: Note, doors: Doors) -> Score:
        """Pays five."""
        return Score(level="paid", points=await doors.call(pay, amount=5))

    agent = far(body, tools=[pay])
    rules = Policy().ask(agent, pay, whom="owner")
    async with (
        running(tmp_path / "server", agent, policy=rules) as server,
        bind(desk(far(_here)).build(), settings=settings(tmp_path, **placed(server.url))) as app,
    ):
        run = await app.run(Note(text="one"))
        (question,) = await app.questions(run.id)
        assert not paid and question.answer_schema == {"type": "boolean"}
        await app.answer(question.id, yes=yes)
        await app.resume(run.id)
        came = await result(app, run.id)
        receipt = await app.stores.ledger.receipt(question.id)

    assert paid == ([5] if yes else [])
    assert came["status"] == ("completed" if yes else "failed")
    assert receipt is None


async def test_giving_up_is_an_answer_from_afar_too(tmp_path: Path) -> None:
    """What gave up over there gives up here: it is not tried again."""
    async with (
        running(tmp_path / "server", far(_never)) as server,
        bind(desk(far(_here)).build(), settings=settings(tmp_path, **placed(server.url))) as app,
    ):
        run = await app.run(Note(text="one"))
        came = await result(app, run.id)

    assert came["status"] == "gave_up"
    assert len(await runs_of(tmp_path / "server")) == 1


async def test_less_than_was_asked_is_less_here_too(tmp_path: Path) -> None:
    """A degraded answer from over there is degraded here."""

    async def body(note: Note, doors: Doors) -> Degraded[Score]:
        """Is not sure."""
        return Degraded(output=Score(level="low"), why="old data")

    async with (
        running(tmp_path / "server", far(body)) as server,
        bind(desk(far(_here)).build(), settings=settings(tmp_path, **placed(server.url))) as app,
    ):
        run = await app.run(Note(text="one"))
        came = await result(app, run.id)

    assert (came["status"], came["output"]["level"], run.outcome) == ("degraded", "low", "degraded")


async def test_canceling_here_cancels_there(tmp_path: Path) -> None:
    """A run that is canceled here leaves nothing open over there."""
    async with (
        running(tmp_path / "server", far(_colour)) as server,
        bind(desk(far(_here)).build(), settings=settings(tmp_path, **placed(server.url))) as app,
    ):
        run = await app.run(Note(text="one"))
        await app.cancel(run.id)
        (told,) = await events(app, run.id, "remote.canceled")

    assert told["told"] is True
    (there,) = await runs_of(tmp_path / "server")
    assert there.state == "canceled"


async def test_time_and_spend_only_shrink(tmp_path: Path) -> None:
    """The run over there has no more than the task has left here."""
    async with (
        running(tmp_path / "server", far(_colour)) as server,
        bind(
            desk(scorer(server.url)).build(),
            settings=settings(tmp_path, remotes={"scorer": RemoteSettings(token_env="PEER_TOKEN")}),
        ) as app,
    ):
        run = await app.run(Note(text="one"))
        (sent,) = await events(app, run.id, "remote.sent")

    (there,) = await runs_of(tmp_path / "server")
    assert there.limits.seconds is not None and there.limits.seconds <= sent["deadline_ms"] / 1000 <= 20
    assert there.limits.tokens == sent["tokens"]
    assert there.trace


@pytest.mark.parametrize("point", ["after sent", "before message 1", "after message 1", "after working"])
async def test_a_killed_worker_asks_nobody(
    point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server of ours takes a message id once, so the next worker sends it again, and there is one run."""
    async with running(tmp_path / "server", far(_word)) as server:
        remotes = json.dumps({"scorer": {"url": server.url, "token_env": "PEER_TOKEN"}})
        monkeypatch.setenv("INTERLOCK_REMOTES", remotes)
        await killed(tmp_path, server.url, point, INTERLOCK_REMOTES=remotes, PEER_TOKEN="ann-token")
        async with bind(
            desk(scorer(server.url)).build(), settings=settings(tmp_path, lease_s=LEASE_S)
        ) as app:
            run = await taken_over(app)
            came = await result(app, run.id)

    assert (run.state, came["output"]["level"]) == ("completed", "low"), came
    assert len(await runs_of(tmp_path / "server")) == 1


async def test_a_server_that_is_down_meanwhile_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a task may have arrived, nobody home is no reason for a second attempt: it is tried on."""
    async with running(tmp_path / "server", far(_word)) as server:
        remotes = json.dumps({"scorer": {"url": server.url, "token_env": "PEER_TOKEN"}})
        monkeypatch.setenv("INTERLOCK_REMOTES", remotes)
        await killed(
            tmp_path, server.url, "after message 1", INTERLOCK_REMOTES=remotes, PEER_TOKEN="ann-token"
        )
        send, down = LenientTransport.handle_async_request, iter([True])

        async def sending(self: LenientTransport, request: httpx.Request) -> httpx.Response:
            if next(down, False):
                raise httpx.ConnectError("refused", request=request)
            return await send(self, request)

        monkeypatch.setattr(LenientTransport, "handle_async_request", sending)
        agent = scorer(server.url, attempts=3)
        async with bind(desk(agent).build(), settings=settings(tmp_path, lease_s=LEASE_S)) as app:
            run = await taken_over(app)
            tried = await events(app, run.id, "task.returned")

    assert [each["status"] for each in tried] == ["completed"]
    assert len(await runs_of(tmp_path / "server")) == 1


async def _word(note: Note, doors: Doors) -> Score:
    """Says low."""
    return Score(level="low")


async def test_who_serves_an_agent_performs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Desk and server may share their settings: the server does not send the task on to itself."""
    port = free_port()
    monkeypatch.setenv("INTERLOCK_REMOTES", json.dumps({"scorer": {"url": f"http://127.0.0.1:{port}/"}}))
    there = settings(tmp_path / "server")
    served = bind(far(_word), settings=there)
    local = Wish(identify=Anybody(Principal.local("ann")), port=port, local=True)
    async with (
        serving([served], there, local),
        bind(desk(far(_here)).build(), settings=settings(tmp_path)) as app,
    ):
        run = await app.run(Note(text="one"))
        came = await result(app, run.id)

    assert came["output"]["level"] == "low"
    assert len(await runs_of(tmp_path / "server")) == 1


async def test_a_wrong_token_is_told_and_never_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task fails with what to do; the token is in no event, row or file."""
    monkeypatch.setenv("PEER_TOKEN", "wrong-token-4711")
    async with (
        running(tmp_path / "server", far(_word)) as server,
        bind(desk(far(_here)).build(), settings=settings(tmp_path, **placed(server.url))) as app,
    ):
        run = await app.run(Note(text="one"))
        came = await result(app, run.id)

    assert came["status"] == "failed" and "token_env" in came["why"]
    assert all(b"wrong-token" not in file.read_bytes() for file in tmp_path.glob("interlock.db*"))
    assert not await runs_of(tmp_path / "server")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (RemoteSettings(url="http://there", token_env="NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE"),
        (RemoteSettings(url="ftp://there"), "http or https"),
        (RemoteSettings(url="http://me:secret@there"), "token_env"),
    ],
)
async def test_settings_that_cannot_be_used(given: RemoteSettings, told: str, tmp_path: Path) -> None:
    """They are told before anything happens, and without the secret."""
    with pytest.raises(BadInput, match=told) as raised:
        async with bind(desk(far(_here)).build(), settings=settings(tmp_path, remotes={"scorer": given})):
            pass
    assert "secret" not in str(raised.value)
