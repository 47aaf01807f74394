"""Ports of what is stored for people and workers: runs and leases, questions, the record."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from interlock.core.canonical import Json
from interlock.core.events import Draft, Event, Head
from interlock.core.journal import Entry
from interlock.core.ports import Batch
from interlock.core.questions import Answer, Question, QuestionState
from interlock.core.remote_tasks import RemoteTask
from interlock.core.runs import Run, RunState


@dataclass(frozen=True, slots=True)
class Taken:
    """A run as its worker finds it."""

    run: Run
    fence: int | None
    """The fencing number of the claim; None where the run is over and was not claimed."""
    entries: tuple[Entry, ...] = ()
    """Its journal."""


class Runs(Protocol):
    """Run rows and their leases: exactly one worker advances a run."""

    async def create(self, run: Run, drafts: list[Draft]) -> Run:
        """Stores a run with its first events; a run of that id already there is returned as it is."""
        ...

    async def get(self, run: str) -> Run:
        """The run as stored.

        Raises:
            NotFound: if there is none.
        """
        ...

    async def list(self, state: RunState | None = None, limit: int = 100) -> list[Run]:
        """Newest first."""
        ...

    async def claim(self, run: str, worker: str, seconds: float) -> int:
        """Takes the lease for `seconds` and returns the new fencing number.

        Raises:
            NotFound: if there is no such run.
            RunBusy: while another worker's lease is alive.
        """
        ...

    async def take(self, run: str, worker: str, seconds: float, *, over: bool = False) -> Taken:
        """Claims a run and reads it with its journal, in one transaction.

        A run that is over is not claimed, unless `over`.

        Raises:
            NotFound, RunBusy: as `claim`.
        """
        ...

    async def renew(self, run: str, worker: str, fence: int, seconds: float) -> None:
        """Extends the lease (the heartbeat).

        Raises:
            LeaseLost: if another worker has claimed the run since.
        """
        ...

    async def release(self, run: str, worker: str, fence: int) -> None:
        """Gives the lease up; harmless if it is lost already."""
        ...


class Inbox(Protocol):
    """Questions, as people see them."""

    async def list(self, state: QuestionState | None = "open", run: str | None = None) -> list[Question]:
        """Oldest first; open questions past their expiry are shown as expired."""
        ...

    async def answer(self, answer: Answer) -> Question:
        """Accepts an answer: the question, the receipt of a yes and the event in one transaction; first wins.

        Raises:
            NotFound: if there is no such question.
            AnswerRefused: malformed, late, second or foreign; recorded, and the question stays as it is.
        """
        ...

    async def place(self, question: str, path: tuple[str, ...]) -> None:
        """Stores where in the graph a question was asked, once that is known."""
        ...


class RemoteTasks(Protocol):
    """Tasks at remote agents, as stored; the ledger writes them."""

    async def get(self, task: str) -> RemoteTask | None:
        """The row with this id; None if nothing was ever to be sent under it."""
        ...

    async def open(self, run: str) -> list[RemoteTask]:
        """What remote agents may still be working on for a run, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """One event with its body, as read back."""

    event: Event
    hash: str
    """The hash as stored; verification computes its own."""
    salt: str | None
    body: Json
    """None where it was erased."""
    erased: bool = False


class Record(Protocol):
    """The append-only record, as readers see it."""

    async def lines(self, run: str, after: int = 0) -> list[Line]:
        """The events of a run in order, from the one after `after`."""
        ...

    async def heads(self, run: str | None = None) -> list[Head]:
        """Signed ends of chains, oldest first."""
        ...

    async def end(self, run: str) -> tuple[int, str]:
        """(seq, hash) of the chain's last event, as the run's row names it; verification compares.

        Raises:
            NotFound: if there is no such run.
        """
        ...

    async def sign(self, run: str, now: datetime) -> Head:
        """Signs the present end of a run's chain; signing the same end twice is harmless."""
        ...

    async def rest(
        self, run: str, worker: str, last: Callable[[Run, list[Entry]], Batch], now: datetime
    ) -> Run:
        """Ends a segment in one transaction: its last batch, the signature, and the lease of `worker` let go.

        Args:
            run: Whose segment it is.
            worker: Who holds the lease.
            last: Makes the last batch of the run and its journal, as they stand then.
            now: When it is signed.

        Returns:
            The run as stored.

        Raises:
            LeaseLost: if the fencing number is not the run's; nothing was stored.
            RecordBroken: if the chain does not verify; all else was stored, and the lease was kept.
        """
        ...

    async def erase(self, subject: str, by: str, now: datetime) -> list[str]:
        """Removes what is stored about a person and returns the runs it touched; chains stay whole."""
        ...
