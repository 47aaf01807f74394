"""Plays the demo as `make demo` does, and reads what it said and the books it left behind."""

import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from graphs.demo.stage import ROOT
from interlock.bootstrap import Stores
from interlock.core.audit import Report, verify
from interlock.core.events import Head
from interlock.settings import Settings

PATIENCE_S = 240.0
"""A demo that takes so long hangs."""


class Played(NamedTuple):
    """One demo: what it said and the folder it left behind."""

    folder: Path
    code: int
    out: str
    err: str
    seconds: float
    act: dict[int, str]
    """Act -> what it said; 6 is the end."""


def surroundings(around: Path) -> dict[str, str]:
    """An environment in which everything a demo writes outside its folder would be seen in `around`."""
    for name in ("here", "home", "temporary"):
        (around / name).mkdir(parents=True)
    elsewhere = {name: str(around / "here" / name) for name in ("database", "keys", "shop")}
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(around / "home"),
        "TMPDIR": str(around / "temporary"),
        # Settings of the user's own, which a demo must not touch.
        "INTERLOCK_DATABASE_URL": f"sqlite:///{elsewhere['database']}",
        "INTERLOCK_KEY_FOLDER": elsewhere["keys"],
        "SHOP_DATA": elsewhere["shop"],
        "SHOP_WEATHER": '{"payments": "loses_answer"}',
        "HTTP_PROXY": "http://127.0.0.1:9",
    }


def command(*options: str) -> list[str]:
    """The demo's command."""
    return [sys.executable, "-m", "graphs.demo", *options]


def play(around: Path) -> None:
    """Plays the demo once and writes down how it went."""
    folder, environment = around / "demo", surroundings(around)
    begun = time.monotonic()
    done = subprocess.run(
        command("--keep", str(folder)),
        cwd=around / "here",
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
    )
    told = (done.returncode, done.stdout, done.stderr, time.monotonic() - begun)
    draft = around / "draft.json"
    draft.write_text(json.dumps(told))
    draft.rename(around / "played.json")


def read(around: Path) -> Played:
    """What `play` wrote down; waits for it where another process plays."""
    until = time.monotonic() + PATIENCE_S
    while not (around / "played.json").exists():
        assert time.monotonic() < until, "the process that plays the demo did not come to its end"
        time.sleep(0.1)
    code, out, err, seconds = json.loads((around / "played.json").read_text())
    parts = re.split(r"^(?=Act \d\. )", out, flags=re.MULTILINE)
    acts = {int(part[4]): part for part in parts[1:]}
    acts[6] = out.strip().splitlines()[-1]
    return Played(around / "demo", code, out, err, seconds, acts)


def rows(book: Path, query: str) -> list[Any]:
    """What a book says."""
    with closing(sqlite3.connect(book)) as db:
        return db.execute(query).fetchall()


def audit(folder: Path, name: str, *, heads: bool = True, exported_from: str = "") -> Report:
    """Verifies one of the databases that the demo kept, with the key that it signed with."""
    exported = asyncio.run(heads_in(folder, exported_from)) if exported_from else []

    async def work() -> Report:
        async with Stores.open(settings_of(folder, name)) as stores:
            runs = [run.id for run in await stores.runs.list()]
            lines = [line for run in runs for line in await stores.record.lines(run)]
            ends = {run: await stores.record.end(run) for run in runs}
            signed = await stores.record.heads() if heads else []
            return verify(lines, signed, stores.signer.check, ends=ends, exported=exported)

    return asyncio.run(work())


async def heads_in(folder: Path, name: str) -> list[Head]:
    """The signed heads in a kept database."""
    async with Stores.open(settings_of(folder, name)) as stores:
        return await stores.record.heads()


def settings_of(folder: Path, name: str) -> Settings:
    """Settings for one of the databases that the demo kept."""
    return Settings(database_url=f"sqlite:///{folder / name}", key_folder=folder / "keys")


def words(text: str) -> str:
    """A text on one line, however it was folded."""
    return " ".join(text.split())


def once(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The demo, played once also where several files and test processes have the tests; a fixture."""
    base = tmp_path_factory.getbasetemp()
    around = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "the-demo"
    with suppress(FileExistsError):
        around.mkdir()
        play(around)
    return read(around)
