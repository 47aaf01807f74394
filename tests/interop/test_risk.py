"""The support desk's `risk` agent in four places: here, on a server of ours, at google-adk, and at crewai.

Where it runs is a setting. The desk's code is the same, and so is what comes of every ticket.
"""

import json
import re
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import interlock
from agents.ticket import Ticket
from graphs.support import graph
from interlock.core.runs import Run
from interlock.core.stores import Line
from interlock.settings import Settings
from tests.interop.environments import ROOT
from tests.interop.ours import ours
from tests.interop.processes import serving
from tools.seed import seed

LABEL = re.compile(r"RL-[0-9A-F]+")
PLACES = ("here", "interlock", "adk", "crewai")
TICKETS = ("T-007", "T-010", "T-012", "T-033", "T-034", "T-037")
"""A refund at once, one over the limit, a return with a label, two manipulations, many earlier refunds."""


def ticket(name: str) -> Ticket:
    """A case of the desk's evaluation."""
    lines = (ROOT / "evals" / "support" / "tickets.jsonl").read_text(encoding="utf-8").splitlines()
    return next(Ticket(**case["ticket"]) for case in map(json.loads, lines) if case["ticket"]["id"] == name)


@contextmanager
def placed(place: str, folder: Path) -> Generator[dict[str, str]]:
    """Runs `risk` at a place; the setting that says where it is."""
    shop = str(folder / "shop")
    if place == "here":
        yield {}
    elif place == "interlock":
        with ours(folder / "server", "agents/risk.py:risk", SHOP_DATA=shop) as server:
            yield {"risk": server.url}
    else:
        with serving(place, folder, SHOP_DATA=shop) as peer:
            yield {"risk": peer.url}


def came_of(run: Run, lines: list[Line], folder: Path) -> dict[str, Any]:
    """What came of a ticket, without what differs between any two runs: ids and times."""
    told: list[tuple[str, Any]] = [(line.event.kind, line.body) for line in lines]
    returned = [body for kind, body in told if kind == "task.returned" and body["agent"] == "risk"]
    with closing(sqlite3.connect(folder / "shop" / "payments.db")) as payments:
        paid = payments.execute("SELECT order_id, amount FROM payments WHERE kind = 'refund'").fetchall()
    return {
        "state": run.state,
        "outcome": run.outcome,
        "response": LABEL.sub("RL-...", str(run.response)),
        "levels": [body["output"]["level"] for body in returned],
        "asked": [body["title"] for kind, body in told if kind == "question.asked"],
        "paid": sorted(paid),
    }


async def outcomes(place: str, remotes: dict[str, str], folder: Path) -> tuple[dict[str, Any], list[str]]:
    """What came of each ticket in a fresh shop of its own, and where `risk` was asked from afar."""
    found: dict[str, Any] = {}
    afar: list[str] = []
    for name in TICKETS:
        shutil.copytree(folder / "seeded", folder / "shop", dirs_exist_ok=True)
        settings = Settings(
            database_url=f"sqlite:///{folder / place / f'{name}.db'}",
            key_folder=folder / "keys",
            user="olga",
            remotes=remotes,  # type: ignore[arg-type]
        )
        async with interlock.bind(graph, settings=settings) as app:
            run = await app.run(ticket(name))
            lines = list(await app.stores.record.lines(run.id))
        found[name] = came_of(run, lines, folder)
        told: list[tuple[str, Any]] = [(line.event.kind, line.body) for line in lines]
        afar += [body["url"] for kind, body in told if kind == "remote.answered"]
    return found, afar


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a shop that each ticket finds as it was at first."""
    seed(tmp_path / "seeded", date.today())
    shutil.copytree(tmp_path / "seeded", tmp_path / "shop")
    monkeypatch.setenv("SHOP_DATA", str(tmp_path / "shop"))
    return tmp_path


async def test_risk_comes_to_the_same_wherever_it_runs(shop: Path) -> None:
    """The same states, answers, questions and payments, ticket by ticket; afar it was really asked."""
    seen: dict[str, Any] = {}
    with ExitStack() as stack:
        for place in PLACES:
            remotes = stack.enter_context(placed(place, shop))
            seen[place], afar = await outcomes(place, remotes, shop)
            assert len(afar) == (0 if place == "here" else len(TICKETS)), place
            assert set(afar) == set(remotes.values())

    assert {name: each["levels"] for name, each in seen["here"].items()} == {
        "T-007": ["low"],
        "T-010": ["low"],
        "T-012": ["low"],
        "T-033": ["manipulation"],
        "T-034": ["manipulation"],
        "T-037": ["raised"],
    }
    for place in PLACES[1:]:
        assert seen[place] == seen["here"], place
