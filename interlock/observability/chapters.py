"""The sentences of a story: tasks and their calls, questions, the gate, the end, the numbers."""

import re
from collections.abc import Sequence

from interlock.observability.story import (
    ERASED,
    AttemptStory,
    ModelCall,
    PathStep,
    QuestionStory,
    SegmentStory,
    Story,
    TaskStory,
    ToolCall,
)
from interlock.observability.wording import count, harmless, listed, sentence, shown, span

_NOW = {
    "created": "has not begun",
    "context_loaded": "has begun",
    "planning": "is being planned",
    "executing": "is being worked on",
    "waiting_for_approval": "waits for a person",
    "blocked": "is blocked until a person says how to go on",
    "completed": "completed",
    "failed": "failed",
    "canceled": "was canceled",
    "rolled_back": "was rolled back",
}
_HOW = {
    "resolved": "the request was resolved",
    "degraded": "the answer is less than what was asked for",
    "escalated": "a person has taken over",
    "refused": "the answer was refused and did not leave",
    "gave_up": "nobody could do what was asked",
}
_ENDS = {
    "completed": "did what was asked",
    "degraded": "did less than was asked",
    "gave_up": "gave up",
    "failed": "failed",
    "": "has not returned",
    ERASED: "returned (with what, was erased)",
}
_NOTABLE = 0.01
"""Seconds of waiting that are worth a word; handing a task out takes some itself."""
_ID = re.compile(r"question q-[0-9a-f]{12}")
_UNANSWERED = {
    "expired": "Nobody answered in time.",
    "withdrawn": "Nobody had answered when it was of no use any more.",
}
_KINDS = {
    "approve": "to approve",
    "clarify": "",
    "settle": "to settle",
    "review": "to review",
    "relay": "for a remote agent",
}


def ended(story: Story) -> list[str]:
    """The end, or where the run stands."""
    how = f": {_HOW[story.outcome]}" if story.outcome in _HOW else ""
    final = story.state in ("completed", "failed", "canceled", "rolled_back")
    when = f" after {span(story.timing.total)}" if final else ""
    lines = [f"The run {_NOW.get(story.state, harmless(story.state))}{when}{how}."]
    if story.reason and story.reason != "every task completed":
        lines.append(sentence(f"The reason given: {story.reason}"))
    if story.response is not None:
        lines.append(sentence(f"The answer that was accepted: {shown(story.response, 300)}"))
    if story.delivered:
        at = span(story.delivered.after)
        lines.append(f"It was handed over by {harmless(story.delivered.tool)} after {at}.")
    return lines


def task(each: TaskStory) -> list[str]:
    """What became of one task."""
    name = harmless(each.task)
    if not each.attempts:
        return [sentence(f"{name} never began{': ' if each.why else ''}{each.why}")]
    lines: list[str] = []
    for attempt in each.attempts:
        lines += _attempt(name, attempt, len(each.attempts))
    return lines


def _attempt(name: str, attempt: AttemptStory, of: int) -> list[str]:
    which = f", attempt {attempt.number}," if of > 1 else ""
    helper = f", with {harmless(attempt.agent)} standing in," if attempt.stands_in else which
    end = _ENDS.get(attempt.status, harmless(attempt.status))
    why = f": {attempt.why}" if attempt.why else ""
    times = f"began after {span(attempt.sent_after)}, took {span(attempt.seconds)}"
    lines = [sentence(f"{name}{helper} {times} and {end}{why}")]
    told: list[str] = []
    if attempt.feedback:
        told.append(sentence(f"It was told: {attempt.feedback}"))
    told += _handed(attempt)
    told += work(attempt.tools, attempt.models, "It")
    told += _thought(attempt)
    if attempt.quarantined:
        told.append(sentence(f"Its output was kept from everybody: {attempt.quarantined}"))
    if attempt.judge is not None:
        told.append(
            sentence(f"The judge said: {attempt.judge}") if attempt.judge else "The judge was content."
        )
    if attempt.diverged:
        told.append(sentence(f"Run again, it did something else than before: {attempt.diverged}"))
    if attempt.artifacts:
        told.append(f"It made {listed(attempt.artifacts)}.")
    if attempt.executions > 1:
        told.append(
            f"It was begun {attempt.executions} times, because the run had stopped in between; what it had "
            "done before was not done again."
        )
    return lines + [f"  {sentence}" for sentence in told]


def _thought(attempt: AttemptStory) -> list[str]:
    """What its model read up, what did not fit its window, and what it says where it gave up."""
    lines = [f"Its model read the skill {listed(attempt.skills)}."] if attempt.skills else []
    fitted = attempt.fitted
    if fitted:
        room = f"of {count(fitted.tokens, 'token')} {fitted.sent_tokens} were sent"
        gone = f"{count(fitted.cut, 'answer')} cut and {count(fitted.dropped, 'message')} replaced by notes"
        calls = count(fitted.times, "call")
        lines.append(f"{calls} of its model did not fit the window: {room}, with {gone}.")
    if attempt.bypassed:
        past = listed(list(dict.fromkeys(attempt.bypassed)))
        lines.append(
            f"Its body went past its doors to {past}: what was said and spent there is not recorded."
        )
    if attempt.tried:
        lines.append(f"It had tried {listed(attempt.tried)}.")
    return [*lines, sentence(f"It would need {attempt.needs}")] if attempt.needs else lines


def _handed(attempt: AttemptStory) -> list[str]:
    parts: list[str] = []
    for given in attempt.given:
        size = f"{given.bytes} bytes" if given.bytes is not None else "by reference"
        what = f"what {listed(given.sources)} found" if given.sources else f"the {given.kind}"
        what = f"the {' '.join(given.path)} of {what}" if given.path else what
        parts.append(f"{harmless(what)} ({size})")
    lines = [f"It was given {' and '.join(parts)}."] if parts else []
    rules = dict.fromkeys(each.rule for each in attempt.omitted)
    for rule in rules:
        left = [each.task for each in attempt.omitted if each.rule == rule]
        lines.append(sentence(f"It was not given what {listed(left)} found: {rule}"))
    return lines


def work(tools: Sequence[ToolCall], models: Sequence[ModelCall], who: str) -> list[str]:
    """Calls of tools and models, each with why it was allowed and what came of it."""
    return [_tool(call, who) for call in tools] + [_model(call, who) for call in models]


def _model(call: ModelCall, who: str) -> str:
    before = f" Asked before, in vain: {listed(call.passed)}." if call.passed else ""
    took = f" in {span(call.seconds)}" if call.seconds is not None else ""
    if call.failed:
        asked = f"{who} asked the models behind {harmless(call.route)} {shown(call.prompt, 120)}{took}"
        return sentence(f"{asked}, and there was no reply: {call.failed}") + before
    tokens = (call.input_tokens or 0) + (call.output_tokens or 0)
    return (
        f"{who} asked the model {harmless(call.model)} ({count(tokens, 'token')}{took}), which replied "
        f"{shown(call.reply, 120)}.{before}"
    )


def _tool(call: ToolCall, who: str) -> str:
    name = f"a tool ({ERASED})" if call.tool == ERASED else harmless(call.tool)
    arguments = f" with {shown(call.arguments, 120)}" if call.arguments not in (None, {}) else ""
    if call.state == "denied":
        return sentence(f"{who} was not allowed to call {name}{arguments}: {call.reason}")
    rule = f" The rule: {harmless(call.reason)}." if call.reason and call.reason != ERASED else ""
    doubts = "".join(" " + sentence(f"In between, {note}") for note in call.notes)
    took = f" ({span(call.seconds)})" if call.seconds is not None else ""
    if not call.effect:
        return f"{who} asked {name}{arguments}{took}: {_result(call)}{rule}"
    how = {
        "planned": "it was not sent, because no yes has come",
        "rejected": f"{harmless(call.by) or 'a person'} said no, so it was not sent",
        "sent": "it was sent, and what became of it is not recorded",
        "confirmed": f"it happened{took}, and the answer was {_result(call)}".rstrip("."),
        "failed": f"it did not happen: {harmless(call.error) or 'no reason is recorded'}".rstrip("."),
        "unknown": "it is not known whether it happened",
        "compensated": f"it happened and was taken back by {harmless(call.by) or 'another call'}",
    }
    found = (
        f" ({harmless(call.by)} established that)"
        if call.by and call.state in ("confirmed", "failed")
        else ""
    )
    return f"{who} called {name}{arguments}: {how.get(call.state, call.state)}{found}.{rule}{doubts}"


def _result(call: ToolCall) -> str:
    if call.error and call.error != ERASED:
        return f"no answer, because {harmless(call.error).rstrip('.')}."
    if call.answer is None and call.bytes:
        return f"an answer of {call.bytes} bytes."
    return f"{shown(call.answer, 120)}."


def questions(story: Story) -> list[str]:
    """What people were asked, and what they said."""
    return [line for each in story.questions for line in _question(each)]


def _question(each: QuestionStory) -> list[str]:
    whom = {"owner": "the run's owner", ERASED: "somebody"}.get(each.whom, harmless(each.whom))
    purpose = f" {_KINDS[each.kind]}" if _KINDS.get(each.kind) else ""
    lines = [
        sentence(f"After {span(each.asked_after)}, {each.agent} asked {whom}{purpose}: {each.title}"),
    ]
    if each.why:
        lines.append("  " + sentence(f"Why it was asked: {each.why}"))
    for refused in each.refused:
        why = _ID.sub("the question", refused.why)
        lines.append("  " + sentence(f"An answer by {refused.by} was not taken: {why}"))
    if each.waited is None:
        return [*lines, f"  {_UNANSWERED.get(each.unanswered, 'Nobody has answered.')}"]
    said = {True: "yes", False: "no"}.get(each.answer) if isinstance(each.answer, bool) else None
    comment = f", saying {shown(each.comment, 120)}" if each.comment else ""
    who, answer = harmless(each.by or "Somebody"), said or shown(each.answer, 120)
    lines.append(f"  {who} answered {answer} after {span(each.waited)}{comment}.")
    lines += ["  " + sentence(f"The yes did not cover a call: {why}") for why in each.not_covered]
    return lines


def verdicts(story: Story) -> list[str]:
    """Each look of the gate at an answer."""
    said = {
        "accept": "let the answer pass",
        "revise": "sent the answer back",
        "ask": "wanted a person to look at it",
        "refuse": "refused the answer",
        ERASED: "looked at an answer (the verdict was erased)",
    }
    lines: list[str] = []
    for each in story.gate:
        gate = f"The gate of {harmless(each.within)}" if each.within else "The gate"
        who = harmless(each.reviewed_by) if each.reviewed_by else gate
        passed = [check.check for check in each.checks if not check.problem]
        checks = f" It passed the checks for {listed(passed)}." if passed else ""
        problems = " ".join(harmless(check.problem) for check in each.checks if check.problem)
        reason = f": {problems or each.reason}" if problems or each.reason else ""
        verdict = said.get(each.verdict, harmless(each.verdict))
        lines.append(sentence(f"{who} {verdict} after {span(each.after)}{reason}") + checks)
    return lines


def numbers(story: Story) -> list[str]:
    """Where time and money went."""
    timing = story.timing
    workers = len({turn.worker for turn in story.segments})
    turns = f"{count(workers, 'worker')} in {count(len(story.segments), 'turn')}"
    people = f"{span(timing.people)} was people thinking" if timing.people else "nobody was waited for"
    lines = [
        f"Time: {span(timing.total)} in all, of which {span(timing.active)} was work ({turns}); {people}."
    ]
    if timing.path:
        chain = ", then ".join(_step(step) for step in timing.path)
        lines.append(f"Longest chain: {chain}; together {span(timing.path_seconds)} of the work.")
    hops = [f"{harmless(t.task)} {span(t.seconds)}" for t in story.tasks if t.attempts]
    if hops:
        lines.append(f"Time per task: {', '.join(hops)}.")
    held = [f"{harmless(t.task)} {span(t.barrier_wait)}" for t in story.tasks if t.barrier_wait >= _NOTABLE]
    if held:
        lines.append(f"Between being ready and being handed out: {', '.join(held)}.")
    lines += [_lost(turn) for turn in story.segments[:-1] if turn.ended_after is None and not turn.state]
    spend = story.spend
    if spend:
        usd = f"{spend.usd.normalize():f}"
        lines.append(
            f"Spent: {count(spend.tool_calls, 'tool call')}, {count(spend.model_calls, 'model call')}, "
            f"{count(spend.tokens, 'token')}, {usd} USD."
        )
    lines.append(f"The record of this run has {count(story.events, 'entry')}.")
    return lines


def _step(step: PathStep) -> str:
    held = f" (after waiting {span(step.barrier_wait)})" if step.barrier_wait >= _NOTABLE else ""
    return f"{harmless(step.task)} {span(step.seconds)}{held}"


def _lost(turn: SegmentStory) -> str:
    return f"A worker stopped without a word after {span(turn.last_sign)}; another turn went on from there."
