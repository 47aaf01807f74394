"""`interlock serve` as a process of its own, with the listening graph, as peers call it."""

import json
import shutil
import sqlite3
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from tests.interop.environments import ROOT
from tests.interop.processes import started

START_S = 60.0


@dataclass
class Ours:
    """A server of ours, until the test ends it."""

    url: str
    folder: Path

    def states(self) -> list[tuple[str, str | None]]:
        """State and outcome of every stored run, oldest first."""
        database = f"file:{self.folder / 'interlock.db'}?mode=ro"
        with closing(sqlite3.connect(database, uri=True, timeout=10)) as stored:
            return stored.execute("SELECT state, outcome FROM runs ORDER BY created_at, id").fetchall()

    def book(self) -> list[str]:
        """What bodies and tools of ours wrote down."""
        path = self.folder / "listener.book"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def log(self) -> str:
        """What the server said."""
        return (self.folder / "server.log").read_text(encoding="utf-8")


@contextmanager
def ours(folder: Path, place: str = "", **env: str) -> Generator[Ours]:
    """Serves the listening graph from a project of its own, or a place of the repository."""
    folder.mkdir(parents=True, exist_ok=True)
    if not place:
        graph = Path(__file__).parent / "listener.py"
        shutil.copy(graph, folder)
        project = {"graphs": {"listening": "./listener.py:graph"}}
        (folder / "langgraph.json").write_text(json.dumps(project), encoding="utf-8")
    settings = {
        "INTERLOCK_DATABASE_URL": f"sqlite:///{folder / 'interlock.db'}",
        "INTERLOCK_KEY_FOLDER": str(folder / "keys"),
        "INTERLOCK_USER": "olga",
        "LISTENER_BOOK": str(folder / "listener.book"),
        "PYTHONPATH": str(ROOT),
        **env,
    }
    command = [sys.executable, "-m", "interlock", "serve", *([place] if place else []), "--port", "0"]
    log = folder / "server.log"
    where = ROOT if place else folder
    with started([*command, "--insecure-local", "--json"], log, settings, where) as process:
        deadline = monotonic() + START_S
        while monotonic() < deadline and process.poll() is None:
            if line := next((each for each in log.read_text().splitlines() if each.startswith("{")), ""):
                yield Ours(f"{json.loads(line)['url']}/", folder)
                return
            sleep(0.05)
        raise AssertionError(f"it does not serve: {log.read_text(encoding='utf-8')[-2000:]}")
