"""Which models a bound graph thinks with: what the settings name, or a script where they name none."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from interlock import Agent, Doors, bind
from interlock.bootstrap.models import routes_of, script_of
from interlock.errors import BadInput
from interlock.inference.routes import Price
from interlock.settings import load
from interlock.testing import ModelServer
from tests.desk import Ticket, settings
from tests.front import Front, fresh
from tests.integration.test_routed_chat import Done, supervised

front = pytest.fixture(fresh)

SCRIPT = """
def script(asked):
    return f"a script heard: {asked.text}"

replies = ["only one"]
"""


async def think(ticket: Ticket, doors: Doors) -> Done:
    """Thinks once, by a route that nobody configured."""
    return Done(text=(await doors.think(ticket.text, model="careful")).text)


async def test_without_any_model_a_script_answers_and_says_so(tmp_path: Path) -> None:
    """No key and no network: the script of the settings answers over a real server on loopback."""
    (tmp_path / "script.py").write_text(SCRIPT)
    place = f"{tmp_path / 'script.py'}:script"
    graph = supervised(Agent("coded", "Works.", run=think))
    async with bind(graph, settings=settings(tmp_path, model_script=place)) as app:
        before = app.chosen.news()
        run = await app.run(Ticket(text="hello"))
        news = [app.chosen.news(), app.chosen.news()]

    assert "a script heard: hello" in str(run.response)
    assert [before, *news] == ["", "model: scripted (no key found)", ""]
    assert run.spend.model_calls == 1 and run.spend.usd == 0


async def test_without_a_script_the_error_says_what_to_set(tmp_path: Path) -> None:
    """A reply that nobody wrote is not made up."""

    async def plan(ticket: Ticket, doors: Doors) -> Done:
        from interlock.core.models import Message, ModelCall

        asked = (Message(speaker="user", content=ticket.text),)
        schema: dict[str, Any] = Done.model_json_schema()
        return Done(text=(await doors.think(ModelCall(messages=asked, answer_schema=schema))).text)

    graph = supervised(Agent("coded", "Works.", run=plan))
    async with bind(graph, settings=settings(tmp_path, model_script="")) as app:
        run = await app.run(Ticket(text="hello"))
        words = str([line.body for line in await app.stores.record.lines(run.id)])

    assert "no model is configured: set INTERLOCK_MODEL" in words


async def test_one_model_stands_behind_every_route(tmp_path: Path) -> None:
    """`model` and `model_url` are enough to think with a server of one's own; its key is sent to it."""
    async with ModelServer(["a real one"], key="k-2") as server:
        given = settings(tmp_path, model="mine", model_url=server.url)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("INTERLOCK_MODEL_KEY", "k-2")
            graph = supervised(Agent("coded", "Works.", run=think))
            async with bind(graph, settings=given) as app:
                run = await app.run(Ticket(text="hello"))
                news = app.chosen.news()

    assert "a real one" in str(run.response) and news == ""
    assert server.book[0].model == "mine"


def test_routes_are_read_from_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of names or tables; the model of the environment wins over the project's default."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERLOCK_MODEL", "openai:gpt-4o")
    monkeypatch.setenv("PROXY_KEY", "k-3")
    (tmp_path / "pyproject.toml").write_text(
        """
        [tool.interlock.models]
        default = ["openai:gpt-4o-mini"]
        careful = [
            "openai:gpt-4o",
            { model = "big", url = "http://127.0.0.1:4000/v1", key_env = "PROXY_KEY" },
        ]

        [[tool.interlock.models.fast]]
        model = "small"
        url = "http://127.0.0.1:4000/v1"
        price = { input = "0.1", output = "0.4" }
        """
    )

    routes = routes_of(load())

    assert [each.model for each in routes["careful"]] == ["openai:gpt-4o", "big"]
    assert routes["careful"][1].key == "k-3" and "k-3" not in repr(routes)
    assert routes["fast"][0].price == Price(Decimal("0.1"), Decimal("0.4"))
    assert [each.model for each in routes["default"]] == ["openai:gpt-4o"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"model_url": "http://127.0.0.1:1/v1"}, "name it with `model`"),
        ({"model_url": "127.0.0.1:1", "model": "x"}, "model_url"),
        ({"models": {"fast": [{"url": "http://x/v1"}]}}, "models.fast.0.model"),
        ({"models": {"fast": [{"model": "x", "price": {"input": -1, "output": 0}}]}}, "price.input"),
        ({"models": {"fast": [{"model": "x", "temprature": 1}]}}, "temprature"),
    ],
)
def test_settings_that_cannot_be_used_are_named(given: dict[str, Any], told: str) -> None:
    """The sentence names the setting."""
    with pytest.raises(BadInput, match=told):
        load(**given)


@pytest.mark.parametrize("place", ["script.py", "nowhere.py:script", "broken.py:script", "script.py:other"])
def test_a_script_that_cannot_be_found_is_named(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong place, a file that breaks, or a name that is not in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "broken.py").write_text("raise RuntimeError('boom')")

    with pytest.raises(BadInput, match=r"model.script"):
        script_of(place)


def test_the_command_line_says_that_a_script_answered(front: Front) -> None:
    """One line on standard error, beside the result; nothing where no model was asked."""
    front.write("script.py", SCRIPT)
    front.write("pyproject.toml", '[tool.interlock]\nmodel_script = "script.py:script"\n')
    front.write("thinking.py", THINKING)
    graphs = {"front": "./front_desk.py:graph", "thinking": "./thinking.py:graph"}
    front.write("langgraph.json", json.dumps({"graphs": graphs}))

    told = front("run", "thinking", "--input", front.ticket("hello"), "--json")
    silent = front("run", "front", "--input", front.ticket("pay", amount=250), "--json")

    assert "a script heard: hello" in told.json["response"]["text"]
    assert told.err == "model: scripted (no key found)\n"
    assert "model:" not in silent.err


THINKING = '''
"""A graph that thinks."""

from pydantic import BaseModel

from interlock import Agent, Doors, Findings, Plan, Supervisor, Task


class Ticket(BaseModel):
    """A request."""

    text: str


class Reply(BaseModel):
    """A response."""

    text: str


async def think(ticket: Ticket, doors: Doors) -> Reply:
    """Thinks."""
    return Reply(text=(await doors.think(ticket.text)).text)


thinker = Agent("thinker", "Thinks.", run=think)


def always(ticket: Ticket) -> Plan | None:
    """Every ticket."""
    return Plan(Task(thinker, ticket))


def answer(ticket: Ticket, findings: Findings) -> Reply:
    """What was thought."""
    return findings.get(thinker)[0]


graph = Supervisor(
    "thinking", request=Ticket, response=Reply, agents=[thinker], routes=[always], answer=answer,
    examples=[Ticket(text="x")],
).build()
'''


async def test_a_prompt_body_without_a_model_gives_up_and_says_why(tmp_path: Path) -> None:
    """The default script does not make anything up."""
    (tmp_path / "finder.md").write_text("Find the parcel.")
    agent = Agent("finder", "Finds.", input=Ticket, output=Done, prompt=tmp_path / "finder.md")
    async with bind(supervised(agent), settings=settings(tmp_path, model_script="")) as app:
        run = await app.run(Ticket(text="hello"))

    assert "no model is configured" in run.reason + str(run.response)
    assert app.chosen.scripted
