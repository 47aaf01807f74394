"""Small values to store, and a clock that stands still until it is told to move."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from interlock.core.events import Draft, event_id
from interlock.core.journal import Entry, EntryState
from interlock.core.principal import Principal
from interlock.core.questions import Question, QuestionKind, question_id
from interlock.core.runs import Run

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ADA = Principal.local("ada")
LEAD = Principal(user="grace", scopes=("shift-lead",))


class StillClock:
    """A clock that moves only by `pass_`."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        """The time it was set to."""
        return self.at

    def monotonic(self) -> float:
        """The same time, in seconds."""
        return self.at.timestamp()

    def pass_(self, seconds: float) -> None:
        """Lets time pass."""
        self.at += timedelta(seconds=seconds)


def new_run(run: str = "r-1", **changes: Any) -> Run:
    """A run that was just made, owned by Ada."""
    made = Run(
        id=run, graph="support", version="1", owner=ADA, session="s-1", created_at=START, updated_at=START
    )
    return made.model_copy(update=changes)


def draft(tag: str, run: str = "r-1", task: str = "t1", **changes: Any) -> Draft:
    """An event of a task; the same tag makes the same event."""
    made = Draft(
        id=event_id(run, "tool.read", task, 0, tag),
        kind="tool.read",
        actor="agent:orders",
        at=START,
        task=task,
        body={"tag": tag, "tool": "shop/latest_order"},
    )
    return made.model_copy(update=changes)


def entry(digest: str = "d1", state: EntryState = "answered", **changes: Any) -> Entry:
    """A journal entry: a read that was answered, or an effect in any other state."""
    values: dict[str, Any] = {
        "run": "r-1",
        "task": "t1",
        "attempt": 0,
        "digest": digest,
        "nth": 0,
        "kind": "read" if state == "answered" else "effect",
        "operation": "shop/latest_order" if state == "answered" else "payments/refund",
        "arguments": {"email": "ada@example.com"},
        "state": state,
        "answer": {"total": "49.90"},
        "position": 1,
    }
    return Entry(**(values | changes))


def question(kind: QuestionKind = "approve", run: str = "r-1", **changes: Any) -> Question:
    """A question to the shift lead, open for an hour."""
    made = Question(
        id=question_id(run, "t1", kind, "call-1"),
        run=run,
        task="t1",
        agent="returns",
        kind=kind,
        digest="call-1",
        title="Pay back 180.00 to Ada",
        details={
            "tool": "payments/refund",
            "call": "call-1",
            "definition": "def-1",
            "user": "ada",
            "rule": "rule-1",
            "whom": "shift-lead",
            "facts": {"amount": "180.00"},
            "within": "1h",
        },
        whom="shift-lead",
        asked_at=START,
        expires_at=START + timedelta(hours=1),
        path=("crew", "returns"),
    )
    return made.model_copy(update=changes)


def tamper(path: Path, *statements: str) -> None:
    """Changes the file behind the record's back: every trigger is dropped first."""
    connection = sqlite3.connect(path, timeout=30)
    triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


class Child:
    """A Python process that says lines and waits to be told to go on."""

    def __init__(self, code: str, *arguments: object) -> None:
        root = Path(__file__).resolve().parents[2]
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    async def line(self) -> str:
        """The next line it says."""
        assert self.process.stdout is not None
        return (await asyncio.to_thread(self.process.stdout.readline)).strip()

    def tell(self, text: str = "go") -> None:
        """Lets it go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    async def kill(self) -> None:
        """Ends it by SIGKILL: nothing in it gets to clean up."""
        self.process.kill()
        await self.end()

    async def end(self) -> int:
        """Waits for its end and closes its pipes."""
        code = await asyncio.to_thread(self.process.wait)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        return code
