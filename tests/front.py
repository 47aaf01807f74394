"""A project in a folder of its own, and the command line as people use it."""

import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from interlock.cli import main

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON value."""
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one line that standard error has."""
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err.strip()


@dataclass
class Front:
    """A project folder with the graph `front`."""

    folder: Path
    _patch: pytest.MonkeyPatch
    _capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Outcome:
        """Runs a command in this process."""
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._capture.readouterr()
        code = main(list(arguments))
        told = self._capture.readouterr()
        return Outcome(code, told.out, told.err)

    def start(self, *arguments: str, **env: str) -> "subprocess.Popen[bytes]":
        """Starts a command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "interlock", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def process(self, *arguments: str, stdin: bytes = b"", **env: str) -> Outcome:
        """Runs a command as a process of its own."""
        return ended(self.start(*arguments, **env), stdin)

    def ticket(self, text: str, **more: Any) -> str:
        """Writes a ticket and returns its file."""
        return self.write("ticket.json", json.dumps({"text": text, **more}))

    def write(self, name: str, text: str) -> str:
        """Writes a file of the project and returns its name."""
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def waiting(self, text: str = "pay", amount: int = 250) -> tuple[str, str]:
        """Starts a run that waits for a person and returns it with its question."""
        told = self("run", "front", "--input", self.ticket(text, amount=amount), "--json").json
        return told["run_id"], told["approvals"][0]["id"]

    @property
    def paid(self) -> list[str]:
        """The payment server's own book."""
        book = self.folder / "paid.txt"
        return book.read_text(encoding="utf-8").split() if book.exists() else []


def ended(process: "subprocess.Popen[bytes]", stdin: bytes = b"") -> Outcome:
    """What a started command left behind."""
    out, err = process.communicate(stdin, timeout=120)
    return Outcome(process.returncode, out.decode(), err.decode())


def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Front:
    """A fresh project, which is the present folder; `front = pytest.fixture(fresh)` makes it a fixture."""
    shutil.copy(ROOT / "tests" / "front_desk.py", tmp_path)
    made = Front(tmp_path, monkeypatch, capsys)
    made.write("langgraph.json", '{"graphs": {"front": "./front_desk.py:graph"}}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in os.environ if name.startswith(("INTERLOCK_", "LANGFUSE_"))]:
        monkeypatch.delenv(name)
    return made
