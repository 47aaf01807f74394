"""The scope of one task in one attempt: journal, record, budget, deadline and people.

Everything a gateway or a door needs to act on behalf of the task, and nothing of another one.
Facts are buffered and written in one transaction; only what must not be lost commits at once.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias

from interlock.core.canonical import Json, plain
from interlock.core.events import Draft, event_id
from interlock.core.guards import ON, Guards
from interlock.core.journal import Entry, TaskJournal, spent_on
from interlock.core.limits import Budget, Deadline
from interlock.core.policy import OWNER
from interlock.core.ports import Batch, Clock, Ledger, Move
from interlock.core.principal import Principal
from interlock.core.questions import Question, QuestionKind, question_id
from interlock.core.redaction import redact, redact_text
from interlock.core.remote_tasks import RemoteTask
from interlock.core.results import Evidence
from interlock.core.trace import span_of, trace_of, traceparent
from interlock.errors import DoorsClosed, NotBound

Suspend: TypeAlias = Callable[[Question], None]
"""Stops the graph until somebody answers; raises unless a wake-up has arrived."""


@dataclass(slots=True)
class TaskScope:
    """Owned by one execution of one task; closed when its body has returned."""

    run: str
    task: str
    attempt: int
    agent: str
    version: str
    """Digest of the agent's definition; stands in every event."""
    tools: tuple[Any, ...]
    """What the task was granted: tools and patterns."""
    principal: Principal
    fence: int | None
    ledger: Ledger
    clock: Clock
    budget: Budget
    deadline: Deadline
    suspend: Suspend
    bound: bool = True
    """False for an unbound graph, which only reads."""
    path: tuple[str, ...] = ()
    guards: Guards = ON
    drawn: "Callable[[str, str], Json] | None" = None
    """Of a replay: the time or number that a task, an operation of it, was given then; None for none."""
    fresh: bool = False
    """True where no earlier execution can have recorded anything."""
    trace: str = ""
    """The `traceparent` with which the run was asked for; empty where nobody gave one."""
    journal: TaskJournal = field(init=False)
    evidence: list[Evidence] = field(default_factory=list[Evidence])
    diverged: str = ""
    """Why a new effect was held back, even if the body swallowed it."""
    pending: Question | None = None
    """The question that stopped this execution, even if the body swallowed it."""
    _interruption: BaseException | None = None
    _drafts: list[Draft] = field(default_factory=list[Draft])
    _sent: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])
    _closed: bool = False
    _asked: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """Starts with an empty journal; `open` fills it."""
        self.journal = TaskJournal(self.run, self.task, self.attempt, enabled=self.guards.journal)

    async def open(self) -> None:
        """Reads what earlier executions of this task recorded."""
        if self.fresh:
            return
        entries = await self.ledger.load(self.run, self.task)
        self.journal.load(entries)
        self.budget.spent = self.budget.spent.plus(spent_on(entries))

    @property
    def actor(self) -> str:
        """Who acts, as events name it."""
        return f"agent:{self.agent}"

    def traceparent(self, kind: str = "task.sent", tag: str = "") -> str:
        """What an outbound call of this task carries: the span of the event the call will leave behind."""
        span = span_of(self.run, kind, self.task, self.attempt, tag)
        return traceparent(trace_of(self.run, self.trace), span)

    def check_open(self) -> None:
        """Refuses use after the task is over.

        Raises:
            DoorsClosed: if it is.
        """
        if self._closed:
            raise DoorsClosed(
                f"task {self.task!r} is over; a call after its body returned was refused. "
                "Await every call in the body."
            )

    def note(self, kind: str, body: dict[str, Any], tag: str = "") -> None:
        """Adds an event to the task's buffer; secrets are taken out before anything is stored."""
        self._drafts.append(self.draft(kind, body, tag))

    def draft(self, kind: str, body: dict[str, Any], tag: str = "") -> Draft:
        """An event of this task that is not stored yet."""
        cleaned = redact(plain({"version": self.version, **body}))
        return Draft(
            id=event_id(self.run, kind, self.task, self.attempt, tag),
            kind=kind,
            actor=self.actor,
            at=self.clock.now(),
            task=self.task,
            attempt=self.attempt,
            body=cleaned if isinstance(cleaned, dict) else {},
        )

    def tell(self, source: str, call: str, value: Json) -> None:
        """Remembers an answer as evidence of this task."""
        if all(e.digest != call or e.source != source for e in self.evidence):
            self.evidence.append(Evidence(source=source, digest=call, value=value))

    async def flush(
        self,
        *,
        drafts: Sequence[Draft] = (),
        entries: Sequence[Entry] = (),
        questions: list[Question] | None = None,
        remotes: Sequence[RemoteTask] = (),
        use_receipt: str | None = None,
        effect_key: tuple[str, str] | None = None,
        move: Move | None = None,
        then: Move | None = None,
    ) -> None:
        """Writes the buffer, and what must go with it, in one transaction.

        On an error the buffer is kept; what was handed over here is not.
        """
        async with self._lock:
            noted, self._drafts = self._drafts, []
            recorded = self.journal.drain()
            given = (drafts, entries, questions, remotes, use_receipt, effect_key, move)
            if not (noted or recorded or any(given)):
                return
            try:
                await self.ledger.commit(
                    Batch(
                        run=self.run,
                        fence=self.fence if self.guards.fencing else None,
                        drafts=[*noted, *drafts],
                        entries=[*recorded, *entries],
                        questions=questions or [],
                        remotes=list(remotes),
                        use_receipt=use_receipt,
                        effect_key=effect_key,
                        move=move,
                        then=then,
                    )
                )
            except BaseException:
                self._drafts = noted + self._drafts
                self.journal.restore(recorded)
                raise

    async def ask(
        self,
        kind: QuestionKind,
        asked: str,
        title: str,
        details: dict[str, Any],
        *,
        whom: str = OWNER,
        within_s: float = 86_400.0,
        schema: dict[str, Json] | None = None,
        nth: int = 0,
    ) -> Question:
        """Asks a person and returns the question once it is answered or has expired.

        The question is stored before the graph stops. Until it is answered this raises what
        stops the graph; the same task asking the same thing finds its answer.

        Raises:
            NotBound: in an unbound graph, which has nobody to ask.
        """
        if not self.bound:
            raise NotBound(
                f"task {self.task!r} has a question ({title}) but the graph is not bound to a database."
            )
        name = question_id(self.run, self.task, kind, asked, nth)
        question = await self.ledger.question(name)
        if question is None:
            now = self.clock.now()
            question = Question(
                id=name,
                run=self.run,
                task=self.task,
                agent=self.agent,
                kind=kind,
                digest=asked,
                title=redact_text(title),
                details=_object(redact(plain(details))),
                answer_schema=schema or {},
                whom=whom,
                asked_at=now,
                expires_at=now + timedelta(seconds=within_s),
                path=self.path,
            )
            body: dict[str, Any] = {"question": name, "kind": kind, "title": title, "whom": whom}
            body |= {"details": details, "expires_at": question.expires_at}
            self.note("question.asked", body, name)
            await self.flush(questions=[question])
        before = self.pending
        while question.state == "open" and self.clock.now() < question.expires_at:
            self.pending = question
            try:
                self.suspend(question)
            except BaseException as interruption:
                self._interruption = interruption
                raise
            question = await self.ledger.question(name) or question
        if self.pending is not None and self.pending.id == name:
            self.pending = before if before is not None and before.id != name else None
        if question.state != "answered":
            self.note("question.expired", {"question": name, "kind": kind, "title": title}, name)
        return question

    def raise_pending(self) -> None:
        """Raises again what stopped this execution, in case the body swallowed it."""
        if self._interruption is not None and self.pending is not None:
            raise self._interruption

    async def until_sent(self, sending: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
        """Runs something that must not be cut in the middle: cancelled from outside, it still finishes."""
        work = asyncio.ensure_future(sending)
        self._sent.add(work)
        work.add_done_callback(self._sent.discard)
        return await asyncio.shield(work)

    async def close(self) -> None:
        """Refuses new calls and waits for what was already sent, also while being cancelled itself."""
        self._closed = True
        canceled: asyncio.CancelledError | None = None
        while self._sent:
            try:
                await asyncio.wait(self._sent)  # gather would cancel what it waits for
            except asyncio.CancelledError as cancel:
                canceled = cancel
        if canceled is not None:
            raise canceled


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
