"""What a project reaches, as `doctor` and `graph` tell it: models, remote agents, receivers of traces."""

import json
from typing import Any

import pytest

from tests.front import Front, fresh

front = pytest.fixture(fresh)
AGENTS = '''
"""A graph whose two agents work by a prompt and elsewhere."""
from pydantic import BaseModel
from interlock import Agent, Doors, Plan, RemoteAgent, Supervisor, Task

class Note(BaseModel):
    text: str

writer = Agent("writer", "Writes.", input=Note, output=Note, prompt="writer.md", model="careful")
risk = RemoteAgent("risk", "Scores.", url="http://127.0.0.1:9", input=Note, output=Note,
                   ask=lambda note: note.text, read=lambda answer: Note(text=str(answer)))
graph = Supervisor(
    "small", request=Note, response=Note, agents=[writer, risk],
    routes=[lambda note: Plan(Task(writer, note))],
    answer=lambda note, found: note, examples=[Note(text="hello")],
).build()
'''


@pytest.fixture
def small(front: Front, monkeypatch: pytest.MonkeyPatch) -> Front:
    """The project with a graph of a prompt and a remote agent; no key of any provider is there."""
    front.write("writer.md", "You write.")
    front.write("small.py", AGENTS)
    front.write("langgraph.json", json.dumps({"graphs": {"small": "./small.py:graph"}}))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return front


def lines_of(front: Front) -> dict[str, tuple[str, str]]:
    """What was looked at -> the verdict, and what was found."""
    lines: list[dict[str, Any]] = front("doctor", "--json").json
    return {line["what"]: (line["verdict"], line["told"]) for line in lines}


def test_a_project_that_reaches_nothing_says_so(front: Front) -> None:
    """Models, remote agents and traces have a line each, also where there is none of them."""
    lines = lines_of(front)

    assert lines["models"][0] == "ok" and "INTERLOCK_MODEL" in lines["models"][1]
    assert lines["remote agents"] == ("ok", "none: every agent works here")
    assert lines["tracing"][0] == "ok" and lines["tracing"][1].startswith("off")


def test_settings_at_their_defaults_are_counted_for_people(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table shows what somebody set; the others are a number, and whole in JSON."""
    monkeypatch.setenv("INTERLOCK_USER", "ann")

    told = front("doctor").out

    assert "setting user" in told and "setting lease_s" not in told
    assert "settings have their defaults" in told
    assert lines_of(front)["setting lease_s"][1] == "3.0  (default)"


def test_agents_without_a_model_are_named(small: Front) -> None:
    """An agent that works by a prompt would give up, and the doctor says which; its script stands in."""
    without = lines_of(small)["models"]
    small.write("pyproject.toml", "[tool.interlock]\nmodel_script = 'replies.py:script'\n")
    scripted = lines_of(small)["models"]

    assert without[0] == "note" and "(writer)" in without[1]
    assert scripted[0] == "ok" and "replies.py:script" in scripted[1]


def test_each_route_says_who_is_asked(small: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models in their order, a key that is missing, and routes that nobody stands behind."""
    small.write(
        "pyproject.toml",
        "[tool.interlock.models]\n"
        "quick = [{ model = 'q', url = 'http://127.0.0.1:9/v1' }]\n"
        "slow = [{ model = 'q', url = 'http://127.0.0.1:9/v1', key_env = 'NO_KEY' }, 'openai:gpt-5']\n",
    )
    listed = lines_of(small)
    monkeypatch.setenv("INTERLOCK_MODEL", "openai:gpt-5")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    named = lines_of(small)

    assert listed["model route quick"] == ("ok", "q at http://127.0.0.1:9/v1")
    assert listed["model route slow"][0] == "problem"
    assert (
        "q at http://127.0.0.1:9/v1, then openai:gpt-5. Not usable: q: no key in NO_KEY; openai:gpt-5"
        in (listed["model route slow"][1])
    )
    assert listed["model routes"][0] == "problem" and "careful" in listed["model routes"][1]
    assert named["model route default"] == ("ok", "openai:gpt-5, and every other route")
    assert "model routes" not in named and "sk-1" not in str(named)


def test_remote_agents_are_named_with_their_places(small: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the code, those that settings move, a token that is missing, a name that nobody has."""
    in_code = lines_of(small)
    places = {"risk": {"url": "https://a.example", "token_env": "NO_TOKEN"}, "nobody": "http://127.0.0.1:9"}
    monkeypatch.setenv("INTERLOCK_REMOTES", json.dumps({**places, "writer": "http://127.0.0.1:8"}))
    moved = lines_of(small)

    assert in_code["remote agent risk"] == ("ok", "http://127.0.0.1:9  (in its code)")
    assert moved["remote agent risk"][0] == "problem" and "NO_TOKEN" in moved["remote agent risk"][1]
    assert moved["remote agent nobody"][0] == "note"
    assert moved["remote agent writer"] == ("ok", "http://127.0.0.1:8  (setting remotes)")


def test_traces_are_said_to_go_where_they_go(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Langfuse with both keys, any other receiver, and one key alone, which sends nothing."""
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-1")
    half = lines_of(front)["tracing"]
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-1")
    monkeypatch.setenv("LANGFUSE_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("INTERLOCK_OTLP_ENDPOINT", "http://127.0.0.1:8")
    whole = lines_of(front)["tracing"]

    assert half[0] == "problem" and "LANGFUSE_SECRET_KEY" in half[1]
    assert whole == (
        "ok",
        "to Langfuse at http://127.0.0.1:9 and http://127.0.0.1:8, content: redacted",
    )


def test_a_drawing_marks_prompts_and_remote_agents(small: Front) -> None:
    """An agent that works by a prompt has its version and model route, a remote one its address."""
    drawn = small("graph", "small", "--xray").out

    assert "prompt = writer@" in drawn and "model route = careful" in drawn
    assert "remote = http" in drawn and "127.0.0.1" in drawn


def test_a_setting_that_is_not_json_is_named(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor names it, and other commands stop with one sentence that does."""
    monkeypatch.setenv("INTERLOCK_REMOTES", "nonsense")

    told = front("runs", "list")

    assert lines_of(front)["settings"][0] == "problem"
    assert told.code == 2
    assert "(remotes: it is not JSON)" in told.sentence


def test_several_reasons_read_as_one_sentence(small: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in which everything failed says why each did, without full stops in the middle."""
    monkeypatch.setenv("INTERLOCK_MODEL", "bogus")
    both = AGENTS.replace("Plan(Task(writer, note))", "Plan(Task(writer, note), Task(risk, note))")
    small.write("small.py", both)

    told = small.process("run", "small.py:graph", "--input", small.ticket("hello"), "--json")

    reason = small("runs", "show", told.json["run_id"], "--json").out
    assert told.json["state"] == "failed"
    assert "; http://127.0.0.1:9 could not be reached" in reason and ".; " not in reason
