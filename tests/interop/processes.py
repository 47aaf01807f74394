"""Peers as processes of their own: their agents served on loopback, and their clients run once."""

import asyncio
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from tests.interop.environments import ROOT, environment

PEERS = Path(__file__).parent / "peers"
START_S = 90.0
"""How long a peer may take until it listens; the largest imports half a minute on a busy machine."""
QUIET = {
    "OTEL_SDK_DISABLED": "true",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "AGNO_TELEMETRY": "false",
    "LANGSMITH_TRACING": "false",
    "NO_PROXY": "127.0.0.1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
}
"""Peers speak to nobody but us."""


@dataclass
class Served:
    """A process that serves, until the test ends it."""

    url: str
    blocking: str
    """The same agent behind a card that does not offer streaming; empty where there is none."""
    version: str
    book: Path
    """What the scripted model did, a word a line."""
    log: Path

    def words(self) -> list[str]:
        """What the scripted model did so far."""
        return self.book.read_text(encoding="utf-8").split() if self.book.exists() else []

    async def until(self, word: str, after: int = 0, within_s: float = 20.0) -> bool:
        """Waits until the word stands behind the first `after` words; False if it does not come in time."""
        deadline = monotonic() + within_s
        while word not in self.words()[after:]:
            if monotonic() > deadline:
                return False
            await asyncio.sleep(0.05)
        return True


@dataclass(frozen=True)
class Heard:
    """What a peer's own client got from us."""

    said: str = ""
    pieces: int = 0
    question: str = ""
    error: str = ""
    log: str = field(default="", repr=False)


def python_of(name: str) -> Path:
    """The Python of a peer."""
    return environment(PEERS / f"{name}.txt")


@contextmanager
def serving(name: str, folder: Path, script: str = "", **more: str) -> Generator[Served]:
    """Serves a peer's agent while the block runs."""
    book = folder / f"{name}.book"
    env = {**QUIET, "PEER_BOOK": str(book), **more}
    command = [str(python_of(name)), str(PEERS / (script or f"{name}_serve.py"))]
    log = folder / f"{name}.log"
    with started(command, log, env, PEERS) as process:
        line = ready(process, log)
        url, blocking = (f"http://127.0.0.1:{line[n]}/" if n in line else "" for n in ("ready", "blocking"))
        yield Served(url, blocking, line["version"], book, log)


def calling(
    name: str, url: str, mode: str, text: str, answer: str = "", *, script: str = "", within_s: float = 90.0
) -> Heard:
    """Runs a peer's client once, or another script in its environment, and returns what it got."""
    script = str(PEERS / (script or f"{name}_call.py"))
    with tempfile.TemporaryDirectory() as home:
        heard = Path(home) / "heard.json"
        env = {**_inherited(), **QUIET, "HOME": home, "XDG_DATA_HOME": home, "PEER_HEARD": str(heard)}
        done = subprocess.run(
            [str(python_of(name)), script, url, mode, text, *([answer] if answer else [])],
            env=env,
            cwd=home,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
        assert heard.exists(), f"{name} said nothing: {done.stderr[-2000:]}"
        return Heard(**json.loads(heard.read_text(encoding="utf-8")), log=done.stderr)


def source(name: str, module: str) -> str:
    """The source of a module of a peer, or of every module in a package of it."""
    code = (
        "import importlib, pathlib, sys; found = pathlib.Path(importlib.import_module(sys.argv[1]).__file__);"
        "files = sorted(found.parent.rglob('*.py')) if found.name == '__init__.py' else [found];"
        "print('\\n'.join(file.read_text() for file in files))"
    )
    env = {**_inherited(), **QUIET}
    done = subprocess.run(
        [str(python_of(name)), "-c", code, module], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


@contextmanager
def started(
    command: list[str], log: Path, env: dict[str, str], cwd: Path = ROOT
) -> Generator["subprocess.Popen[bytes]"]:
    """Runs a process in a group of its own, which writes to the log; at the end that group is ended."""
    with (
        tempfile.TemporaryDirectory() as home,
        log.open("wb") as output,
        subprocess.Popen(
            command,
            env={**_inherited(), "HOME": home, **env},
            cwd=cwd,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Asks the process's group to end, and ends it where it does not."""
    for sent, within_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, sent)
            process.wait(within_s)
            return
        except ProcessLookupError:
            process.wait(within_s)
            return
        except subprocess.TimeoutExpired:
            continue


def ready(process: "subprocess.Popen[bytes]", log: Path) -> dict[str, Any]:
    """Waits for the line that says on which port the process listens."""
    deadline = monotonic() + START_S
    while monotonic() < deadline and process.poll() is None:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith('{"ready"') and line.endswith("}"):
                return json.loads(line)
        sleep(0.05)
    raise AssertionError(f"it does not listen: {log.read_text(encoding='utf-8')[-2000:]}")


def _inherited() -> dict[str, str]:
    """Our environment without what would reach into the peer's Python."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
