"""Every face of the command line, by the program's own table: gated ones emit only what the gate accepted."""

import json
from collections.abc import Iterator

import httpx
import pytest
import typer.main
from typer import Typer

from interlock.cli import app
from interlock.cli.faces import FACES
from tests.front import Front, fresh

front = pytest.fixture(fresh)
CANARY = "CANARY"


def commands(group: Typer, path: str = "") -> Iterator[str]:
    """The full names of a program's commands."""
    for command in group.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        yield f"{path}{name}"
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            yield from commands(inner.typer_instance, f"{path}{inner.name} ")


def over_mcp(front: Front, *texts: str) -> str:
    """All that an MCP server of ours says on standard output while it works on tickets."""
    client = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    said = [{"id": 0, "method": "initialize", "params": client}, {"method": "notifications/initialized"}]
    calls = [{"name": "front", "arguments": {"text": text}} for text in texts]
    said += [{"id": n, "method": "tools/call", "params": call} for n, call in enumerate(calls, 1)]
    server, heard = front.start("mcp", "front"), b""
    with server:
        assert server.stdin is not None
        assert server.stdout is not None
        for message in said:
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            server.stdin.flush()
            heard += server.stdout.readline() if "id" in message else b""
        server.stdin.close()
        heard += server.stdout.read()
    assert heard.count(b"(run r-") + heard.count(b"nothing") > 0
    return heard.decode()


def over_a2a(front: Front, *texts: str) -> str:
    """All that an A2A server of ours says, and prints, while it works on tickets."""
    server = front.start("serve", "front", "--insecure-local", "--port", "0", "--json")
    with server:
        assert server.stdout is not None
        heard = server.stdout.readline().decode()
        url, headers = json.loads(heard)["url"], {"A2A-Version": "1.0"}
        for number, text in enumerate(texts):
            parts = {"messageId": f"m-{number}", "role": "ROLE_USER", "parts": [{"text": text}]}
            for path in ("message:send", "message:stream"):
                answer = httpx.post(f"{url}/{path}", json={"message": parts}, headers=headers, timeout=60)
                heard += answer.text
        heard += httpx.get(f"{url}/tasks?includeArtifacts=true", headers=headers).text
        server.terminate()
        heard += server.stdout.read().decode()
    assert heard.count("TASK_STATE_") > len(texts)
    return heard


def test_every_command_is_in_the_table() -> None:
    """A command that is added without saying what it shows fails here."""
    assert set(commands(app)) == set(FACES)
    assert typer.main.get_command(app).name == "interlock"


def test_gated_faces_show_nothing_ungated(front: Front) -> None:
    """Drafts, reasons and refused responses of agents reach no gated command's standard output."""
    draft, nothing = front.ticket("murmur"), front.write("none.json", '{"text": "murmur nothing"}')
    waiting, question = front.waiting("both")
    answers = [q["id"] for q in front("approvals", "list", "--json").json if q["kind"] == "clarify"]
    seen: dict[str, list[str]] = {
        "run": [
            front("run", "front", "--input", draft).out,
            front("run", "front", "--input", draft, "--json").out,
            front("run", "front", "--input", nothing).out,
            front("run", "front", "--input", nothing, "--json").out,
        ]
    }
    ended = front("run", "front", "--input", nothing, "--json").json["run_id"]
    seen["runs resume"] = [front("runs", "resume", ended).out]
    seen["approvals approve"] = [front("approvals", "approve", question).out]
    seen["approvals reject"] = [front("approvals", "reject", answers[0]).out]
    seen["effects settle"] = [front("effects", "settle", "q-unknown", "--happened").out]
    seen["mcp"] = [over_mcp(front, "murmur", "murmur nothing")]
    seen["serve"] = [over_a2a(front, "murmur", "murmur nothing", "murmur both")]
    seen["runs cancel"] = [front("runs", "cancel", front.waiting()[0]).out]

    assert set(seen) == {name for name, shows in FACES.items() if shows == "gated"}
    assert [name for name, outs in seen.items() if any(CANARY in out for out in outs)] == []
    assert CANARY in front("runs", "show", ended).out
    assert CANARY in front("explain", ended).out
    assert waiting in front("runs", "list").out
