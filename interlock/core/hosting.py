"""What a protocol sees of a server: one hosted graph, its runs, and whoever is calling.

A protocol's room knows nothing of bootstrap or workers; the server hands it a `Hosting`.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from interlock.core.canonical import Json
from interlock.core.limits import Limits
from interlock.core.policy import OWNER
from interlock.core.principal import Principal
from interlock.core.questions import Answer, Question
from interlock.core.runs import FINAL, Run

Phase: TypeAlias = Literal["submitted", "working", "asks", "waits", "done", "failed", "canceled", "refused"]
"""Where a run is, as a caller cares: `asks` the caller, `waits` for somebody else."""
ENDED: frozenset[Phase] = frozenset({"done", "failed", "canceled", "refused"})
"""Phases that a run never leaves."""
RESTING: frozenset[Phase] = ENDED | frozenset[Phase]({"asks", "waits"})
"""Phases in which nothing moves until a person does something."""
_ENDS: dict[str, Phase] = {"failed": "failed", "canceled": "canceled", "rolled_back": "canceled"}


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered to callers, as its card shows it."""

    name: str
    description: str
    version: str
    request: Mapping[str, Json]
    """JSON Schema of a request; empty where the graph takes anything."""
    response: Mapping[str, Json]
    """JSON Schema of a response; empty where it is not declared."""
    examples: tuple[Json, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """A run as one caller may see it."""

    run: Run
    seq: int
    """The last event of the record that is in it."""
    asked: tuple[Question, ...]
    """Open questions that the caller may answer."""
    elsewhere: tuple[Question, ...]
    """Open questions that others must answer."""
    closed: tuple[Question, ...]
    """Questions to the caller that are answered, or not asked any more, oldest first."""
    own: bool
    """False for somebody who may answer a question of the run, or did, and sees no more of it than that."""
    stuck: bool = False
    """True where this server cannot go on with it, and an operator has to look."""
    moving: bool = False
    """True while this server is advancing it, or is about to."""

    @property
    def phase(self) -> Phase:
        """Where the run is, for this caller."""
        state = self.run.state
        if state == "completed":
            return self._completed()
        if state in FINAL:
            return _ENDS[state]
        if state in ("waiting_for_approval", "blocked"):
            return self._resting()
        if self.stuck:
            return "waits"
        return "submitted" if state == "created" else "working"

    def _completed(self) -> Phase:
        if self.run.response is None and self.run.outcome == "refused":
            return "refused"
        return "failed" if self.run.response is None and self.run.outcome == "gave_up" else "done"

    def _resting(self) -> Phase:
        if self.asked:
            return "asks"
        if self.elsewhere or self.stuck:
            return "waits"
        # Without an open question an answer has arrived that the next segment acts on.
        return "waits" if self.run.state == "blocked" and not self.moving else "working"


def may_answer(who: Principal, question: Question, owner: str) -> bool:
    """Says whether somebody is asked by a question of this owner's run."""
    return who.owns(owner) if question.whom == OWNER else who.holds(question.whom)


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a run while it is followed."""

    seq: int
    at: datetime
    words: str | None
    """What happened, in our own words; None where it is not worth telling."""
    moved: bool
    """True where the run's state changed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs a caller wants listed, newest change first."""

    session: str | None = None
    phase: Phase | None = None
    changed_after: datetime | None = None
    size: int = 50
    after: tuple[str, str] | None = None
    """The place of the last run of the page before, as `Page.next` gave it."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    views: tuple[View, ...]
    total: int
    next: tuple[str, str] | None
    """Where the next page begins; None at the end."""


class Hosting(Protocol):
    """One hosted graph."""

    @property
    def offer(self) -> Offer:
        """What is offered."""
        ...

    @property
    def graph(self) -> str:
        """The name that its runs carry in the database."""
        ...

    async def start(
        self,
        request: Json,
        who: Principal,
        *,
        key: str,
        session: str | None = None,
        limits: Limits | None = None,
        trace: str = "",
    ) -> str:
        """Starts a run in the background and returns its id; the same key of the same person is one run.

        Raises:
            SchemaViolation, BadInput: it is no request of this graph, the key was used for another one, or
                the session is somebody else's; nothing was started.
        """
        ...

    async def view(self, run: str, who: Principal) -> View:
        """The run as it stands.

        Raises:
            NotFound: there is none, or it is not theirs.
        """
        ...

    async def list(self, who: Principal, wanted: Wanted) -> Page:
        """Their own runs."""
        ...

    async def answer(self, answer: Answer) -> None:
        """Answers a question and goes on with its run in the background.

        Raises:
            NotFound, AnswerRefused: the question is as it was.
        """
        ...

    async def heard(self, run: str, message: str) -> bool:
        """Says whether a message of this id was taken for a run."""
        ...

    async def hear(self, run: str, message: str) -> None:
        """Notes that a message was taken, so that it is not taken twice."""
        ...

    async def cancel(self, run: str, who: Principal) -> View:
        """Stops a run, whether it moves or waits.

        Raises:
            NotFound: it is not theirs.
            WrongState: it has ended already.
            RunBusy: another process is advancing it.
        """
        ...

    async def settled(self, run: str, who: Principal) -> View:
        """Waits until the run has ended or only people can move it; giving up waiting stops nothing."""
        ...

    def follow(self, run: str, after: int, *, to_end: bool) -> AsyncGenerator[Step]:
        """What is recorded after event `after`, as it happens.

        Ends when the run has ended and, unless `to_end`, also when only people can move it.
        """
        ...


CALLER = "interlock.caller"
"""The key under which the identity door leaves the caller beside a request."""


class Identify(Protocol):
    """The door before every request: who is calling."""

    def __call__(self, authorization: str | None) -> Principal | None:
        """The person behind an `Authorization` header; None where nobody is known by it."""
        ...
