"""`interlock serve` as people run it: a process that is called, killed, started again and stopped."""

import hashlib
import json
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.front import Front, fresh

front = pytest.fixture(fresh)
AGENT = '''
"""An agent that writes down what it does, and works while a file is there."""
import asyncio
from pathlib import Path

from pydantic import BaseModel
from interlock import Agent, Doors

class Note(BaseModel):
    text: str

async def work(note: Note, doors: Doors) -> Note:
    with Path("begun.txt").open("a") as book:
        book.write("begun\\n")
    while Path("slow").exists():
        await asyncio.sleep(0.02)
    return note

worker = Agent("worker", "Repeats what it is told.", run=work)
'''
HEADERS = {"Authorization": "Bearer ann-token", "A2A-Version": "1.0"}


@contextmanager
def serving(front: Front, *arguments: str) -> "Generator[tuple[subprocess.Popen[bytes], Any]]":
    """A started server and the line it printed."""
    process = front.start("serve", *arguments, "--port", "0", "--json")
    assert process.stdout is not None
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def rpc(url: str, method: str, params: dict[str, Any]) -> Any:
    """One call over JSON-RPC."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return httpx.post(f"{url}/", json=body, headers=HEADERS, timeout=60).json()["result"]


def send(url: str, text: str, **configuration: Any) -> Any:
    """Sends a message and returns its task."""
    message = {"messageId": f"m-{text}", "role": "ROLE_USER", "parts": [{"text": text}]}
    return rpc(url, "SendMessage", {"message": message, "configuration": configuration})["task"]


def until(found: Any, seconds: float = 60) -> Any:
    """Looks until there is something; fails when the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


@pytest.fixture
def agent(front: Front) -> tuple[str, ...]:
    """What is served, and who may call."""
    (front.folder / "agents").mkdir()
    front.write("agents/__init__.py", "")
    front.write("agents/worker.py", AGENT)
    digest = hashlib.sha256(b"ann-token").hexdigest()
    front.write("tokens.toml", f'[ann]\nsha256 = "{digest}"\nuser = "ann"\n')
    return ("agents/worker.py:worker", "--token-file", "tokens.toml")


def test_a_task_outlives_a_killed_server(front: Front, agent: tuple[str, ...]) -> None:
    """SIGKILL in the middle of a body; the next server takes the task up by itself and it completes."""
    slow, book = front.folder / "slow", front.folder / "begun.txt"
    slow.touch()
    with serving(front, *agent) as (process, served):
        task = send(served["url"], "hello", returnImmediately=True)
        until(book.exists)
        process.send_signal(signal.SIGKILL)
        process.wait()
    slow.unlink()
    with serving(front, *agent) as (process, served):

        def ended() -> Any:
            found = rpc(served["url"], "GetTask", {"id": task["id"]})
            return found if found["status"]["state"] == "TASK_STATE_COMPLETED" else None

        done = until(ended)
        again = send(served["url"], "hello")

    assert done["artifacts"][0]["parts"][0]["text"] == "hello"
    assert again["id"] == task["id"]
    assert book.read_text().count("begun") == 2


def test_it_stops_when_it_is_told_to(front: Front, agent: tuple[str, ...]) -> None:
    """SIGTERM ends it with 0, also while a task is at work and a stream is open; the task stays resumable."""
    (front.folder / "slow").touch()
    with serving(front, *agent) as (process, served):
        task = send(served["url"], "hello", returnImmediately=True)
        until((front.folder / "begun.txt").exists)
        body = {"jsonrpc": "2.0", "id": 1, "method": "SubscribeToTask", "params": {"id": task["id"]}}
        with httpx.stream("POST", f"{served['url']}/", json=body, headers=HEADERS, timeout=60) as stream:
            assert next(stream.iter_lines()).startswith("data:")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0

    run = front("runs", "show", task["id"], "--json").json
    assert (run.get("run") or run)["state"] == "executing"


def test_graphs_of_the_project_are_served(front: Front, agent: tuple[str, ...]) -> None:
    """Without names, what langgraph.json names is served, to those whom the settings name."""
    tokens = (front.folder / "tokens.toml").read_text().replace("[ann]", "[tool.interlock.tokens.ann]")
    front.write("pyproject.toml", tokens)
    with serving(front, "--grpc-port", "0") as (_, served):
        card = httpx.get(f"{served['url']}/.well-known/agent-card.json").json()
        task = send(served["url"], "pay")

    assert served["graphs"] == ["front"]
    assert served["grpc"].startswith("127.0.0.1:")
    assert card["name"] == "front"
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    assert card["url"] == card["supportedInterfaces"][0]["url"] == f"{served['url']}/"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "nobody could call this server"),
        (("--insecure-local", "--host", "0.0.0.0"), "loopback"),
        (("--token-file", "none.toml"), "cannot be read"),
        (("--token-file", "broken.toml"), "is not TOML"),
        (("--token-file", "wrong.toml"), "ann.sha256"),
        (("--insecure-local", "--port", "70000"), "cannot be listened on"),
        (("nobody", "--insecure-local"), "there is no graph 'nobody'"),
        (("front", "front", "--insecure-local"), "two graphs have the name 'front'"),
    ],
)
def test_what_cannot_be_served(front: Front, arguments: tuple[str, ...], told: str) -> None:
    """Every reason is one sentence, and the exit code is that of bad input."""
    front.write("broken.toml", "[ann")
    front.write("wrong.toml", '[ann]\nsha256 = "short"\nuser = "ann"\n')

    outcome = front("serve", *arguments)

    assert outcome.code == 2
    assert told in outcome.sentence


def test_a_port_that_is_taken(front: Front, agent: tuple[str, ...]) -> None:
    """A second server on the same port says so, also where only its gRPC wants it."""
    with serving(front, *agent) as (_, served):
        taken = served["url"].rsplit(":", 1)[1]
        outcome = front("serve", *agent, "--port", taken)
        grpc = front("serve", *agent, "--port", "0", "--grpc-port", taken)

    assert outcome.code == grpc.code == 2
    assert outcome.sentence == grpc.sentence
    assert f"127.0.0.1:{taken} cannot be listened on (address already in use)" in outcome.sentence
