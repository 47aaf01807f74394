"""Peers that are broken, hostile, or not there: each ends as a result that says why, and nothing leaks."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from a2a.server.tasks import TaskUpdater
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from interlock import Agent, Degraded, Doors, Limits, RemoteAgent, bind
from interlock.a2a import lenient
from interlock.errors import BuildError, NotBound
from interlock.settings import RemoteSettings
from tests.a2a_peers import Scripted, Told, free_port, listening, served, text
from tests.desk import Ticket
from tests.remote_desk import Score, ask, desk, events, read, result, scorer, settings

pytestmark = pytest.mark.long

Answer = Callable[[str, dict[str, Any]], Response]
LOW = {"messageId": "s", "role": "ROLE_AGENT", "parts": [{"text": "low"}]}
DONE = {"state": "TASK_STATE_COMPLETED", "message": LOW}
WORKING = {"state": "TASK_STATE_WORKING", "timestamp": "2026-11-21T18:00:00.123456"}


class Raw:
    """A server written by hand that says what a test wants, and notes what it was asked."""

    def __init__(self, answer: Answer, *, streaming: bool = False, points_to: str = "") -> None:
        """Takes what answers each method."""
        self.answer = answer
        self.streaming = streaming
        self.points_to = points_to
        self.methods: list[str] = []
        self.headers: list[dict[str, str]] = []

    def app(self, port: int) -> Starlette:
        """The app."""

        async def card(request: Request) -> Response:
            interface = {"url": self.points_to or f"http://127.0.0.1:{port}/", "protocolBinding": "JSONRPC"}
            return JSONResponse(
                {
                    "name": "raw sk-live-abcdef1234567890XY",
                    "description": "",
                    "version": "1",
                    "supportedInterfaces": [{**interface, "protocolVersion": "1.0"}],
                    "capabilities": {"streaming": self.streaming},
                }
            )

        async def call(request: Request) -> Response:
            body = await request.json()
            self.methods.append(body["method"])
            self.headers.append(dict(request.headers))
            return self.answer(body["method"], body)

        return Starlette(
            routes=[Route("/.well-known/agent-card.json", card), Route("/", call, methods=["POST"])]
        )


def said(body: dict[str, Any], result: Any) -> Response:
    """A JSON-RPC answer."""
    return JSONResponse({"jsonrpc": "2.0", "id": body["id"], "result": result})


def stream(body: dict[str, Any], *results: Any) -> Response:
    """A JSON-RPC stream."""

    async def lines() -> AsyncGenerator[str]:
        for each in results:
            told = (
                each
                if isinstance(each, str)
                else json.dumps({"jsonrpc": "2.0", "id": body["id"], "result": each})
            )
            yield f"data: {told}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


def task(status: dict[str, Any]) -> dict[str, Any]:
    """A task in a state."""
    return {"id": "t-1", "contextId": "c-1", "status": status}


async def came(tmp_path: Path, raw: Raw, **more: Any) -> dict[str, Any]:
    """What a task at a hand-written server came to."""
    port = free_port()
    async with (
        listening(raw.app(port), port) as url,
        bind(desk(scorer(url, **more)).build(), settings=settings(tmp_path)) as app,
    ):
        run = await app.run(Ticket(text="one"))
        assert "sk-live" not in str(await events(app, run.id, "remote.sent"))
        return await result(app, run.id)


def blocking_naive(method: str, body: dict[str, Any]) -> Response:
    """Answers submitted at once, with times that have no zone."""
    if method == "SendMessage":
        return said(body, {"task": task({**WORKING, "state": "TASK_STATE_SUBMITTED"})})
    return said(body, task({**DONE, "timestamp": "2026-11-21T18:00:01"}))


def streamed_naive(method: str, body: dict[str, Any]) -> Response:
    """Streams times that have no zone."""
    update = {"taskId": "t-1", "contextId": "c-1", "status": {**DONE, "timestamp": "2026-11-21T18:00:01.5"}}
    return stream(body, {"task": task(WORKING)}, {"statusUpdate": update})


def streamed_empty(method: str, body: dict[str, Any]) -> Response:
    """Streams events that say nothing that is known."""
    update = {"taskId": "t-1", "contextId": "c-1", "status": DONE}
    return stream(body, {}, {"task": task(WORKING)}, {"news": {"a": 1}}, {}, {"statusUpdate": update})


def stream_that_ends(method: str, body: dict[str, Any]) -> Response:
    """Ends its stream before the task has ended."""
    if method == "SendStreamingMessage":
        return stream(body, {"task": task(WORKING)})
    return said(body, task(DONE))


def stream_that_breaks(method: str, body: dict[str, Any]) -> Response:
    """Says something unreadable once its task is known."""
    if method == "SendStreamingMessage":
        return stream(body, {"task": task(WORKING)}, "{nonsense")
    return said(body, task(DONE))


def no_stream(method: str, body: dict[str, Any]) -> Response:
    """Promises a stream in its card and has none."""
    if method == "SendStreamingMessage":
        return JSONResponse({"jsonrpc": "2.0", "id": body["id"], "error": {"code": -32004, "message": "no"}})
    return said(body, {"task": task(DONE)})


def by_message(method: str, body: dict[str, Any]) -> Response:
    """Answers by a message alone."""
    message = {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "low"}]}
    return stream(body, {"message": message}) if "Streaming" in method else said(body, {"message": message})


@pytest.mark.parametrize(
    ("answer", "streaming"),
    [
        (blocking_naive, False),
        (streamed_naive, True),
        (streamed_empty, True),
        (stream_that_ends, True),
        (stream_that_breaks, True),
        (no_stream, True),
        (by_message, True),
        (by_message, False),
    ],
)
async def test_peers_are_taken_as_they_are(answer: Answer, streaming: bool, tmp_path: Path) -> None:
    """What can be understood is understood, and the message is sent once."""
    raw = Raw(answer, streaming=streaming)
    found = await came(tmp_path, raw)

    assert found["output"]["level"] == "low", found
    assert len([m for m in raw.methods if m in ("SendMessage", "SendStreamingMessage")]) <= 1 + (
        answer is no_stream
    )


def nothing(method: str, body: dict[str, Any]) -> Response:
    """Answers with nothing."""
    return said(body, {"task": task({"state": "TASK_STATE_COMPLETED"})})


def files(method: str, body: dict[str, Any]) -> Response:
    """Answers with a link to a place nobody should call."""
    parts = [{"url": "http://169.254.169.254/latest", "mediaType": "text/plain"}]
    return said(
        body,
        {
            "task": {
                **task({"state": "TASK_STATE_COMPLETED"}),
                "artifacts": [{"artifactId": "a", "parts": parts}],
            }
        },
    )


def fails(method: str, body: dict[str, Any]) -> Response:
    """Fails, and tells secrets."""
    words = {
        "messageId": "s",
        "role": "ROLE_AGENT",
        "parts": [{"text": "Traceback: password=hunter2hunter2"}],
    }
    return said(body, {"task": task({"state": "TASK_STATE_FAILED", "message": words})})


def refuses(method: str, body: dict[str, Any]) -> Response:
    """Rejects the task."""
    return said(body, {"task": task({"state": "TASK_STATE_REJECTED"})})


def internal(method: str, body: dict[str, Any]) -> Response:
    """Answers with an error that holds its insides."""
    return JSONResponse({"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "SECRET insides"}})


def forbidden(method: str, body: dict[str, Any]) -> Response:
    """Does not let us in."""
    return Response("SECRET insides", status_code=401)


def busy(method: str, body: dict[str, Any]) -> Response:
    """Has no time."""
    return Response("SECRET insides", status_code=429)


def forgets(method: str, body: dict[str, Any]) -> Response:
    """Takes a task and does not know it afterwards."""
    if method == "SendMessage":
        return said(body, {"task": task(WORKING)})
    return JSONResponse({"jsonrpc": "2.0", "id": body["id"], "error": {"code": -32001, "message": "SECRET"}})


def unreadable(method: str, body: dict[str, Any]) -> Response:
    """Takes a task and talks nonsense afterwards."""
    if method == "SendMessage":
        return said(body, {"task": task(WORKING)})
    return said(body, {"id": 7, "status": {"state": ["?"]}})


def elsewhere(method: str, body: dict[str, Any]) -> Response:
    """Sends the caller to another host."""
    return RedirectResponse("http://169.254.169.254/latest", status_code=307)


@pytest.mark.parametrize(
    ("answer", "why", "code"),
    [
        (nothing, "answered with nothing", "remote_failed"),
        (files, "files alone", "remote_failed"),
        (fails, "failed at", "remote_failed"),
        (refuses, "refused the task", "remote_rejected"),
        (internal, "refused the call", "remote_failed"),
        (forbidden, "token_env", "remote_failed"),
        (busy, "cannot take the call now", "remote_failed"),
        (forgets, "does not know the task any more", "remote_failed"),
        (unreadable, "cannot be read", "remote_failed"),
        (elsewhere, "HTTP 307", "remote_failed"),
    ],
)
async def test_what_cannot_be_used_is_failed(answer: Answer, why: str, code: str, tmp_path: Path) -> None:
    """Never an empty output; the peer's own words are in no error."""
    found = await came(tmp_path, Raw(answer))

    assert (found["status"], found["code"]) == ("failed", code), found
    assert why in found["why"], found
    assert not {"SECRET", "hunter2", "Traceback"} & set(found["why"].replace(":", " ").split())


async def test_an_answer_without_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More bytes than are taken are not read, and packed ones not at all."""
    monkeypatch.setattr(lenient.LenientTransport.__init__, "__defaults__", (100_000,))
    raw = Raw(
        lambda method, body: (
            said(body, {"task": task(WORKING)}) if method == "SendMessage" else said(body, "x" * 200_000)
        )
    )
    found = await came(tmp_path, raw)

    assert found["status"] == "failed" and "more than is read" in found["why"]
    assert all(each["accept-encoding"] == "identity" for each in raw.headers)


async def test_a_card_that_points_elsewhere(tmp_path: Path) -> None:
    """A card's other host is not called unless somebody named it, and never gets the token."""
    raw = Raw(by_message)
    raw.points_to = "http://169.254.169.254/latest"
    found = await came(tmp_path, raw)
    assert "points to 169.254.169.254" in found["why"] and not raw.methods

    other, ports = Raw(by_message), (free_port(), free_port())
    raw.points_to = f"http://127.0.0.1:{ports[1]}/"
    async with listening(raw.app(ports[0]), ports[0]) as url, listening(other.app(ports[1]), ports[1]):
        named = {"scorer": RemoteSettings(token_env="HOME", hosts=(f"127.0.0.1:{ports[1]}",))}
        given = settings(tmp_path / "named", remotes=named)
        async with bind(desk(scorer(url)).build(), settings=given) as app:
            run = await app.run(Ticket(text="one"))
            assert (await result(app, run.id))["output"]["level"] == "low"
    assert not raw.methods and all("authorization" not in each for each in other.headers)


async def test_a_card_that_says_loopback_in_other_words(tmp_path: Path) -> None:
    """Servers name themselves 0.0.0.0 or localhost; the address that was declared is called."""
    port = free_port()
    raw = Raw(by_message, points_to=f"http://0.0.0.0:{port}/")
    async with (
        listening(raw.app(port), port) as url,
        bind(desk(scorer(url)).build(), settings=settings(tmp_path)) as app,
    ):
        run = await app.run(Ticket(text="one"))
        assert (await result(app, run.id))["output"]["level"] == "low"


async def test_nobody_is_there(tmp_path: Path) -> None:
    """A closed port is told, the next attempt is free to try, and the fallback stands in."""

    async def guess(ticket: Ticket, doors: Doors) -> Score:
        """A guess."""
        return Score(level="unknown")

    url = f"http://127.0.0.1:{free_port()}"
    fallback = Agent("guesser", "Guesses.", run=guess)
    agent = scorer(url, attempts=2, fallback=fallback)
    async with bind(desk(agent).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="one"))
        tried = await events(app, run.id, "task.returned")
        sent = await events(app, run.id, "remote.sent")

    assert [each["status"] for each in tried] == ["failed", "failed", "degraded"]
    assert "could not be reached" in tried[0]["why"] and not sent


async def test_a_server_that_comes_up_late(tmp_path: Path) -> None:
    """Where nothing could have been sent, connecting is tried again; then it is sent once."""
    peer = Scripted(_low)
    async with served(peer) as url, bind(desk(scorer(url)).build(), settings=settings(tmp_path)) as app:
        await app.run(Ticket(text="one"))
        transport = lenient.LenientTransport.handle_async_request
        failing = iter([True, True])

        async def sending(self: Any, request: httpx.Request) -> httpx.Response:
            if request.method == "POST" and next(failing, False):
                raise httpx.ConnectError("refused", request=request)
            return await transport(self, request)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lenient.LenientTransport, "handle_async_request", sending)
            run = await app.run(Ticket(text="two"))
        found = await result(app, run.id)

    assert found["output"]["level"] == "low"
    assert [told.text for told in peer.book.told] == ["Score this: one", "Score this: two"]


async def _low(told: Told, up: TaskUpdater) -> None:
    await up.add_artifact([text("low")])
    await up.complete()


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"read": lambda answer: Score.model_validate_json(answer)}, "unreadable"),
        ({"read": lambda answer: None}, "unreadable"),
        ({"read": lambda answer: {"level": 3}}, "schema_violation"),
        ({"read": lambda answer: Degraded(output=Score(level="so so"), why="old data")}, ""),
        ({"ask": lambda ticket: 1 / 0}, "ask_error"),
        ({"ask": lambda ticket: ""}, "ask_error"),
    ],
)
async def test_ask_and_read_of_yours(more: dict[str, Any], code: str, tmp_path: Path) -> None:
    """An answer that `read` cannot take is `Failed`, and what it makes is checked like every output."""
    peer = Scripted(_low)
    async with (
        served(peer) as url,
        bind(desk(scorer(url, **more)).build(), settings=settings(tmp_path)) as app,
    ):
        run = await app.run(Ticket(text="one"))
        found = await result(app, run.id)

    assert found["status"] == ("failed" if code else "degraded") and found.get("code", "") == code
    assert len(peer.book.told) == (code != "ask_error")


async def test_secrets_do_not_travel(tmp_path: Path) -> None:
    """A secret in a request is masked before it leaves, and one in an answer before it is kept."""

    async def leaks(told: Told, up: TaskUpdater) -> None:
        await up.add_artifact([text("the password is hunter2hunter2")])
        await up.complete()

    peer = Scripted(leaks)
    async with served(peer) as url, bind(desk(scorer(url)).build(), settings=settings(tmp_path)) as app:
        run = await app.run(Ticket(text="my key is sk-live-abcdef1234567890XY"))
        found = await result(app, run.id)

    assert "[redacted]" in peer.book.told[0].text and "sk-live" not in peer.book.told[0].text
    assert "hunter2" not in str(found) and all(
        b"hunter2" not in file.read_bytes() for file in tmp_path.glob("interlock.db*")
    )


@pytest.mark.parametrize("url", ["there", "ftp://there", "http://me:word@there", "http://"])
def test_a_url_that_cannot_be_called_is_no_agent(url: str) -> None:
    """It is told where the agent is made, without the credentials."""
    with pytest.raises(BuildError, match="cannot be called") as raised:
        RemoteAgent("a", "A.", url=url, input=Ticket, output=Score, ask=ask, read=read)
    assert "word" not in str(raised.value)


async def test_an_unbound_graph_calls_nobody() -> None:
    """Without `bind` there is nobody to remember what was sent, so nothing is."""
    raw, port = Raw(by_message), free_port()
    async with listening(raw.app(port), port) as url:
        with pytest.raises(NotBound, match="remote"):
            await desk(scorer(url)).build().compile().ainvoke({"request": {"text": "one"}})
    assert not raw.methods


async def test_a_peer_without_an_end_is_stopped(tmp_path: Path) -> None:
    """A peer that always works is left when the time is over, also where it never named a task."""

    def works(method: str, body: dict[str, Any]) -> Response:
        return said(body, {"task": task(WORKING)} if method == "SendMessage" else task(WORKING))

    raw = Raw(works)
    found = await came(tmp_path, raw, limits=Limits(seconds=1))

    assert found["code"] == "deadline_exceeded" and raw.methods[-1] == "CancelTask"


async def test_a_silent_peer_without_a_stream(tmp_path: Path) -> None:
    """A peer that keeps its answer back: when our time is over, its task is looked for."""
    held = asyncio.Event()

    async def hold(request: Request) -> Response:
        body = await request.json()
        raw.methods.append(body["method"])
        if body["method"] == "SendMessage":
            await held.wait()
        return said(body, {"tasks": []})

    port = free_port()
    raw = Raw(by_message)
    app_ = raw.app(port)
    app_.router.routes[1] = Route("/", hold, methods=["POST"])
    async with (
        listening(app_, port) as url,
        bind(desk(scorer(url, limits=Limits(seconds=1))).build(), settings=settings(tmp_path)) as app,
    ):
        run = await app.run(Ticket(text="one"))
        found = await result(app, run.id)
        (told,) = await events(app, run.id, "remote.canceled")
        held.set()

    assert found["code"] == "deadline_exceeded" and told["told"] is False
    assert raw.methods == ["SendMessage", "ListTasks"]
