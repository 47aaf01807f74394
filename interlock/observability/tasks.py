"""Tasks and their attempts as the record tells them."""

from collections.abc import Iterable, Mapping, Sequence

from interlock.observability.calls import model_calls, tool_calls
from interlock.observability.facts import Fact, of_kind, text_of, words
from interlock.observability.story import (
    AttemptStory,
    FittedStory,
    Given,
    ModelCall,
    Omitted,
    PlanMade,
    QuestionStory,
    SegmentStory,
    TaskStory,
    ToolCall,
)
from interlock.observability.timing import active, barrier_wait, needs_of, thinking, worked


def task_stories(
    facts: Sequence[Fact],
    plan: PlanMade | None,
    questions: Sequence[QuestionStory],
    turns: Sequence[SegmentStory],
) -> tuple[tuple[TaskStory, ...], tuple[ToolCall, ...], tuple[ModelCall, ...]]:
    """The tasks in the plan's order; and the calls that belong to no task but to the supervisor."""
    sent = list(of_kind(facts, "task.sent"))
    names = list(
        dict.fromkeys((*(step.task for step in plan.tasks if plan), *(f.task for f in sent)))
        if plan
        else dict.fromkeys(f.task for f in sent)
    )
    by_task = {name: [f for f in facts if f.task == name] for name in names}
    loose = [f for f in facts if f.task not in by_task]
    desk_tools = [call for _, call in tool_calls(loose)]
    desk_models = list(model_calls(loose))
    attempts: dict[str, list[AttemptStory]] = {}
    for name, mine in by_task.items():
        calls = tool_calls(mine)
        numbers = [f.attempt for f in of_kind(mine, "task.sent")]
        desk_tools += [call for number, call in calls if number not in numbers]
        attempts[name] = [
            _attempt(
                [f for f in mine if f.attempt == number],
                tuple(call for n, call in calls if n == number),
                turns,
            )
            for number in numbers
        ]
    timed = _timed(facts, plan, attempts, questions, turns)
    stories = tuple(_task(name, plan, timed) for name in names)
    return stories, tuple(sorted(desk_tools, key=lambda c: c.after)), tuple(desk_models)


def _attempt(
    facts: Sequence[Fact], tools: tuple[ToolCall, ...], turns: Sequence[SegmentStory]
) -> AttemptStory:
    """One attempt, before it is known what it waited for."""
    sent = next(of_kind(facts, "task.sent"))
    back = next(of_kind(facts, "task.returned"), None)
    invalid = next(of_kind(facts, "task.invalid"), None)
    judged = next(of_kind(facts, "reflection.judged"), None)
    left_out = [f.text("why") or f"left out: {f.text('left_out')}" for f in of_kind(facts, "body.diverged")]
    again = [t for t in turns if t.claimed_after > sent.after and _signs(facts, t)]
    story = AttemptStory(
        number=sent.attempt,
        agent=sent.actor,
        version=sent.text("agent_version"),
        round=sent.whole("round") or 0,
        feedback=sent.note("feedback"),
        stands_in=sent.note("stands_in"),
        given=tuple(
            Given(
                input=text_of(each, "input"),
                kind=text_of(each, "kind"),
                sources=words(each.get("from")),
                path=words(each.get("path")),
                bytes=size if isinstance(size := each.get("bytes"), int) else None,
                artifact=text_of(each, "artifact") or None,
            )
            for each in sent.items("given")
        ),
        omitted=tuple(
            Omitted(task=text_of(each, "task"), rule=text_of(each, "rule")) for each in sent.items("omitted")
        ),
        tools=tools,
        models=model_calls(facts),
        skills=tuple(f"{f.text('skill')}/{f.text('file')}" for f in of_kind(facts, "skill.loaded")),
        fitted=_fitted(list(of_kind(facts, "context.fitted"))),
        bypassed=tuple(_past(f) for f in of_kind(facts, "model.bypassed")),
        quarantined=invalid.text("why") if invalid else "",
        judge=judged.text("judge") if judged else None,
        diverged=left_out[-1] if left_out else "",
        sent_after=sent.after,
        executions=1 + len(again),
    )
    return story if back is None else _ended(story, back)


def _past(fact: Fact) -> str:
    """The model, and whether it was kept from it."""
    return fact.text("model") + ("" if fact.body.get("sent", True) else " (it was not let)")


def _fitted(facts: Sequence[Fact]) -> FittedStory | None:
    """The last of the conversations that had to be fitted, which is the fullest."""
    if not facts:
        return None
    told = {name: facts[-1].whole(name) or 0 for name in ("tokens", "sent_tokens", "cut", "dropped")}
    return FittedStory(times=len(facts), **told)


def _ended(story: AttemptStory, back: Fact) -> AttemptStory:
    evidence = tuple(dict.fromkeys(text_of(each, "source") for each in back.items("evidence")))
    return story.model_copy(
        update={
            "status": back.text("status"),
            "output": back.value("output"),
            "why": back.note("why"),
            "code": back.note("code"),
            "tried": words(back.body.get("tried")),
            "needs": back.note("needs"),
            "evidence": evidence,
            "artifacts": tuple(text_of(each, "name") for each in back.items("artifacts")),
            "returned_after": back.after,
            "body_seconds": back.number("seconds"),
        }
    )


def _signs(facts: Iterable[Fact], turn: SegmentStory) -> bool:
    """Says whether the agent did something in this turn."""
    return any(
        turn.claimed_after <= f.after <= turn.last_sign and f.line.event.actor.startswith("agent:")
        for f in facts
    )


def _timed(
    facts: Sequence[Fact],
    plan: PlanMade | None,
    attempts: Mapping[str, list[AttemptStory]],
    questions: Sequence[QuestionStory],
    turns: Sequence[SegmentStory],
) -> dict[str, list[AttemptStory]]:
    """The attempts with what they took and waited for."""
    spans = active(turns)
    closing = [step.task for step in plan.tasks if step.closing] if plan else []
    revised = [
        f.after for f in of_kind(facts, "gate.checked") if f.text("verdict") == "revise" and not f.within
    ]
    last = max((turn.last_sign for turn in turns), default=0.0)
    timed: dict[str, list[AttemptStory]] = {}
    for name, mine in attempts.items():
        others = [a for need in needed(plan, attempts, name) for a in attempts.get(need, [])]
        ready = [a.returned_after for a in (*others, *mine) if a.returned_after is not None]
        ready += revised if name in closing else []
        asked = thinking(questions, name)
        timed[name] = [
            a.model_copy(
                update={
                    "seconds": worked(
                        spans, asked, a.sent_after, last if a.returned_after is None else a.returned_after
                    ),
                    "barrier_wait": barrier_wait(a.sent_after, ready),
                }
            )
            for a in mine
        ]
    return timed


def needed(
    plan: PlanMade | None, attempts: Mapping[str, Sequence[AttemptStory]], name: str
) -> tuple[str, ...]:
    """The tasks a task had to wait for: as planned, or, without a plan, those it was given something of."""
    if plan is None:
        return tuple({s: 0 for a in attempts.get(name, ()) for g in a.given for s in g.sources if s != name})
    planned = {step.task: step.needs for step in plan.tasks}
    return needs_of(planned, [step.task for step in plan.tasks if step.closing], name)


def _task(name: str, plan: PlanMade | None, attempts: Mapping[str, list[AttemptStory]]) -> TaskStory:
    mine = attempts.get(name, [])
    step = next((s for s in plan.tasks if s.task == name), None) if plan else None
    last = mine[-1] if mine else None
    return TaskStory(
        task=name,
        agent=step.agent if step else last.agent if last else "",
        closing=bool(step and step.closing),
        status=(last.status or "open") if last else "never began",
        why=last.why if last else _missing(plan, attempts, name),
        attempts=tuple(mine),
        seconds=round(sum(a.seconds for a in mine), 6),
        barrier_wait=round(sum(a.barrier_wait for a in mine), 6),
    )


def _missing(plan: PlanMade | None, attempts: Mapping[str, list[AttemptStory]], name: str) -> str:
    """Why a planned task never began, as far as its needs tell."""
    for need in needed(plan, attempts, name):
        ended = attempts.get(need, [])
        if not ended:
            return f"it needs {need}, which did not begin either"
        if ended[-1].status in ("failed", "gave_up"):
            word = ended[-1].status.replace("_", " ")
            return f"it needs {need}, which {word}: {ended[-1].why}"
    return ""
