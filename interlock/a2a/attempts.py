"""One attempt of one task at a remote agent: sent once, followed to its end, and found again after a crash.

The row is written before each message leaves and after it is known what became of it. Found as `sent`
without an id, the message may have arrived: it is sent again only to a peer that promised to take a
message id once; else the peer's list of tasks is asked, and then a person. Never guessed.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from interlock.a2a import relays
from interlock.a2a.answers import ENDED, Heard
from interlock.a2a.client import Lost, Peer, Refused, Said
from interlock.a2a.ends import End, failed, of_heard
from interlock.a2a.envelope import Envelope, write
from interlock.a2a.peer_cards import Unreached
from interlock.core.canonical import Json, canonical, digest, plain
from interlock.core.questions import question_id
from interlock.core.remote_tasks import OVER, RemoteState, RemoteTask
from interlock.core.scope import TaskScope
from interlock.core.stores import RemoteTasks
from interlock.errors import RemoteFailed

_CONNECT_AGAIN_S = (0.2, 0.8)
_LOOK_AGAIN_S = (0.0, 0.5, 1.5)
_FIRST_S, _LONGEST_S, _GRACE_S = 0.05, 2.0, 3.0
"""Seconds between two looks at a task; and for which a question that was answered may still stand there."""
_UNREADABLE = 6
_TURNS = 20
_SETTLE_S = 30 * 86_400.0
_STOP_S = 3.0
_SHOWN = 2_000


@dataclass(slots=True)
class Attempt:
    """Owned by one execution of the task; a later execution goes on where the row stands."""

    agent: str
    at: Callable[[str], Peer]
    """The peer at a URL: one that has the task already keeps it, wherever the agent is placed meanwhile."""
    scope: TaskScope
    store: RemoteTasks
    content: Json
    """What is asked: text, or anything else as data."""
    row: RemoteTask
    peer: Peer = field(init=False)
    begun: float = field(init=False)
    _unsure: bool = False
    """A message may have arrived whose answer nobody heard."""

    def __post_init__(self) -> None:
        """Takes the time."""
        self.peer = self.at(self.row.url)
        self.begun = self.scope.clock.monotonic()

    async def end(self) -> End:
        """Goes on until the task is over, and stores how it ended in the row and in the buffer."""
        stored = await self.store.get(self.row.id) if self.scope.guards.journal else None
        asked, self.row = self.row.content, stored or self.row
        self.peer = self.at(self.row.url)
        if self.row.content != asked:
            return failed(
                f"{self.agent}, run again, would ask something else than it has asked already; it was not "
                "sent. `ask` must reach its words from its inputs alone.",
                code="diverged",
            )
        self._unsure = self.row.state in ("sent", "unknown")
        if self.row.state in OVER:
            return failed(f"{self.agent} was stopped at {self.row.url}.", code="remote_canceled")
        end: End | None = None
        while end is None:
            end = await self._step()
        return end

    async def stop(self, why: str) -> None:
        """Asks the remote agent to stop, for a bounded time, and notes what came of it."""
        self.row = await self.store.get(self.row.id) or self.row
        if self.row.state in OVER or self.row.state == "planned":
            return
        told = await told_to_stop(self.peer, self.row)
        self.row = self.row.to("canceled", self.scope.clock.now())
        self.scope.note("remote.canceled", canceled(self.row, told, why), self.row.id)
        await self.scope.flush(remotes=[self.row])

    async def _step(self) -> End | None:
        """One move: send, ask our person, look, or find out; None while it is not over."""
        try:
            heard = await self._move()
        except Unreached as error:
            if await self._try_on():
                return None
            if self.row.state == "sent":
                await self._store(self.row.to("planned", self._now()))  # nothing has left
            return failed(error.message, retryable=True)
        except Refused as error:
            later = error.why == "later"
            if later and await self._try_on():
                return None
            return await self._over(failed(error.message, retryable=later))
        if isinstance(heard, End):
            return await self._over(heard)
        if heard is None:
            return None
        if heard.standing in ENDED:
            return await self._over(of_heard(heard, self.agent, self.row.url), heard)
        if heard.standing != "working":
            return await self._asked(heard)
        await self._know(heard)
        return None

    async def _try_on(self) -> bool:
        """Waits where the peer has the task or may have it: there a new attempt would be a second one."""
        if not (self.row.remote or self._unsure):
            return False
        await asyncio.sleep(_LONGEST_S)
        return True

    async def _move(self) -> Heard | End | None:
        if self.row.state == "planned":
            return await self._send(self.content, sends=self.row.sends + 1)
        if self.row.state == "asked":
            return await self._relay()
        return await self._follow() if self.row.remote else await self._find_out()

    async def _send(self, content: Json, **changes: int) -> Heard | None:
        """Sends the message of this turn; None where it is not known what became of it."""
        found = await self.peer.found()
        sent = self.row.to("sent", self._now(), peer=found.label, keyed=found.keyed, **changes)
        await self._store(sent, content)
        row = self.row
        said = Said(
            id=row.message,
            content=content,
            context=row.context,
            task=row.remote,
            metadata=write(self._envelope()),
            traceparent=self.scope.traceparent("remote.sent", self._tag()),
            seconds=self.scope.deadline.left() + 1.0,
        )
        heard: Heard | None = None
        for wait in (*_CONNECT_AGAIN_S, None):
            try:
                async with aclosing(self.peer.send(said)) as course:
                    async for heard in course:
                        if heard.standing == "working":
                            await self._know(heard)
                break
            except Unreached:
                if wait is None:
                    raise
                await asyncio.sleep(wait)
            except Lost:
                self._unsure = True
                return None
        if heard is not None and heard.standing not in ENDED:
            await self._know(heard)  # it has arrived, also where its question still stands there
        return heard

    async def _follow(self) -> Heard | End | None:
        """Looks until the task is at rest; reading changes nothing, so it is tried while there is time."""
        wait, unreadable = _FIRST_S, 0
        time = asyncio.get_running_loop().time
        grace = time() + _GRACE_S
        while True:
            seen = await self._look()
            if isinstance(seen, End) or (isinstance(seen, Heard) and not self._waits(seen)):
                return seen
            if isinstance(seen, Heard) and seen.standing != "working" and time() > grace:
                return await self._again(seen)
            unreadable = unreadable + 1 if isinstance(seen, Lost) else 0
            if isinstance(seen, Lost) and unreadable >= _UNREADABLE:
                return failed(seen.message)
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, _LONGEST_S)

    async def _look(self) -> Heard | End | Lost | None:
        """How the task stands; None where nobody answers just now, `Lost` where nobody can read it."""
        try:
            return await self.peer.read(self.row.remote)
        except Unreached:
            return None
        except Lost as error:
            return error
        except Refused as error:
            if error.why == "forgotten":
                url = self.row.url
                return failed(f"{url} does not know the task any more; what it did there is not known.")
            return None if error.why == "later" else failed(error.message)

    def _waits(self, heard: Heard) -> bool:
        """Says whether there is nothing to do but to look again."""
        if heard.standing == "working":
            return True
        answered = self.row.asked is not None and self.row.asked.get("about") == heard.about
        return answered and heard.standing not in ENDED

    async def _again(self, heard: Heard) -> Heard | None:
        """A question that was answered still stands: the answer is sent again, or it is asked again."""
        arrived = self.row.state != "sent" or self.row.message in heard.seen
        if arrived:
            return heard
        answer = await self.scope.ledger.question(
            question_id(self.scope.run, self.scope.task, "relay", f"{self.row.id}:{self.row.turn - 1}")
        )
        if answer is None or self.row.asked is None:
            return heard
        resent = await self._send(relays.answer_to(self.row.asked, answer.answer, answer.comment))
        return None if resent is None or self._waits(resent) else resent

    async def _find_out(self) -> Heard | End | None:
        """Learns whether a message arrived that got no answer."""
        if self.row.keyed:
            await asyncio.sleep(min(_FIRST_S * 2**self.row.sends, _LONGEST_S))
            return await self._send(self.content, sends=self.row.sends + 1)
        for wait in _LOOK_AGAIN_S:
            await asyncio.sleep(wait)
            with suppress(RemoteFailed):
                heard = await self.peer.find(self.row.context, self.row.id)
                if heard is not None:
                    return heard
        return await self._settle()

    async def _settle(self) -> End | None:
        """Asks a person whether the message arrived; the question stays until it is answered."""
        row, nth = self.row, 0
        if row.state != "unknown":
            await self._store(row.to("unknown", self._now()))
        title = f"Did this arrive? {self.agent} at {row.url} was sent a task and has not answered"
        details = {
            "remote": row.url,
            "context": row.context,
            "asked": self._shown(self.content),
            "why": "it was sent, no answer came back, and the remote agent cannot say whether it has it",
            "on_no": "it is sent again",
        }
        while True:
            question = await self.scope.ask(
                "settle", f"{row.id}:{row.sends}", title, details, within_s=_SETTLE_S, nth=nth
            )
            if question.state == "answered":
                break
            nth += 1
        answer = question.answer if isinstance(question.answer, dict) else {}
        if not answer.get("yes"):
            self._unsure = False
            await self._store(self.row.to("planned", self._now()))
            return None
        value = plain(answer.get("value"))
        if value is not None:
            return End(answer=value)
        return failed(
            f"{question.answered_by} settled it: {self.agent} has got the task, but its answer is not known.",
            code="outcome_unknown",
        )

    async def _asked(self, heard: Heard) -> End | None:
        await self._store(
            self.row.to(
                "asked",
                self._now(),
                remote=heard.task,
                context=heard.context or self.row.context,
                asked=relays.kept(heard),
            )
        )
        if self.row.turn < _TURNS:
            return None
        await self.stop(f"it asked {_TURNS} times")
        return await self._over(
            failed(f"{self.agent} at {self.row.url} asked {_TURNS} times; it was stopped.")
        )

    async def _relay(self) -> Heard | End | None:
        asked = self.row.asked or {}
        question = await relays.relay(self.scope, self.row)
        turn = self.row.turn + 1
        if question.state != "answered":
            return await self._refused("nobody answered what it asked")
        if asked.get("authorize"):
            if relays.said_no(question):
                return await self._refused(f"{question.answered_by} did not let it in")
            await self._store(self.row.to("working", self._now(), turn=turn))
            return None
        content = relays.answer_to(asked, question.answer, question.comment)
        heard = await self._send(content, turn=turn)
        return None if heard is None or self._waits(heard) else heard

    async def _refused(self, why: str) -> End:
        await self.stop(why)
        return failed(f"{self.agent} at {self.row.url} was stopped: {why}.", code="rejected")

    async def _know(self, heard: Heard) -> None:
        """Stores the id of the task as soon as it is known."""
        self._unsure = False
        if self.row.state == "working" and self.row.remote == heard.task:
            return
        context = heard.context or self.row.context
        await self._store(self.row.to("working", self._now(), remote=heard.task, context=context))

    async def _over(self, end: End, heard: Heard | None = None) -> End:
        """Buffers how it ended; the caller stores it together with the journal's entry."""
        state: RemoteState = end.state
        if self.row.state not in OVER:
            self.row = self.row.to(
                state, self._now(), remote=(heard.task if heard else "") or self.row.remote
            )
        told = {
            **self._facts(),
            "state": heard.standing if heard else end.code or "settled",
            "bytes": len(canonical(end.answer)),
            "digest": digest(end.answer),
            "answer": self._shown(end.answer),
            "said": end.said,
            "error": end.error,
            "seconds": round(self.scope.clock.monotonic() - self.begun, 6),
        }
        self.scope.note("remote.answered", told, self.row.id)
        return end

    async def _store(self, row: RemoteTask, content: Json = None) -> None:
        """Commits the row, and before a message leaves also what is sent."""
        self.row = row
        if row.state == "sent":
            envelope = self._envelope().model_dump(mode="json", exclude={"traceparent"})
            told = {**self._facts(), **envelope, "turn": row.turn, "sends": row.sends}
            sizes = {
                "bytes": len(canonical(content)),
                "digest": digest(content),
                "asked": self._shown(content),
            }
            self.scope.note("remote.sent", {**told, **sizes}, self._tag())
        await self.scope.flush(remotes=[row])

    def _facts(self) -> dict[str, Any]:
        row = self.row
        named = {"remote": row.agent, "url": row.url, "peer": row.peer}
        return {**named, "message": row.message, "context": row.context, "remote_task": row.remote}

    def _envelope(self) -> Envelope:
        left = self.scope.budget.left()
        return Envelope(
            deadline_ms=int(self.scope.deadline.left() * 1000),
            tokens=left.tokens,
            usd=left.usd,
            key=self.row.message,
            traceparent=self.scope.traceparent("remote.sent", self._tag()),
        )

    def _tag(self) -> str:
        return f"{self.row.message}:{self.row.sends}"

    def _shown(self, value: Json) -> Json:
        return value if len(canonical(value)) <= _SHOWN else None

    def _now(self) -> Any:  # noqa: ANN401
        return self.scope.clock.now()


async def told_to_stop(peer: Peer, row: RemoteTask) -> bool:
    """Asks a peer to stop, for a bounded time, and says whether it has heard that."""
    try:
        async with asyncio.timeout(_STOP_S):
            task = row.remote
            if not task:
                heard = await peer.find(row.context, row.id)
                task = heard.task if heard else ""
            if task:
                await peer.cancel(task)
            return bool(task)
    except (RemoteFailed, TimeoutError):
        return False


def canceled(row: RemoteTask, told: bool, why: str) -> dict[str, Any]:
    """What the record says of a task that was to stop."""
    named = {"remote": row.agent, "url": row.url, "peer": row.peer, "remote_task": row.remote}
    return {**named, "told": told, "why": why}
