"""The doors of one task, behind the `Doors` protocol: every call journaled, all calls closed on leaving."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from interlock.core.canonical import Json, canonical, plain
from interlock.core.journal import Entry, EntryKind, Slot, call_digest
from interlock.core.limits import Budget, Deadline, Limits
from interlock.core.models import ModelCall, ModelReply, Passed
from interlock.core.ports import Artifacts, Models, Tools
from interlock.core.principal import Principal
from interlock.core.redaction import redact
from interlock.core.results import Artifact, Claim
from interlock.core.scope import TaskScope
from interlock.core.tools import Tool, named
from interlock.errors import (
    BadInput,
    BudgetExceeded,
    InterlockError,
    ModelRefused,
    ModelUnavailable,
    NotBound,
    NotFound,
    Rejected,
)

_CANCELS, _CANCEL_S = 3, 0.5
"""How often, and how many seconds apart, what a body left behind is cancelled before it is left alone."""

_FAILURES: dict[str, type[InterlockError]] = {
    each.code: each for each in (BudgetExceeded, ModelRefused, ModelUnavailable)
}
"""How a recorded failure of a model is raised again."""


class TaskDoors:
    """What one execution of one body can reach; an async scope around the body."""

    def __init__(
        self,
        scope: TaskScope,
        *,
        tools: Tools,
        models: Models | None,
        artifacts: Artifacts,
        feedback: str = "",
    ) -> None:
        """Opens nothing yet; the scope must be open."""
        self.scope = scope
        self._tools = tools
        self._models = models
        self._store = artifacts
        self._feedback = feedback
        self._inside: set[asyncio.Task[Any]] = set()
        self._owner: asyncio.Task[Any] | None = None
        self.claims: list[Claim] = []
        self.artifacts: list[Artifact] = []

    async def __aenter__(self) -> Self:
        """Remembers whose task this is."""
        self._owner = asyncio.current_task()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancels calls the body left behind, and waits for those that were sent."""
        left = [task for task in self._inside if task is not self._owner and not task.done()]
        for task in left:
            task.cancel()
        closing = asyncio.ensure_future(self._close(left))
        cut: asyncio.CancelledError | None = None
        while not closing.done():
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError as cancel:
                cut = cancel  # what was sent must be known before anything else happens; its time is bounded
        if cut is not None:
            raise cut

    async def _close(self, left: list[asyncio.Task[Any]]) -> None:
        """Refuses new calls, waits for what was sent, then for the rest, but not for ever."""
        await self.scope.close()
        for _ in range(_CANCELS):
            if not (left := [task for task in left if not task.done()]):
                return
            await asyncio.wait(left, timeout=_CANCEL_S)
            for task in left:
                task.cancel()

    @property
    def principal(self) -> Principal:
        """On whose behalf the task acts."""
        return self.scope.principal

    @property
    def deadline(self) -> Deadline:
        """When the task must have stopped."""
        return self.scope.deadline

    @property
    def budget(self) -> Budget:
        """What the task may still spend."""
        return self.scope.budget

    @property
    def feedback(self) -> str:
        """Why this is not the first attempt; else empty."""
        return self._feedback

    async def call(self, tool: Tool[..., Any] | str, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Calls a tool through the gateway; see `Doors.call`."""
        task = asyncio.current_task()
        if task is not None:
            self._inside.add(task)
        return await self._tools.call(self.scope, tool, args, kwargs)

    async def ask(
        self, question: str, *, whom: str = "owner", schema: Mapping[str, Json] | None = None
    ) -> Json:
        """Asks a person; see `Doors.ask`."""
        self.scope.check_open()
        arguments: Json = {"question": question, "whom": whom}
        slot, known = self._recorded("ask", arguments)
        if known is None:
            asked = await self.scope.ask(
                "clarify",
                slot.tag,
                question,
                {"on_no": f"{self.scope.agent} is told that nobody answered."},
                whom=whom,
                schema=dict(schema) if schema else None,
            )
            if asked.state != "answered" or asked.answer is None:
                raise Rejected(f"nobody answered: {question}")
            known = self._put("answer", "ask", arguments, slot, asked.answer)
        self.scope.tell("person", slot.digest, known.answer)
        return known.answer

    async def think(
        self,
        prompt: str | ModelCall,
        *,
        model: str = "default",
        heard: Callable[[str], None] | None = None,
    ) -> ModelReply:
        """Asks a model; see `Doors.think`."""
        self.scope.check_open()
        if self._models is None:
            raise NotBound(
                f"{self.scope.agent} asks the model route {model!r}, but no models are configured."
            )
        call = ModelCall.of(prompt)
        arguments: Json = call.model_dump(mode="json", exclude_defaults=True)
        slot, known = self._recorded(f"model:{model}", arguments)
        if known is None:
            known = await self._ask_model(call, model, arguments, slot, heard)
        elif heard is not None and isinstance(known.answer, dict):
            heard(str(known.answer.get("text", "")))
        if known.error is not None:
            kind = _FAILURES.get(str(known.error.get("code")), ModelUnavailable)
            raise kind(str(known.error.get("message", "")))
        answer = dict(known.answer) if isinstance(known.answer, dict) else {}
        for ours in ("tokens", "known_usd"):
            answer.pop(ours, None)
        return ModelReply.model_validate(answer)

    async def _ask_model(
        self, call: ModelCall, route: str, arguments: Json, slot: Slot, heard: Callable[[str], None] | None
    ) -> Entry:
        """Asks the models behind a route and records what came of it, a failure included."""
        assert self._models is not None
        cleaned = redact(arguments)
        if cleaned is not arguments:  # a secret that a body knows is no business of a model
            call = ModelCall.model_validate(cleaned)
        asked: dict[str, Any] = {"route": route, "prompt": call.rendered, "prompt_version": call.prompt}
        held = self.scope.budget.reserve(model_calls=1)
        purse = self.scope.budget.share(self.scope.budget.name, Limits())  # counts what this one call costs
        begun = self.scope.clock.monotonic()
        told: Json
        error: dict[str, Json] | None = None
        try:
            reply = await self._models.reply(
                route, call, budget=purse, deadline=self.scope.deadline, heard=heard
            )
            told, error = _recordable(reply, route)
            if isinstance(told, dict) and told["usd"] is None and purse.spent.usd:
                told["known_usd"] = str(purse.spent.usd)  # somebody's price is not known, but not everybody's
        except (BadInput, BudgetExceeded, ModelUnavailable, NotFound) as failed:
            passed: Sequence[Passed] = getattr(failed, "passed", ())
            if not (isinstance(failed, ModelUnavailable) or any(each.seconds for each in passed)):
                held.release()  # nobody was asked
                raise
            error = {"code": failed.code, "message": failed.message}
            told = {"passed": [plain(each) for each in passed], **_spent(passed)}
        except BaseException as cut:
            # Nobody hears the reply, so nothing is replayed; what it cost stands under a name of its own.
            lost: Json = {"tokens": purse.spent.tokens, "usd": str(purse.spent.usd)}
            why = "the call broke" if isinstance(cut, Exception) else "nobody waited for the reply any longer"
            error = {"code": "canceled", "message": why}
            slot = self._next(f"{route}, not waited for", slot.digest)
            self._keep(asked, begun, slot, (route, cleaned, lost, error))
            raise
        entry = self._keep(asked, begun, slot, (route, cleaned, told, error))
        await self.scope.flush()  # it was paid for: a process that dies now must not pay for it again
        return entry

    def _next(self, operation: str, arguments: Json) -> Slot:
        """The first name for such a call that no execution has used."""
        slot, known = self._recorded(operation, arguments)
        while known is not None:
            slot, known = self._recorded(operation, arguments)
        return slot

    def _keep(
        self,
        asked: dict[str, Any],
        begun: float,
        slot: Slot,
        came_to: tuple[str, Json, Json, dict[str, Json] | None],
    ) -> Entry:
        """Journals what a question to a model came to, and notes it."""
        route, arguments, told, error = came_to
        if error is not None:
            asked |= {"code": error["code"], "why": error["message"]}
        kind = "model.called" if error is None else "model.failed"
        asked |= {"seconds": round(self.scope.clock.monotonic() - begun, 6)}
        entry = self._put("model", f"model:{route}", arguments, slot, told, error)
        self.scope.note(kind, {**asked, **(told if isinstance(told, dict) else {})}, slot.tag)
        return entry

    async def now(self) -> datetime:
        """The time at which the task first asked."""
        known = self._once("clock", "now", lambda: self.scope.clock.now().isoformat())
        return datetime.fromisoformat(str(known))

    async def random(self) -> float:
        """A number in [0, 1)."""
        return float(str(self._once("random", "random", random.random)))

    def claim(self, about: str, value: object, *, source: Tool[..., Any] | str) -> None:
        """States what a source says.

        Raises:
            ValueError: if JSON has no word for the value.
        """
        self.scope.check_open()
        said = redact({"about": about, "value": plain(value), "source": named(source)})
        canonical(said)  # what the record cannot keep is the body's mistake, and told to it
        self.claims.append(Claim.model_validate(said))

    async def artifact(self, name: str, data: bytes, media_type: str = "text/plain") -> Artifact:
        """Stores a file."""
        self.scope.check_open()
        made = await self._store.put(self.scope.run, name, media_type, data)
        artifact = Artifact(name=name, media_type=media_type, digest=made, size=len(data))
        if artifact not in self.artifacts:
            self.artifacts.append(artifact)
        return artifact

    def _once(self, kind: EntryKind, operation: str, make: Any) -> Json:  # noqa: ANN401
        self.scope.check_open()
        slot, known = self._recorded(operation, None)
        if known is not None:
            return known.answer
        drawn = self.scope.drawn(self.scope.task, operation) if self.scope.drawn else None
        return self._put(kind, operation, None, slot, make() if drawn is None else drawn).answer

    def _recorded(self, operation: str, arguments: Json) -> tuple[Slot, Entry | None]:
        slot = self.scope.journal.occurrence(call_digest(operation, arguments))
        return slot, self.scope.journal.recorded(slot)

    def _put(
        self,
        kind: EntryKind,
        operation: str,
        arguments: Json,
        slot: Slot,
        answer: Json,
        error: dict[str, Json] | None = None,
    ) -> Entry:
        return self.scope.journal.put(
            Entry(
                run=self.scope.run,
                task=self.scope.task,
                attempt=self.scope.attempt,
                digest=slot.digest,
                nth=slot.nth,
                step=slot.step,
                kind=kind,
                operation=operation,
                arguments=arguments,
                state="answered",
                answer=answer,
                error=error,
            )
        )


def _recordable(reply: ModelReply, route: str) -> tuple[Json, dict[str, Json] | None]:
    """A reply as the record keeps it; one that nothing can keep counts as none."""
    told = redact({**reply.model_dump(mode="json"), "tokens": reply.tokens})
    try:
        canonical(told)  # a number beyond every double, half a character
    except ValueError:
        why = f"the model behind route {route!r} replied with something that no record can hold."
        spent: Json = {"tokens": reply.tokens, "usd": None if reply.usd is None else str(reply.usd)}
        return spent, {"code": ModelUnavailable.code, "message": why}
    return told, None


def _spent(passed: Sequence[Passed]) -> dict[str, Json]:
    """What those who were asked in vain have cost."""
    usd = sum((each.usd for each in passed if each.usd is not None), Decimal(0))
    return {"tokens": sum(each.tokens for each in passed), "usd": str(usd)}
