"""One call on its way through the gateway: what it is, what it is sent with, how its answer is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interlock.core.canonical import Json, canonical, digest, plain
from interlock.core.journal import Entry, Slot, call_digest, effect_token
from interlock.core.policy import Verdict
from interlock.core.redaction import redact_text
from interlock.core.scope import TaskScope
from interlock.core.tools import Tool
from interlock.errors import (
    EffectTaken,
    InterlockError,
    OutcomeUnknown,
    Rejected,
    ToolFailed,
    ToolUnavailable,
)

_SHOWN_BYTES = 2_000
_ERRORS: dict[str, type[InterlockError]] = {
    error.code: error for error in (EffectTaken, ToolFailed, ToolUnavailable, OutcomeUnknown, Rejected)
}


@dataclass(slots=True)
class Call:
    """A validated call of one tool by one task."""

    scope: TaskScope
    tool: Tool[..., Any]
    arguments: dict[str, Any]
    """By name, typed, without the key."""
    slot: Slot
    """Its name in the task's journal."""

    @classmethod
    def of(
        cls, scope: TaskScope, tool: Tool[..., Any], args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> "Call":
        """Validates the arguments and counts the occurrence."""
        values = tool.bind(*args, **kwargs)
        return cls(scope, tool, values, scope.journal.occurrence(call_digest(tool.name, values)))

    @property
    def digest(self) -> str:
        """Digest of tool and arguments; what an approval is bound to."""
        return self.slot.digest

    @property
    def tag(self) -> str:
        """Tells the events of this call from those of others."""
        return self.slot.tag

    @property
    def key(self) -> str:
        """The idempotency key: the same on every re-execution."""
        return effect_token(self.scope.run, self.scope.task, self.digest, self.slot.nth, self.slot.step)

    def sent(self, key: str | None) -> dict[str, Json]:
        """The arguments as they go to the server."""
        values = {name: plain(value) for name, value in self.arguments.items()}
        return {**values, self.tool.key: key} if self.tool.key and key else values

    def meta(self, key: str | None) -> dict[str, Json]:
        """What travels beside the arguments: remaining time, key, on whose behalf, and the trace."""
        meta: dict[str, Json] = {
            "interlock/deadline-ms": int(1000 * min(self.tool.timeout_s, self.scope.deadline.left())),
            "interlock/run": self.scope.run,
            "interlock/user": self.scope.principal.user,
            "traceparent": self.scope.traceparent("effect.sent" if key else "tool.read", self.tag),
        }
        return {**meta, "interlock/key": key} if key else meta

    def entry(self, kind: str, state: str, **more: Any) -> Entry:  # noqa: ANN401
        """A journal entry of this call."""
        return Entry(
            run=self.scope.run,
            task=self.scope.task,
            attempt=0 if kind == "effect" else self.scope.attempt,
            digest=self.digest,
            nth=self.slot.nth,
            step=self.slot.step,
            kind=kind,  # pyright: ignore[reportArgumentType]
            operation=self.tool.name,
            arguments=self.tool.shown(self.arguments),
            state=state,  # pyright: ignore[reportArgumentType]
            definition=self.tool.definition,
            **more,
        )

    def facts(self, verdict: Verdict | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        """What every event about this call says."""
        body: dict[str, Any] = {
            "tool": self.tool.name,
            "arguments": self.tool.shown(self.arguments),
            "call": self.digest,
            "definition": self.tool.definition,
            "user": self.scope.principal.user,
        }
        if verdict is not None:
            body |= {"verdict": verdict.decision, "rule": verdict.rule, "reason": verdict.reason}
            body["policy"] = verdict.policy
        return {**body, **more}


def typed(tool: Tool[..., Any], answer: Json) -> Any:  # noqa: ANN401
    """The recorded answer as the tool's return type."""
    return tool.returns.validate_python(answer)


def shown(answer: Json) -> dict[str, Json]:
    """An answer as events carry it: whole when small, else its digest and size."""
    data = canonical(answer)
    told: dict[str, Json] = {"digest": digest(answer, "answer"), "bytes": len(data)}
    return {**told, "answer": answer} if len(data) <= _SHOWN_BYTES else told


def raise_recorded(error: Mapping[str, Json]) -> None:
    """Raises a recorded error again.

    Raises:
        InterlockError: of the recorded code.
    """
    raise _ERRORS.get(str(error.get("code")), ToolFailed)(str(error.get("message", "")))


def told(error: InterlockError) -> dict[str, Json]:
    """An error as the journal keeps it, without secrets."""
    return {"code": error.code, "message": redact_text(error.message)}
