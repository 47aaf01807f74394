"""Replays a recorded run with the present code, offline: every answer comes from the record.

The run is executed anew in a database of its own, which is thrown away. Models, tools, remote
agents, people, times and random numbers answer as they did then; an effect is never sent. A call
that was never made then has no answer, and is the first difference.
"""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from interlock.a2a.place import Place
from interlock.bootstrap import Stores, servers_of
from interlock.bootstrap.bound import Bound
from interlock.core.canonical import Json, plain
from interlock.core.events import Draft, event_id
from interlock.core.guards import ON
from interlock.core.journal import Entry
from interlock.core.limits import Spend
from interlock.core.principal import Principal
from interlock.core.questions import Answer, Question
from interlock.core.runs import Run
from interlock.core.stores import Line
from interlock.errors import BadInput
from interlock.evaluation.decisions import Difference, decisions, differences
from interlock.evaluation.tape import Tape, TapeClock, TapeGateway, TapeModels, TapeRemotes, TapeWire, tape_of
from interlock.inference.minds import PromptMinds
from interlock.orchestration.context import RunContext
from interlock.persistence.remote_tasks import SqlRemoteTasks
from interlock.settings import Settings

_ROUNDS = 100
"""How often a replay goes on after answers; more than any run has."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What is kept of a run."""

    run: Run
    lines: list[Line]
    entries: list[Entry]
    questions: list[Question]

    @property
    def expired(self) -> set[str]:
        """The questions that nobody answered in time."""
        told = [line.body for line in self.lines if line.event.kind == "question.expired"]
        return {str(body.get("question")) for body in told if isinstance(body, dict)}

    @classmethod
    async def read(cls, stores: Stores, run: str) -> "Recording":
        """Reads a run.

        Raises:
            NotFound: if there is none.
            BadInput: if part of it was erased: what is not there cannot be replayed.
        """
        stored = await stores.runs.get(run)
        lines = await stores.record.lines(run)
        if any(line.erased for line in lines):
            raise BadInput(f"run {run} cannot be replayed: part of its record was erased.")
        return cls(stored, lines, await stores.ledger.load(run), await stores.inbox.list(None, run))


class Replayed(BaseModel, frozen=True, extra="forbid"):
    """What became of a replay."""

    run: str
    same: bool
    """True where no decision differs."""
    decisions: int
    """How many decisions the recorded run had."""
    differences: tuple[Difference, ...]
    """The first one first; later ones may follow from it."""
    state: str
    outcome: str | None


async def replay(
    graph: object, name: str, recording: Recording, settings: Settings, *, lenient: bool = False
) -> Replayed:
    """Executes a recorded run with the present graph and compares what is decided.

    Args:
        graph: The present graph, bound to nothing.
        name: The name its runs carry.
        recording: The run.
        settings: As the project has them; neither its database nor anything it names is used.
        lenient: A model call that was never made gets the recorded reply at its place all the same.
    """
    tape = tape_of(recording.entries, recording.lines, lenient=lenient)
    with tempfile.TemporaryDirectory(prefix="interlock-replay-") as folder:
        async with _TapeBound(graph, name, _apart(settings, Path(folder)), tape) as app:
            ended = await _play(app, recording)
            lines = await app.stores.record.lines(ended.id)
    then, now = decisions(recording.lines), decisions(lines)
    whole = recording.run.state in ("completed", "failed")
    found = differences(then, now, whole=whole)
    if whole and not found:
        found = _ends(recording, ended)
    return Replayed(
        run=recording.run.id,
        same=not found,
        decisions=len(then),
        differences=tuple(found),
        state=ended.state,
        outcome=ended.outcome,
    )


class _TapeBound(Bound):
    """A bound graph whose doors lead to a tape."""

    def __init__(self, graph: object, name: str, settings: Settings, tape: Tape) -> None:
        self.tape = tape
        self.clock = TapeClock()
        super().__init__(
            graph,
            settings=settings,
            policy=None,
            name=name,
            models=TapeModels(tape),
            servers=(),
            clock=self.clock,
            guards=ON,
        )

    def context(self, run: Run, fence: int) -> RunContext:
        """The run context of one segment, with every door on the tape."""
        made = super().context(run, fence)
        home = self._alone.name if self._alone is not None and self._alone.remote is None else ""
        remotes_at = {name: at for name, at in self._settings.remotes.items() if name != home}
        places = {name: Place(url=at.url) for name, at in remotes_at.items()}
        store = SqlRemoteTasks(self.stores.database)
        remotes = TapeRemotes(places, store=store, ledger=self.stores.ledger, clock=self.clock)
        servers = servers_of(self._settings)
        return replace(
            made,
            tools=TapeGateway(self.policy, self.clock, servers, TapeWire(self.tape)),
            minds=PromptMinds(windows=self.chosen.window),
            remotes=remotes.on(self.tape),
            drawn=self.tape.drawn,
        )


async def _play(app: _TapeBound, recording: Recording) -> Run:
    """Executes the run under its own id, so that its questions have the ids they had."""
    old, now = recording.run, app.clock.now()
    fresh: dict[str, Any] = {
        "graph": app.program.name,
        "version": app.program.version,
        "state": "created",
        "outcome": None,
        "response": None,
        "reason": "",
        "fence": 0,
        "spend": Spend(),
        "trace": "",
        "created_at": now,
        "updated_at": now,
    }
    body: dict[str, Json] = {"graph": app.program.name, "version": app.program.version, "input": old.input}
    draft = Draft(
        id=event_id(old.id, "run.created", "", 0, ""),
        kind="run.created",
        actor=f"person:{old.owner.user}",
        at=now,
        body={**body, "owner": plain(old.owner)},
    )
    run = await app.stores.runs.create(old.model_copy(update=fresh), [draft])
    given: set[str] = set()
    for _ in range(_ROUNDS):
        run = await app.engine.advance(run.id)
        if run.state not in ("waiting_for_approval", "blocked") or not await _answer(app, recording, given):
            break
    return run


async def _answer(app: _TapeBound, recording: Recording, given: set[str]) -> bool:
    """Answers the open questions as people did then; says whether any was."""
    answered = False
    for question in await app.questions(recording.run.id):
        then = _then(question, recording, given)
        if then is None:
            continue
        given.add(then.id)
        answered = True
        if then.id in recording.expired:
            app.clock.pass_by(question.expires_at)
        else:
            await app.stores.inbox.answer(_as_then(question, then))
    return answered


def _then(question: Question, recording: Recording, given: set[str]) -> Question | None:
    """The recorded question like this one: of the same id, or with the same words to the same people.

    The id of what a graph body's node asks has LangGraph's name of that node in it, which is never the same.
    """
    ended = [q for q in recording.questions if q.state == "answered" or q.id in recording.expired]
    over = [q for q in ended if q.id not in given]
    same = [q for q in over if q.id == question.id]
    return next(iter(same or [q for q in over if _words(q) == _words(question)]), None)


def _words(question: Question) -> tuple[str, str, str, str]:
    return question.task, question.kind, question.title, question.whom


def _as_then(question: Question, then: Question) -> Answer:
    """The answer that was given, by whoever gave it."""
    by = Principal.local(then.answered_by or "somebody")  # whether they might was decided then
    words = then.kind in ("clarify", "relay")
    told = then.answer if isinstance(then.answer, dict) and not words else {}
    return Answer(
        question=question.id,
        by=by,
        yes=(None if then.answer is not None else False) if words else told.get("yes") is True,
        value=then.answer if words else told.get("value"),
        comment=then.comment,
    )


def _ends(recording: Recording, ended: Run) -> list[Difference]:
    """How the run ended, where every decision on the way was the same."""
    old, new = recording.run, ended
    then: Json = {"state": old.state, "outcome": old.outcome, "response": old.response}
    now: Json = {"state": new.state, "outcome": new.outcome, "response": new.response}
    seq = recording.lines[-1].event.seq if recording.lines else 0
    different = Difference(kind="end", task="", attempt=0, seq=seq, recorded=then, now=now)
    return [] if then == now else [different]


def _apart(settings: Settings, folder: Path) -> Settings:
    """The project's settings with a database of their own, and without anything that reaches outside."""
    remotes = {name: each.model_copy(update={"token_env": ""}) for name, each in settings.remotes.items()}
    apart: dict[str, Any] = {
        "database_url": f"sqlite:///{folder / 'replay.db'}",
        "key_folder": folder / "keys",
        "remotes": remotes,
        "langfuse_public_key": "",
        "langfuse_secret_key": SecretStr(""),
        "otlp_endpoint": "",
        "prompts_from": "files",
    }
    return settings.model_copy(update=apart)
