"""Effects: planned, sent, confirmed, or unknown until the server or a person says what happened.

`sent` is committed before the call leaves, its answer before the body sees it. What was sent
and not answered is looked up, sent again under the same key where the server honours keys, or
settled by a person. Never guessed.
"""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from interlock.core.canonical import Json, plain
from interlock.core.journal import UNDO, Entry
from interlock.core.policy import Policy, Verdict
from interlock.core.questions import Question
from interlock.core.scope import TaskScope
from interlock.core.tools import Tool
from interlock.errors import Diverged, EffectTaken, NotBound, OutcomeUnknown, ToolFailed, ToolUnavailable
from interlock.mcp.approvals import approved, decide
from interlock.mcp.calls import Call, raise_recorded, shown, told, typed
from interlock.mcp.connections import ConnectionLost
from interlock.mcp.replies import read_answer
from interlock.mcp.wire import Wire

_RESENDS = 2
_SETTLE_S = 30 * 86_400.0
_GRACE_STEPS, _GRACE_S = 40, 0.0125


class Effects:
    """The path of effects through one gateway."""

    def __init__(self, policy: Policy, wire: Wire) -> None:
        """Decides by the policy and sends over the wire."""
        self._policy = policy
        self._wire = wire

    async def perform(self, call: Call) -> Any:  # noqa: ANN401
        """Makes the effect happen at most once and returns its answer.

        Raises:
            NotBound: the graph is not bound, so nothing may be changed.
            Diverged: a re-executed body asks for something new before what it had caused.
            ToolFailed, ToolUnavailable, EffectTaken, Rejected, ToolDenied: nothing happened.
        """
        if not call.scope.bound:
            raise NotBound(
                f"{call.tool.name} changes the world, but the graph is not bound: "
                "use `interlock.bind(graph)`."
            )
        entry = call.scope.journal.recorded(call.slot, effect=True)
        if entry is None:
            entry = await self._first(call)
        elif entry.state in ("sent", "unknown"):
            entry = await self._find_out(call, entry, resends=_RESENDS)
        if entry.state == "unknown":
            entry = await self._settle(call, entry)
        return self._answer(call, entry)

    async def compensate(self, scope: TaskScope, tool: Tool[..., Any], entry: Entry) -> None:
        """Takes a confirmed effect back by the tool it declares for that.

        Raises:
            ToolFailed: it declares none, or that one refused; the effect stands.
        """
        undo = tool.compensate
        if undo is None:
            raise ToolFailed(f"{tool.name} cannot be taken back: it declares no `compensate`.")
        # Secret arguments are kept nowhere: an undo that needs one is refused, and listed.
        known = {n: v for n, v in _fields(entry.arguments).items() if n not in tool.secret}
        known |= _fields(entry.answer)
        # Two effects may be taken back by the same words; each is a call of its own.
        scope.journal.where = lambda: f"{UNDO}{entry.digest}:{entry.nth}@{entry.step}"
        call = Call.of(
            scope, undo, (), {n: known[n] for n in undo.arguments_model.model_fields if n in known}
        )
        done = scope.journal.recorded(call.slot, effect=True)
        if done is None:
            await self._wire.ready(undo)
            await self._wire.ready(undo)
            done = await self._send(call, None, Verdict(decision="allow", rule="rollback", reason="rollback"))
        elif done.state in ("sent", "unknown"):
            done = await self._find_out(call, done, resends=_RESENDS)
        self._answer(call, done)
        scope.journal.put(entry.to("compensated"))
        scope.note(
            "effect.compensated",
            {"tool": entry.operation, "by": undo.name, "call": entry.digest},
            entry.digest,
        )
        await scope.flush()

    async def _first(self, call: Call) -> Entry:
        scope = call.scope
        await self._admit(call)
        verdict = decide(self._policy, call)
        receipt = None
        if verdict.decision == "ask":
            scope.note("effect.planned", call.facts(verdict), call.tag)
            given = await approved(call, verdict)
            receipt = given.id if given else None
        # A body that swallowed its question must not act on the belief that it failed.
        scope.raise_pending()
        scope.budget.take(tool_calls=1)
        await self._wire.ready(call.tool)
        return await self._send(call, receipt, verdict)

    async def _admit(self, call: Call) -> None:
        """Holds a new effect until everything caused before was asked for again.

        Calls a body makes at the same time may arrive in another order than before, so there is a
        short grace in which the others can come.
        """
        for _ in range(_GRACE_STEPS):
            if not call.scope.journal.unclaimed():
                return
            await asyncio.sleep(_GRACE_S)
        left = ", ".join(sorted(e.operation for e in call.scope.journal.unclaimed()))
        message = (
            f"task {call.scope.task!r}, run again, asks for {call.tool.name} "
            f"with {call.tool.shown(call.arguments)} "
            f"before what it had already caused ({left}); the new call was not sent."
        )
        call.scope.diverged = message
        call.scope.note("body.diverged", call.facts(left_out=left), call.tag)
        raise Diverged(message)

    async def _send(self, call: Call, receipt: str | None, verdict: Verdict) -> Entry:
        scope, tool = call.scope, call.tool
        # Switched off, the journal shows the usual mistake: every try has a key of its own.
        key = call.key if scope.guards.journal else uuid4().hex
        entry = scope.journal.place(call.entry("effect", "sent", key=key))
        name = (tool.name, tool.effect_key(call.arguments)) if tool.effect_key else None
        facts = call.facts(verdict, key=key, receipt=receipt, effect_key=name[1] if name else None)
        draft = scope.draft("effect.sent", facts, call.tag)

        async def committed() -> Entry:
            try:
                await scope.flush(drafts=[draft], entries=[entry], use_receipt=receipt, effect_key=name)
            except EffectTaken as taken:
                return await self._store(
                    call, replace(entry, state="failed", error=told(taken)), "effect.failed"
                )
            return await self._deliver(call, scope.journal.keep(entry), resends=_RESENDS)

        return await scope.until_sent(committed())

    async def _deliver(self, call: Call, entry: Entry, resends: int) -> Entry:
        """Sends the call under its key and stores what became of it."""
        try:
            reply = await self._wire.reply(
                call.tool, call.sent(entry.key), call.meta(entry.key), max(1.0, call.scope.deadline.left())
            )
        except (TimeoutError, ConnectionLost, ToolUnavailable) as error:
            return await self._unknown(call, entry, str(error) or "it did not answer in time", resends)
        if reply.error is not None:
            definite = call.tool.refuses or (not reply.crashed and _runs_here(call.tool))
            if definite:
                failed = ToolFailed(f"{call.tool.name} refused: {reply.error}")
                return await self._store(call, entry.to("failed", error=told(failed)), "effect.failed")
            return await self._unknown(call, entry, "it answered with an error", resends)
        try:
            answer = read_answer(call.tool, reply)
        except ToolFailed as unreadable:
            return await self._unknown(call, entry, unreadable.message, resends)
        return await self._store(call, entry.to("confirmed", answer=answer), "effect.confirmed")

    async def _unknown(self, call: Call, entry: Entry, why: str, resends: int) -> Entry:
        if entry.state == "sent":
            entry = await self._store(call, entry.to("unknown"), "effect.unknown", why=why)
        return await self._look_up(call, entry, resends) or entry

    async def _find_out(self, call: Call, entry: Entry, resends: int) -> Entry:
        """Learns what became of an effect an earlier execution sent: look-up, same key, or a person."""
        if entry.state == "sent":
            entry = await self._store(call, entry.to("unknown"), "effect.unknown", why="the worker stopped")
        found = await call.scope.until_sent(self._look_up(call, entry, resends))
        return found or entry

    async def _look_up(self, call: Call, entry: Entry, resends: int) -> Entry | None:
        """What the server itself can tell; None if only a person can."""
        tool = call.tool
        if tool.lookup is not None:
            try:
                reply = await self._probe(tool.lookup, entry.key or "")
            except (TimeoutError, ConnectionLost, ToolUnavailable, ToolFailed):
                return None
            if reply is not None:
                return await self._store(
                    call, entry.to("confirmed", answer=reply), "effect.confirmed", by="look-up"
                )
        if tool.key is None or resends <= 0:
            return None
        return await self._deliver(call, entry, resends - 1)

    async def _probe(self, lookup: Tool[..., Any], key: str) -> Json:
        name = next(iter(lookup.arguments_model.model_fields))
        reply = await self._wire.reply(lookup, {name: key}, {}, lookup.timeout_s)
        return read_answer(lookup, reply)

    def _answer(self, call: Call, entry: Entry) -> Any:  # noqa: ANN401
        if entry.state == "unknown":
            raise OutcomeUnknown(f"it is not known whether {call.tool.name} happened; it was not settled.")
        if entry.error is not None:
            raise_recorded(entry.error)
        if entry.state == "compensated":
            raise ToolFailed(f"{call.tool.name} was taken back.")
        call.scope.tell(call.tool.name, call.digest, entry.answer)
        try:
            return typed(call.tool, entry.answer)
        except ValidationError as error:
            raise OutcomeUnknown(f"{call.tool.name} happened, but its answer is not known.") from error

    async def _settle(self, call: Call, entry: Entry) -> Entry:
        """Asks a person what became of an effect, and stores the answer.

        The question stays until it is answered: an unknown effect never expires into a guess.
        """
        nth = 0
        while (question := await self._did_it_happen(call, entry, nth)).state != "answered":
            nth += 1
        answer = question.answer if isinstance(question.answer, dict) else {}
        if answer.get("yes"):
            settled = entry.to("confirmed", answer=plain(answer.get("value")))
        else:
            settled = entry.to(
                "failed", error=told(ToolFailed(f"{question.answered_by} settled it: not done."))
            )
        return await self._store(call, settled, "effect.settled", by=question.answered_by)

    async def _did_it_happen(self, call: Call, entry: Entry, nth: int) -> Question:
        return await call.scope.ask(
            "settle",
            call.tag,
            f"Did this happen? {call.tool.name} with {call.tool.shown(call.arguments)}",
            {**call.facts(), "key": entry.key, "on_no": "it counts as not done"},
            within_s=_SETTLE_S,
            nth=nth,
        )

    async def _store(self, call: Call, entry: Entry, kind: str, **facts: Any) -> Entry:  # noqa: ANN401
        call.scope.journal.put(entry)
        told_answer = shown(entry.answer) if entry.state == "confirmed" else {"error": entry.error}
        call.scope.note(
            kind,
            call.facts(state=entry.state, key=entry.key, **told_answer, **facts),
            f"{call.tag}:{entry.state}",
        )
        await call.scope.flush()
        return entry


def _runs_here(tool: Tool[..., Any]) -> bool:
    return bool(getattr(tool.origin, "runs_here", False))


def _fields(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
