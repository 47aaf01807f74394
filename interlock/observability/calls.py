"""Calls of tools and models as the record tells them; an effect's events become one call."""

from collections.abc import Iterable, Mapping
from typing import Any

from interlock.core.canonical import Json
from interlock.observability.facts import Fact, objects, of_kind, text_of
from interlock.observability.story import ModelCall, ToolCall

_EFFECTS = frozenset(
    {
        "effect.planned",
        "effect.sent",
        "effect.confirmed",
        "effect.failed",
        "effect.unknown",
        "effect.settled",
    }
)


def model_calls(facts: Iterable[Fact]) -> tuple[ModelCall, ...]:
    """The questions to models, in order."""
    return tuple(
        ModelCall(
            route=fact.text("route"),
            model=fact.text("model"),
            prompt=fact.text("prompt"),
            reply=fact.text("text"),
            input_tokens=fact.whole("input_tokens"),
            output_tokens=fact.whole("output_tokens"),
            usd=fact.maybe("usd"),
            seconds=fact.number("seconds"),
            passed=tuple(_passed(each) for each in objects(fact.value("passed"))),
            failed=fact.text("why") if fact.kind == "model.failed" else "",
            after=fact.after,
        )
        for fact in of_kind(facts, "model.called", "model.failed")
    )


def _passed(told: Mapping[str, Json]) -> str:
    """Who was asked before, and why nothing came of it."""
    return f"{text_of(told, 'model')}: {text_of(told, 'why')}"


def tool_calls(facts: Iterable[Fact]) -> list[tuple[int, ToolCall]]:
    """(attempt, call) of one task, in the order in which the calls began."""
    calls: list[_Call] = []
    asked: dict[str, str] = {}
    for fact in facts:
        if fact.kind in ("tool.read", "tool.denied"):
            calls.append(_Call(fact))
        elif fact.kind in _EFFECTS:
            _effect(calls, fact)
        elif fact.kind.startswith("remote."):
            _remote(calls, fact)
        elif fact.kind == "effect.compensated":
            _taken_back(calls, fact)
        elif fact.kind == "receipt.refused":
            for call in _open(calls, fact, "planned"):
                call.fields["notes"] += (f"an earlier yes did not cover it: {fact.text('why')}",)
        elif fact.kind == "question.asked":
            asked[fact.text("question")] = text_of(fact.part("details"), "call")
        elif fact.kind == "question.answered":
            _said_no(calls, fact, asked.get(fact.text("question"), ""))
    return [(call.attempt, ToolCall(**call.fields)) for call in calls]


class _Call:
    """A call while its events are being read."""

    def __init__(self, fact: Fact) -> None:
        self.attempt = fact.attempt
        self.call = text_of(fact.body, "call")
        effect = fact.kind in _EFFECTS
        self.fields: dict[str, Any] = {
            "tool": fact.text("tool"),
            "effect": effect,
            "arguments": fact.value("arguments"),
            "verdict": fact.note("verdict") or ("deny" if fact.kind == "tool.denied" else ""),
            "rule": fact.note("rule"),
            "reason": fact.text("reason"),
            "state": "denied" if fact.kind == "tool.denied" else "planned" if effect else "answered",
            "notes": (),
            "after": fact.after,
        }
        if not effect:
            self.learn(fact)

    @property
    def state(self) -> str:
        """How far it came."""
        return str(self.fields["state"])

    def learn(self, fact: Fact) -> None:
        """Takes over what became of it."""
        error = fact.part("error")
        told: dict[str, Any] = {
            "answer": fact.value("answer"),
            "digest": fact.maybe("digest"),
            "bytes": fact.whole("bytes"),
            "error": text_of(error, "message"),
            "seconds": fact.number("seconds"),
            "by": fact.note("by"),
        }
        self.fields |= {name: value for name, value in told.items() if value not in (None, "")}


def _effect(calls: list[_Call], fact: Fact) -> None:
    """Adds an event to the effect it belongs to, or begins a new one."""
    if fact.kind == "effect.planned":
        if not _open(calls, fact, "planned"):
            calls.append(_Call(fact))
        return
    wanted = ("planned",) if fact.kind == "effect.sent" else ("sent", "unknown", "planned")
    found = _open(calls, fact, *wanted)
    if not found:
        calls.append(_Call(fact))
    call = found[0] if found else calls[-1]
    if fact.kind == "effect.sent":
        sent: dict[str, Json] = {
            "state": "sent",
            "after": fact.after,
            "key": fact.maybe("key"),
            "receipt": fact.maybe("receipt"),
            "effect_key": fact.maybe("effect_key"),
        }
        call.fields |= sent
        return
    if fact.kind == "effect.unknown":
        call.fields["state"] = "unknown"
        call.fields["notes"] += (f"it was not known whether it happened: {fact.text('why')}",)
        return
    call.learn(fact)
    state = fact.note("state")
    call.fields["state"] = state if state in ("confirmed", "failed") else fact.kind.partition(".")[2]
    call.fields["seconds"] = round(fact.after - call.fields["after"], 6)


def _remote(calls: list[_Call], fact: Fact) -> None:
    """What a remote agent was given is one call, from its first message to its answer."""
    name = f"the remote agent {fact.text('remote')} at {fact.text('url')}"
    found = [call for call in calls if call.fields["tool"] == name and call.state == "sent"]
    if fact.kind == "remote.sent":
        if not found:
            calls.append(_Call(fact))
            asked = fact.value("asked")
            waits: dict[str, Any] = {"digest": None, "bytes": None, "error": "it has not answered"}
            calls[-1].fields |= {"tool": name, "state": "sent", "arguments": asked, **waits}
        return
    for call in found[-1:]:
        call.fields["error"] = ""
        call.learn(fact)
        if fact.kind == "remote.canceled":
            call.fields["error"] = f"it was asked to stop: {fact.text('why')}"
        call.fields["state"] = "answered"


def _said_no(calls: list[_Call], fact: Fact, name: str) -> None:
    for call in calls:
        if fact.part("answer").get("yes") is False and call.state == "planned" and call.call == name != "":
            call.fields |= {"state": "rejected", "by": fact.actor}


def _taken_back(calls: list[_Call], fact: Fact) -> None:
    done = [call for call in calls if call.state == "confirmed" and call.fields["tool"] == fact.text("tool")]
    same = [call for call in done if call.call == text_of(fact.body, "call")]
    for call in (same or done)[-1:]:
        call.fields |= {"state": "compensated", "by": fact.note("by")}


def _open(calls: list[_Call], fact: Fact, *states: str) -> list[_Call]:
    """The effects in one of these states that an event can be about, the best match first."""
    key, name = text_of(fact.body, "key"), text_of(fact.body, "call")
    fitting = [call for call in calls if call.fields["effect"] and call.state in states]
    if fact.line.erased:
        return fitting
    keyed = [call for call in fitting if key and call.fields.get("key") == key]
    return keyed or [call for call in fitting if call.call == name and not call.fields.get("key")]
