"""One line of progress for an event, in our own words.

Names, verdicts, durations and counts only: results, drafts, arguments and reasons were not through
the gate, so none of their text may stand here.
"""

import re
from collections.abc import Callable, Mapping
from typing import cast

from interlock.core.canonical import Json
from interlock.observability.wording import count, span

Body = Mapping[str, Json]
_NAME = re.compile(r"[\w.@+-]+(?:[/:][\w.@+-]+)*")
_LONGEST = 80


def tell(event_kind: str, actor: str, task: str, body: object) -> str | None:
    """What happened, as a short line without a result in it; None where it is not worth a line."""
    say = _LINES.get(event_kind)
    if say is None or not isinstance(body, Mapping):
        return None
    who = _name(task) if task else _name(actor.partition(":")[2] or actor)
    return say(who, _name(actor.partition(":")[2] or actor), cast("Body", body))


def _name(value: object) -> str:
    """A name as it is; anything that is not one is not shown."""
    text = value if isinstance(value, str) else ""
    return text if len(text) <= _LONGEST and _NAME.fullmatch(text) else "(unnamed)"


def _took(body: Body) -> str:
    seconds = body.get("seconds")
    return f" in {span(float(seconds))}" if isinstance(seconds, int | float) else ""


def _one_of(value: Json, words: Mapping[str, str], otherwise: str) -> str:
    return words.get(value, otherwise) if isinstance(value, str) else otherwise


def _created(who: str, actor: str, body: Body) -> str:
    return f"{_name(body.get('graph'))}: started for {actor}"


def _moved(who: str, actor: str, body: Body) -> str | None:
    words = {
        "waiting_for_approval": "waiting for a person",
        "blocked": "blocked: a person has to say how to go on",
        "completed": "completed",
        "failed": "failed",
        "canceled": "canceled",
        "rolled_back": "rolled back",
    }
    told = _one_of(body.get("to"), words, "")
    outcomes = {name: name.replace("_", " ") for name in _OUTCOMES}
    outcome = _one_of(body.get("outcome"), outcomes, "")
    return f"run: {told}{f' ({outcome})' if outcome else ''}" if told else None


def _route(who: str, actor: str, body: Body) -> str:
    came_to = body.get("came_to")
    told = _one_of(
        came_to, {"chosen": "chosen", "does not apply": "does not apply", "gave up": "gave up"}, "rejected"
    )
    return f"route {_name(body.get('route'))}: {told}"


def _plan(who: str, actor: str, body: Body) -> str:
    plan = body.get("plan")
    tasks = plan.get("tasks") if isinstance(plan, Mapping) else None
    names = (
        [_name(task.get("id")) for task in tasks if isinstance(task, Mapping)]
        if isinstance(tasks, list)
        else []
    )
    return f"plan: {', '.join(names) or 'made'}"


def _sent(who: str, actor: str, body: Body) -> str:
    return f"{who}: {actor} stands in" if body.get("stands_in") else f"{who}: begun"


def _returned(who: str, actor: str, body: Body) -> str:
    words = {"completed": "done", "degraded": "partly done", "gave_up": "gave up", "failed": "failed"}
    return f"{who}: {_one_of(body.get('status'), words, 'returned')}{_took(body)}"


def _read(who: str, actor: str, body: Body) -> str:
    # The name of a tool that was called by name and does not exist is the body's own text.
    return (
        f"{who}: a tool gave no answer"
        if body.get("error")
        else f"{who}: asked {_name(body.get('tool'))}{_took(body)}"
    )


def _effect(words: str) -> "Say":
    return lambda who, actor, body: f"{who}: {_name(body.get('tool'))} {words}"


def _says(words: str) -> "Say":
    return lambda who, actor, body: f"{who}: {words}"


def _model(who: str, actor: str, body: Body) -> str:
    tokens = body.get("tokens")
    told = f" ({count(tokens, 'token')})" if isinstance(tokens, int) else ""
    return f"{who}: asked a model{told}{_took(body)}"


def _remote_answered(who: str, actor: str, body: Body) -> str:
    return f"{who}: its remote agent {'gave no answer' if body.get('error') else 'answered'}{_took(body)}"


def _question(who: str, actor: str, body: Body) -> str:
    return f"{who}: asked {_name(body.get('whom') or 'owner')} ({_name(body.get('question'))})"


def _answered(who: str, actor: str, body: Body) -> str:
    answer = body.get("answer")
    yes = answer.get("yes") if isinstance(answer, Mapping) else None
    return f"{who}: {actor} answered{' yes' if yes is True else ' no' if yes is False else ''}"


def _conflict(who: str, actor: str, body: Body) -> str:
    told = body.get("resolution")
    resolution = told if isinstance(told, Mapping) else {}
    if resolution.get("winner"):
        return f"sources disagreed: rule {_name(resolution.get('rule'))} decided"
    return "sources disagreed: no rule could decide"


def _judged(who: str, actor: str, body: Body) -> str:
    return f"{who}: the judge {'wants it better' if body.get('judge') else 'is content'}"


def _gate(who: str, actor: str, body: Body) -> str:
    words = {"accept": "accepted", "revise": "sent back", "ask": "needs a person", "refuse": "refused"}
    checks = body.get("checks")
    failed = (
        [_check(c) for c in checks if isinstance(c, Mapping) and c.get("problem")]
        if isinstance(checks, list)
        else []
    )
    why = f" (not content: {', '.join(failed)})" if failed else ""
    return f"gate: {_one_of(body.get('verdict'), words, 'looked')}{why}"


def _check(check: Body) -> str:
    return _name(str(check.get("check")).replace(" ", "-")).replace("-", " ")


def _delivered(who: str, actor: str, body: Body) -> str:
    return f"response: handed over by {_name(body.get('tool'))}"


_OUTCOMES = ("resolved", "degraded", "escalated", "refused", "gave_up")
Say = Callable[[str, str, Body], str | None]
_LINES: dict[str, Say] = {
    "run.created": _created,
    "run.moved": _moved,
    "route.tried": _route,
    "plan.made": _plan,
    "plan.rejected": lambda who, actor, body: f"route {_name(body.get('route'))}: its plan does not fit",
    "task.sent": _sent,
    "task.returned": _returned,
    "task.invalid": _says("its output did not have its schema and was set aside"),
    "body.diverged": _says("did something else when run again"),
    "tool.read": _read,
    "tool.denied": _says("a call was not allowed"),
    "effect.planned": _effect("needs a yes"),
    "effect.sent": _effect("sent"),
    "effect.confirmed": _effect("happened"),
    "effect.failed": _effect("did not happen"),
    "effect.unknown": _effect("may or may not have happened"),
    "effect.settled": _effect("was settled by a person"),
    "effect.compensated": _effect("was taken back"),
    "model.called": _model,
    "model.failed": _says("no model answered"),
    "remote.sent": _says("asked its remote agent"),
    "remote.answered": _remote_answered,
    "remote.canceled": _says("told its remote agent to stop"),
    "question.asked": _question,
    "question.answered": _answered,
    "answer.refused": lambda who, actor, body: f"{who}: an answer by {actor} was not taken",
    "receipt.refused": _says("a yes did not cover the call"),
    "conflict.decided": _conflict,
    "reflection.judged": _judged,
    "gate.checked": _gate,
    "response.delivered": _delivered,
}
