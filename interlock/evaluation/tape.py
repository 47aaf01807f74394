"""The recorded traffic of a run, and doors that answer from it: nothing behind them is real."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from interlock.a2a.ends import End
from interlock.a2a.remotes import A2ARemotes
from interlock.core.agents import AnyAgent
from interlock.core.canonical import Json, canonical, digest, plain
from interlock.core.journal import UNDO, Entry
from interlock.core.limits import Budget, Deadline
from interlock.core.models import ModelCall, ModelReply
from interlock.core.policy import Policy
from interlock.core.ports import Clock, SystemClock
from interlock.core.redaction import redact
from interlock.core.scope import TaskScope
from interlock.core.stores import Line
from interlock.core.tools import Tool
from interlock.errors import (
    EffectTaken,
    InterlockError,
    ModelRefused,
    ModelUnavailable,
    OutcomeUnknown,
    ToolFailed,
    ToolUnavailable,
)
from interlock.mcp.connections import ConnectionLost
from interlock.mcp.gateway import Gateway
from interlock.mcp.replies import Reply
from interlock.mcp.servers import ToolServer
from interlock.mcp.wire import Wire

_TASK: ContextVar[str] = ContextVar("task of a replayed call", default="")
_NOTHING = "nothing like it is recorded, and a replay calls nobody"


@dataclass(slots=True)
class Tape:
    """The answers of one run, each given once; calls are found by what they ask, then by their task."""

    entries: Sequence[Entry]
    lenient: bool = False
    """Whether a model call that was never made gets the next reply of its route all the same."""
    sent: frozenset[tuple[str, int, str]] = frozenset()
    """Task, attempt and remote agent of each message that left then; some reach nobody and never leave."""
    _left: dict[tuple[str, bytes], list[Entry]] = field(default_factory=dict[tuple[str, bytes], list[Entry]])
    _drawn: dict[tuple[str, str], list[Entry]] = field(default_factory=dict[tuple[str, str], list[Entry]])

    def __post_init__(self) -> None:
        """Sorts the entries by what was asked."""
        left: dict[tuple[str, bytes], list[Entry]] = defaultdict(list)
        drawn: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for entry in self.entries:
            if entry.kind in ("clock", "random"):
                drawn[entry.task, entry.operation].append(entry)
            elif entry.kind in ("read", "effect", "model", "remote") and not entry.step.startswith(UNDO):
                left[entry.operation, _asked(entry.arguments)].append(entry)
        self._left, self._drawn = dict(left), dict(drawn)

    def take(self, operation: str, arguments: object) -> Entry | None:
        """The recorded call like this one: of the same task where there is one, else of any."""
        same = self._left.get((operation, _asked(arguments)), [])
        if not same:
            return None
        found = next((entry for entry in same if entry.task == _TASK.get()), same[0])
        same.remove(found)
        return found

    def next_of(self, operation: str) -> Entry | None:
        """The next recorded call of an operation, whatever it asked; for lenient replays alone."""
        if not self.lenient:
            return None
        left = [entry for (name, _), same in self._left.items() if name == operation for entry in same]
        order = [entry for entry in self.entries if entry in left]
        found = next((entry for entry in order if entry.task == _TASK.get()), next(iter(order), None))
        if found is not None:
            self._left[operation, _asked(found.arguments)].remove(found)
        return found

    def drawn(self, task: str, operation: str) -> Json:
        """The time or random number that a task was given then; None where it was given no more."""
        left = self._drawn.get((task, operation), [])
        return left.pop(0).answer if left else None


def _asked(arguments: object) -> bytes:
    return canonical(redact(plain(arguments)))


class TapeClock:
    """The machine's clock, moved on where a recorded question ran out of time."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Starts at the present."""
        self._clock = clock or SystemClock()
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The wall clock, moved on."""
        return self._clock.now() + self._ahead

    def monotonic(self) -> float:
        """As the machine's."""
        return self._clock.monotonic()

    def pass_by(self, moment: datetime) -> None:
        """Moves on to just after a moment."""
        self._ahead += max(timedelta(), moment - self.now()) + timedelta(seconds=1)


class TapeWire(Wire):
    """A wire that is connected to nobody."""

    def __init__(self, tape: Tape) -> None:
        """Answers from the tape."""
        super().__init__()
        self._tape = tape

    async def ready(self, tool: Tool[..., Any]) -> None:
        """Nobody has to be reached."""

    async def reply(
        self, tool: Tool[..., Any], arguments: Mapping[str, Json], meta: Mapping[str, Json], left_s: float
    ) -> Reply:
        """The recorded answer, or the recorded error."""
        asked = tool.shown({name: value for name, value in arguments.items() if name != tool.key})
        found = self._tape.take(tool.name, asked)
        if found is None:
            raise ToolUnavailable(f"{tool.name} was not called: {_NOTHING}.")
        if found.state in ("sent", "unknown"):
            raise ConnectionLost("it was not known then either")
        if found.error is None:
            return Reply(_readable(tool, found))
        code, message = str(found.error.get("code")), str(found.error.get("message"))
        if found.kind == "effect" and code == ToolFailed.code and _refused_here(tool):
            return Reply(None, error=message.removeprefix(f"{tool.name} refused: "))
        raise _ERRORS.get(code, ToolFailed)(message)


_ERRORS: dict[str, type[InterlockError]] = {
    error.code: error for error in (EffectTaken, OutcomeUnknown, ToolFailed, ToolUnavailable)
}


def _readable(tool: Tool[..., Any], found: Entry) -> Json:
    """The recorded answer; one that a person settled and nobody could read is not known now either."""
    try:
        tool.returns.validate_python(found.answer)
    except ValueError as error:
        if found.kind == "effect":
            raise OutcomeUnknown(f"{tool.name} happened, but its answer is not known.") from error
    return found.answer


def _refused_here(tool: Tool[..., Any]) -> bool:
    return tool.refuses or bool(getattr(tool.origin, "runs_here", False))


class TapeGateway(Gateway):
    """The gateway with all its rules, over a wire that is connected to nobody."""

    def __init__(self, policy: Policy, clock: Clock, servers: Sequence[ToolServer], wire: TapeWire) -> None:
        """Takes the present policy."""
        super().__init__(policy, clock, servers, wire)
        self._parts: tuple[Clock, Sequence[ToolServer], TapeWire] = clock, servers, wire

    async def call(
        self,
        scope: TaskScope,
        tool: Tool[..., Any] | str,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> Any:  # noqa: ANN401
        """Makes one governed call, which is answered from the tape."""
        _TASK.set(scope.task)
        return await super().call(scope, tool, args, kwargs)

    def under(self, policy: Policy) -> "TapeGateway":
        """The same, governed by another policy."""
        return TapeGateway(policy, *self._parts)


class TapeModels:
    """The `Models` port, answered from the tape."""

    def __init__(self, tape: Tape) -> None:
        """Answers from the tape."""
        self._tape = tape
        self._tasks = {f"task {entry.task!r}": entry.task for entry in tape.entries}

    async def reply(
        self,
        route: str,
        call: ModelCall,
        *,
        budget: Budget,
        deadline: Deadline,
        heard: Callable[[str], None] | None = None,
    ) -> ModelReply:
        """The recorded reply, or the recorded failure.

        Raises:
            ModelUnavailable: then as now; or because the call was never made.
        """
        _TASK.set(self._tasks.get(budget.name, ""))  # who asks is told by whose budget pays
        operation = f"model:{route}"
        asked = plain(call.model_dump(mode="json", exclude_defaults=True))
        found = self._tape.take(operation, asked) or self._tape.next_of(operation)
        if found is None:
            raise ModelRefused(f"the model was not asked: {_NOTHING}.")
        if found.error is not None:
            kind = ModelUnavailable if found.error.get("code") == ModelUnavailable.code else ModelRefused
            raise kind(str(found.error.get("message", "")))
        answer = {**cast("dict[str, Json]", found.answer)}
        answer.pop("tokens", None)
        reply = ModelReply.model_validate(answer)
        budget.charge(tokens=reply.tokens, **({"usd": reply.usd} if reply.usd is not None else {}))
        if heard is not None:
            heard(reply.text)
        return reply


class TapeRemotes(A2ARemotes):
    """Remote agents, answered from the tape."""

    def on(self, tape: Tape) -> "TapeRemotes":
        """Answers from this tape."""
        self._tape = tape
        return self

    def _attempt(self, agent: AnyAgent, content: Json, scope: TaskScope) -> Any:  # noqa: ANN401
        made = super()._attempt(agent, content, scope)
        return _Answered(self._tape, agent.name, content, scope, made.row)


@dataclass(slots=True)
class _Answered:
    """One attempt at a remote agent, as far as `A2ARemotes` looks at it."""

    tape: Tape
    agent: str
    content: Json
    scope: TaskScope
    row: Any

    async def end(self) -> End:
        """How it ended then."""
        _TASK.set(self.scope.task)
        found = self.tape.take(f"remote:{self.agent}", self.content)
        if found is None or (found.task, found.attempt, self.agent) in self.tape.sent:
            told = {"remote": self.agent, "digest": digest(self.content), "asked": self.content}
            self.scope.note("remote.sent", told, self.row.id)
        if found is None:
            return End(code="remote_failed", why=f"{self.agent} was not asked: {_NOTHING}.", state="failed")
        error = found.error or {}
        kept = found.answer if isinstance(found.answer, dict) else {}
        # An answer is kept with the outcome that our own servers tell beside it.
        wrapped = set(kept) == {"said", "outcome"}
        more: dict[str, Any] = {"outcome": kept["outcome"]} if wrapped else {}
        return End(
            **more,
            answer=kept["said"] if wrapped else found.answer,
            code=str(error.get("code", "")),
            why=str(error.get("message", "")),
            retryable=error.get("retryable") is True,
            state="failed" if error else "answered",
        )

    async def stop(self, why: str) -> None:
        """Nobody has to be stopped."""


def tape_of(entries: Iterable[Entry], lines: Iterable[Line], *, lenient: bool) -> Tape:
    """The tape of a run's journal, in the order of the calls; its record says which messages left."""
    order = sorted(entries, key=lambda entry: (entry.attempt, entry.position))
    sent = {
        (line.event.task, line.event.attempt, str(line.body.get("remote")))
        for line in lines
        if line.event.kind == "remote.sent" and isinstance(line.body, dict)
    }
    return Tape(order, lenient, frozenset(sent))
