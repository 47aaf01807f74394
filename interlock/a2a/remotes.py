"""Agents that work far away: declared as such, or placed there by the settings."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

from pydantic import BaseModel, ValidationError

from interlock.a2a.place import Place
from interlock.core.agents import AnyAgent
from interlock.core.canonical import Json, canonical, digest, plain
from interlock.core.events import Draft, event_id
from interlock.core.journal import Entry, Slot, call_digest
from interlock.core.ports import Batch, Clock, Ledger
from interlock.core.redaction import redact
from interlock.core.remote_tasks import RemoteTask, remote_key
from interlock.core.results import Degraded, Failed, GaveUp
from interlock.core.scope import TaskScope
from interlock.core.stores import RemoteTasks

if TYPE_CHECKING:
    from interlock.a2a.attempts import Attempt
    from interlock.a2a.client import Peer
    from interlock.a2a.ends import End

_log = logging.getLogger("interlock")
_LATE_S = 0.05
"""Seconds that a timer may be early."""


class A2ARemotes:
    """Implements `core.ports.Remotes`."""

    def __init__(
        self, places: Mapping[str, Place], *, store: RemoteTasks, ledger: Ledger, clock: Clock
    ) -> None:
        """Connects to nobody yet.

        Args:
            places: By the name of the agent: where it works, whatever its code says.
            store: Rows of remote tasks.
            ledger: Writes them, with the events they go with.
            clock: Dates them.
        """
        self._places = dict(places)
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._peers: dict[Place, Peer] = {}

    def performs(self, agent: AnyAgent) -> bool:
        """Says whether this agent works far away: declared so, or placed there by the settings."""
        return agent.remote is not None or bool(self._places.get(agent.name, _NOWHERE).url)

    async def work(self, agent: AnyAgent, inputs: Sequence[Any], scope: TaskScope) -> object:
        """Sends one task to its endpoint, once, and returns what came back, read but not validated.

        Out of time, the remote agent is asked to stop. Cancelled for another reason (the worker goes
        down), it goes on there, and the next execution finds it again.

        Returns:
            What `read` made of the answer; `Failed` where there is none that could be used.
        """
        scope.check_open()
        content = _content(agent, inputs)
        if isinstance(content, Failed):
            return content
        slot = scope.journal.occurrence(call_digest(_operation(agent), content))
        known = scope.journal.recorded(slot)
        if known is None:
            # The SDK takes seconds to load on a busy machine; the lease's heartbeat goes on meanwhile.
            await asyncio.to_thread(import_module, "interlock.a2a.attempts")
            attempt = self._attempt(agent, content, scope)
            end = await _in_time(attempt)
            known = scope.journal.put(_entry(scope, slot, agent, content, end))
            await scope.flush(remotes=[attempt.row])
        if known.error is not None:
            return _unanswered(known.error)
        kept = known.answer if isinstance(known.answer, dict) else {}
        scope.tell(_operation(agent), slot.digest, kept.get("said"))
        found = _read(agent, kept.get("said"))
        if kept.get("outcome") == "degraded" and not isinstance(found, Failed | GaveUp | Degraded):
            return Degraded[Any](output=found, why=f"{agent.name} says that it has less than was asked.")
        return cast("object", found)

    async def cancel(self, run: str) -> None:
        """Asks every endpoint that still works for this run to stop; harmless if none does."""
        rows = await self._store.open(run)
        await asyncio.gather(*(self._cancel(row) for row in rows))

    async def close(self) -> None:
        """Closes every connection."""
        peers, self._peers = list(self._peers.values()), {}
        for peer in peers:
            await peer.close()

    def _attempt(self, agent: AnyAgent, content: Json, scope: TaskScope) -> "Attempt":
        from interlock.a2a.attempts import Attempt

        key = remote_key(scope.run, scope.task, scope.attempt, agent.name)
        # Switched off, the journal shows the usual mistake: every try is a task of its own.
        key = key if scope.guards.journal else f"il-{uuid4().hex}"
        named = self._places.get(agent.name, _NOWHERE)  # the settings win over the code
        url = named.url or (agent.remote.url if agent.remote else "")
        row = RemoteTask(
            id=key,
            run=scope.run,
            task=scope.task,
            attempt=scope.attempt,
            agent=agent.name,
            url=url,
            content=digest(content),
            context=str(UUID(digest(key, "context")[:32])),  # some peers take nothing but a UUID
            at=scope.clock.now(),
        )
        return Attempt(agent.name, lambda at: self._peer(agent.name, at), scope, self._store, content, row)

    def _peer(self, agent: str, url: str) -> "Peer":
        """The peer at a URL; what the settings say of the agent is for the place that they name."""
        from interlock.a2a.client import Peer

        named = self._places.get(agent, _NOWHERE)
        place = replace(named, url=url) if named.url in ("", url) else Place(url)
        if place not in self._peers:
            self._peers[place] = Peer(place)
        return self._peers[place]

    async def _cancel(self, row: RemoteTask) -> None:
        from interlock.a2a.attempts import canceled, told_to_stop

        told = await told_to_stop(self._peer(row.agent, row.url), row)
        now = self._clock.now()
        draft = Draft(
            id=event_id(row.run, "remote.canceled", row.task, row.attempt, row.id),
            kind="remote.canceled",
            actor=f"agent:{row.agent}",
            at=now,
            task=row.task,
            attempt=row.attempt,
            body=canceled(row, told, "the run was canceled"),
        )
        batch = Batch(run=row.run, fence=None, drafts=[draft], remotes=[row.to("canceled", now)])
        await self._ledger.commit(batch)


_NOWHERE = Place("")


async def _in_time(attempt: "Attempt") -> "End":
    """The attempt's end; out of time, the remote agent is told so before anything else goes on."""
    loop = asyncio.get_running_loop()
    late = loop.time() + attempt.scope.deadline.left() - _LATE_S
    try:
        return await attempt.end()
    except asyncio.CancelledError:
        if loop.time() >= late:
            await attempt.scope.until_sent(attempt.stop("its time was over"))
        raise


def _operation(agent: AnyAgent) -> str:
    return f"remote:{agent.name}"


def _content(agent: AnyAgent, inputs: Sequence[Any]) -> Json | Failed:
    """What the agent is asked, without secrets."""
    try:
        if agent.remote is not None:
            said = agent.remote.ask(*inputs)
        elif len(inputs) == 1 and isinstance(inputs[0], BaseModel):
            said = inputs[0]
        else:
            said = dict(zip(agent.inputs, inputs, strict=True))
        content = redact(plain(said))
        canonical(content)
    except Exception as error:
        _log.warning("`ask` of %s raised", agent.name, exc_info=error)
        return Failed(error=f"`ask` of {agent.name} broke: {type(error).__name__}.", code="ask_error")
    if content in (None, "", [], {}):
        return Failed(error=f"`ask` of {agent.name} has nothing to say; it was not sent.", code="ask_error")
    return content


def _entry(scope: TaskScope, slot: Slot, agent: AnyAgent, content: Json, end: "End") -> Entry:
    return Entry(
        run=scope.run,
        task=scope.task,
        attempt=scope.attempt,
        digest=slot.digest,
        nth=slot.nth,
        step=slot.step,
        kind="remote",
        operation=_operation(agent),
        arguments=content,
        state="answered",
        answer={"said": end.answer, "outcome": end.outcome},
        error=end.error,
    )


def _unanswered(error: dict[str, Json]) -> Failed | GaveUp:
    code, why = str(error.get("code")), str(error.get("message"))
    if code == "gave_up":
        return GaveUp(reason=why)
    return Failed(error=why, code=code, retryable=error.get("retryable") is True)


def _read(agent: AnyAgent, answer: Json) -> object:
    """What the answer means; one that cannot be read is `Failed`, never an empty output."""
    try:
        found = agent.remote.read(answer) if agent.remote is not None else _as_output(agent, answer)
    except Exception as error:
        _log.warning("`read` of %s raised", agent.name, exc_info=error)
        why = f"the answer of {agent.name} cannot be read: {type(error).__name__}."
        return Failed(error=why, code="unreadable", retryable=True)
    if found is None:
        why = f"`read` of {agent.name} found nothing in the answer."
        return Failed(error=why, code="unreadable", retryable=True)
    return found


def _as_output(agent: AnyAgent, answer: Json) -> Json:
    """Without a `read`: the data itself, what a text holds as JSON, or the text.

    A server of ours wraps what is no model, as it wraps inputs that are none.
    """
    if isinstance(answer, str):
        with suppress(ValueError, RecursionError):
            answer = json.loads(answer)
    if isinstance(answer, dict) and set(answer) == {"output"}:
        try:
            agent.output.validate_python(answer)
        except ValidationError:
            return answer["output"]
    return answer
