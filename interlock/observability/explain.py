"""Explains a run from its record alone: no code of the graph, its agents or tools is needed."""

from collections.abc import Mapping, Sequence

from interlock.core.canonical import Json
from interlock.core.limits import Spend
from interlock.core.runs import Run
from interlock.core.stores import Line
from interlock.observability.facts import Fact, as_object, facts_of, objects, of_kind, text_of, words
from interlock.observability.story import (
    CandidateStory,
    CheckStory,
    ClaimStory,
    ConflictStory,
    Delivery,
    GateRound,
    PlanMade,
    PlannedInput,
    PlannedStep,
    QuestionStory,
    RefusedAnswer,
    RouteTried,
    SegmentStory,
    Story,
    TaskStory,
    Timing,
    Transition,
)
from interlock.observability.tasks import needed, task_stories
from interlock.observability.timing import (
    Hop,
    active,
    critical_path,
    overlap,
    segments,
    thinking,
)


def explain(run: Run | None, lines: Sequence[Line]) -> Story:
    """Tells the story of a run; pure.

    Args:
        run: The stored run, for what the record does not hold; None where only an exported record is at hand.
        lines: The record of the run from its first event on.
    """
    facts = facts_of(lines)
    outer = [fact for fact in facts if not fact.within]
    plan = _plan(outer)
    questions = _questions(facts)
    turns = segments(facts)
    tasks, tools, models = task_stories(facts, plan, questions, turns)
    created = next(of_kind(facts, "run.created"), None)
    last = next(of_kind(reversed(facts), "run.moved"), None)
    accepted = next(of_kind(reversed(outer), "response.accepted"), None)
    erasures = list(of_kind(facts, "subject.erased"))
    return Story(
        run=run.id if run else lines[0].event.run if lines else "",
        graph=run.graph if run else created.text("graph") if created else "",
        version=run.version if run else created.text("version") if created else "",
        owner=run.owner.user if run else created.actor if created else "",
        state=run.state if run else last.text("to") if last else "created",
        outcome=run.outcome if run else last.maybe("outcome") if last else None,
        reason=last.text("reason") if last else run.reason if run else "",
        began=facts[0].start if facts else None,
        request=created.value("input") if created else run.input if run else None,
        routes=_routes(facts),
        plan=plan,
        tasks=tasks,
        supervisor_tools=tools,
        supervisor_models=models,
        conflicts=_conflicts(facts),
        questions=questions,
        gate=_gate(facts),
        response=accepted.value("response") if accepted else run.response if run else None,
        delivered=_delivered(facts),
        transitions=_transitions(facts),
        segments=tuple(turns),
        spend=_spend(run, facts),
        timing=_timing(facts, plan, tasks, questions, turns),
        events=len(facts),
        erased=sum(line.erased for line in lines),
        erased_by=erasures[-1].actor if erasures else None,
    )


def _routes(facts: Sequence[Fact]) -> tuple[RouteTried, ...]:
    return tuple(
        RouteTried(
            route=_inside(fact, fact.text("route")),
            about=fact.text("about"),
            came_to=fact.text("came_to", "plan rejected"),
            why=fact.note("why"),
            candidates=tuple(_candidate(each) for each in objects(_considered(fact))),
            after=fact.after,
        )
        for fact in of_kind(facts, "route.tried", "plan.rejected")
    )


def _inside(fact: Fact, name: str) -> str:
    """A name of a supervisor inside a task, with the task before it."""
    return f"{fact.within}/{name}" if fact.within else name


def _considered(fact: Fact) -> Json:
    """The candidates a route names, or those of the plan of its that was rejected."""
    return fact.value("candidates") or fact.part("proposed").get("candidates")


def _candidate(values: Mapping[str, Json]) -> CandidateStory:
    return CandidateStory(
        agent=text_of(values, "agent"), score=str(values.get("score", "")), reason=text_of(values, "reason")
    )


def _plan(facts: Sequence[Fact]) -> PlanMade | None:
    fact = next(of_kind(facts, "plan.made"), None)
    if fact is None or fact.line.erased:
        return None
    stored = fact.part("plan")
    strands = fact.body.get("strands")
    return PlanMade(
        route=text_of(stored, "route"),
        why=fact.text("why"),
        tasks=tuple(
            PlannedStep(
                task=text_of(task, "id"),
                agent=text_of(task, "agent"),
                closing=task.get("closing") is True,
                inputs=tuple(_planned_input(each) for each in objects(task.get("inputs"))),
            )
            for task in objects(stored.get("tasks"))
        ),
        strands=tuple(words(strand) for strand in strands) if isinstance(strands, list) else (),
        after=fact.after,
    )


def _planned_input(values: Mapping[str, Json]) -> PlannedInput:
    one = text_of(values, "task")
    return PlannedInput(
        name=text_of(values, "name"),
        kind=text_of(values, "kind"),
        tasks=(one,) if one else words(values.get("tasks")),
        path=words(values.get("path")),
    )


def _conflicts(facts: Sequence[Fact]) -> tuple[ConflictStory, ...]:
    found: list[ConflictStory] = []
    for fact in of_kind(facts, "conflict.decided"):
        told = fact.part("resolution")
        winner = as_object(told.get("winner"))
        gone = "erased" if fact.line.erased else ""
        found.append(
            ConflictStory(
                about=text_of(told, "about") or gone,
                claims=tuple(_claim(each) for each in objects(told.get("claims"))),
                rule=text_of(told, "rule") or gone,
                reason=text_of(told, "reason") or gone,
                winner=_claim(winner) if winner else None,
            )
        )
    return tuple(found)


def _claim(told: Mapping[str, Json]) -> ClaimStory:
    return ClaimStory(source=text_of(told, "source"), value=told.get("value"))


def _questions(facts: Sequence[Fact]) -> tuple[QuestionStory, ...]:
    answers = list(of_kind(facts, "question.answered"))
    found: list[QuestionStory] = []
    for fact in of_kind(facts, "question.asked"):
        name = fact.text("question")
        # Where ids were erased, a task's answers come in the order of its questions.
        answer = next((f for f in answers if (f.text("question"), f.task) == (name, fact.task)), None)
        if answer is not None:
            answers.remove(answer)
        found.append(_question(facts, fact, name, answer))
    return tuple(found)


def _question(facts: Sequence[Fact], fact: Fact, name: str, answer: Fact | None) -> QuestionStory:
    details = fact.part("details")
    given = answer.value("answer") if answer else None
    yes = given.get("yes") if isinstance(given, dict) else None
    why = next((text_of(details, key) for key in ("reason", "problems", "why") if details.get(key)), "")
    return QuestionStory(
        id=name,
        kind=fact.text("kind"),
        task=fact.task,
        agent=fact.actor,
        title=fact.text("title"),
        whom=fact.text("whom", "owner"),
        why=why,
        evidence=tuple(dict.fromkeys(text_of(each, "source") for each in objects(details.get("evidence")))),
        answer=given if yes is None else yes,
        comment=answer.note("comment") if answer else "",
        by=answer.actor if answer else None,
        receipt=answer.maybe("receipt") if answer else None,
        refused=tuple(
            RefusedAnswer(by=each.actor, why=each.text("why"), after=each.after)
            for each in of_kind(facts, "answer.refused")
            if (each.text("question"), each.task) == (name, fact.task)
        ),
        not_covered=tuple(
            each.text("why") for each in of_kind(facts, "receipt.refused") if each.text("question") == name
        ),
        unanswered=next(
            (
                each.kind.partition(".")[2]
                for each in of_kind(facts, "question.expired", "question.withdrawn")
                if (each.text("question"), each.task) == (name, fact.task)
            ),
            "",
        ),
        asked_after=fact.after,
        answered_after=answer.after if answer else None,
    )


def _gate(facts: Sequence[Fact]) -> tuple[GateRound, ...]:
    return tuple(
        GateRound(
            number=fact.attempt,
            verdict=fact.text("verdict"),
            checks=tuple(
                CheckStory(
                    check=text_of(each, "check"),
                    verdict=text_of(each, "verdict"),
                    problem=text_of(each, "problem"),
                )
                for each in fact.items("checks")
            ),
            reviewed_by=text_of(fact.body, "by") or None,
            reason=fact.note("reason"),
            within=fact.within,
            after=fact.after,
        )
        for fact in of_kind(facts, "gate.checked")
    )


def _delivered(facts: Sequence[Fact]) -> Delivery | None:
    fact = next(of_kind(facts, "response.delivered"), None)
    return fact and Delivery(tool=fact.text("tool"), digest=fact.text("digest"), after=fact.after)


def _transitions(facts: Sequence[Fact]) -> tuple[Transition, ...]:
    return tuple(
        Transition(
            old=fact.text("from"),
            new=fact.text("to"),
            reason=fact.text("reason"),
            actor=fact.line.event.actor,
            after=fact.after,
        )
        for fact in of_kind(facts, "run.moved")
    )


def _spend(run: Run | None, facts: Sequence[Fact]) -> Spend | None:
    if run is not None:
        return run.spend
    last = next(of_kind(reversed(facts), "segment.ended"), None)
    return Spend.model_validate(dict(last.part("spend"))) if last else None


def _timing(
    facts: Sequence[Fact],
    plan: PlanMade | None,
    tasks: Sequence[TaskStory],
    questions: Sequence[QuestionStory],
    turns: Sequence[SegmentStory],
) -> Timing:
    spans = active(turns)
    attempts = {task.task: task.attempts for task in tasks}
    hops = [
        Hop(
            task=task.task,
            begun=task.attempts[0].sent_after,
            needs=needed(plan, attempts, task.task),
            seconds=task.seconds,
            barrier_wait=sum(
                overlap(spans, a.sent_after - a.barrier_wait, a.sent_after) for a in task.attempts
            ),
        )
        for task in tasks
        if task.attempts
    ]
    path = critical_path(hops)
    ended = [f.after for f in facts if f.kind not in ("subject.erased", "answer.refused")]
    return Timing(
        total=max(ended, default=0.0),
        active=round(sum(b - a for a, b in spans), 6),
        people=round(sum(b - a for a, b in thinking(questions)), 6),
        barrier=round(sum(task.barrier_wait for task in tasks), 6),
        path=tuple(path),
        path_seconds=round(sum(step.seconds + step.barrier_wait for step in path), 6),
    )
