"""A run explained from its record alone."""

import subprocess
import sys
from typing import Any

import pytest

from interlock.observability.explain import explain
from interlock.observability.story import AttemptStory, Story, TaskStory, ToolCall
from tests.recorded import CANARY, Recorded, lines, recorded

Event = tuple[float, str, str, str, int, dict[str, Any]]


@pytest.fixture(scope="module")
def runs() -> dict[str, Recorded]:
    """Real runs of many shapes."""
    return recorded()


def story_of(made: Recorded) -> Story:
    """The story of a run with its row."""
    return explain(made.run, made.lines)


def named(story: Story, name: str) -> TaskStory:
    """A task of the story."""
    return next(each for each in story.tasks if each.task == name)


def only(story: Story, name: str) -> AttemptStory:
    """The one attempt of a task."""
    (attempt,) = named(story, name).attempts
    return attempt


# -- what happened, from runs that really ran


def test_the_head_of_a_story(runs: dict[str, Recorded]) -> None:
    """Which graph, whose run, how it ended, what was asked and what was answered."""
    made = runs["approved"]
    story = story_of(made)

    assert (story.run, story.graph, story.version) == (made.run.id, "support", made.run.version)
    assert (story.owner, story.state, story.outcome) == ("olga", "completed", "resolved")
    assert story.request == {"email": "ann@example.com", "text": "my parcel is lost"}
    assert story.response == {"text": "We paid back 250 EUR for order A-1001."}
    assert story.spend == made.run.spend and story.events == len(made.lines)


@pytest.mark.parametrize("name", ["approved", "waiting", "rejected", "gave up", "busy", "asking", "refused"])
def test_the_record_alone_tells_the_same(runs: dict[str, Recorded], name: str) -> None:
    """Without the run's row the story is the same."""
    made = runs[name]

    assert explain(None, made.lines) == explain(made.run, made.lines)


@pytest.mark.parametrize("name", ["approved", "busy", "erased"])
def test_a_story_survives_its_own_dump(runs: dict[str, Recorded], name: str) -> None:
    """What `--json` prints can be read back."""
    story = story_of(runs[name])

    assert Story.model_validate_json(story.model_dump_json()) == story


def test_explaining_loads_no_code_of_the_graph() -> None:
    """Neither the application nor the engine is imported: it works with their folders removed."""
    code = (
        "import sys, interlock.observability.narrate, interlock.observability.explain\n"
        "tops = {'graphs', 'agents', 'tools', 'langgraph', 'langchain'}\n"
        "rooms = {'orchestration', 'persistence', 'mcp', 'runs', 'bootstrap'}\n"
        "parts = [m.split('.') for m in sys.modules]\n"
        "bad = [p for p in parts if p[0] in tops or (p[0] == 'interlock' and rooms & set(p[1:2]))]\n"
        "sys.exit(str(bad) if bad else 0)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_routes_and_plan(runs: dict[str, Recorded]) -> None:
    """Every tried route with what it came to; the tasks, who gives what to whom, and the strands."""
    story = story_of(runs["busy"])
    assert story.plan is not None
    gives = {step.task: step.needs for step in story.plan.tasks}

    assert [(r.route, r.came_to) for r in story.routes] == [
        ("nothing", "does not apply"),
        ("everything", "chosen"),
    ]
    assert gives == {
        "quick": (),
        "slow": (),
        "shaky": (),
        "flaky": ("quick",),
        "drafting": ("quick", "slow", "flaky"),
    }
    assert story.plan.strands == (("quick", "flaky"), ("slow",), ("shaky",))
    assert [step.task for step in story.plan.tasks if step.closing] == ["drafting"]


def test_a_rejected_route_keeps_its_reason(runs: dict[str, Recorded]) -> None:
    """A plan whose agent is not for the request is told with that agent; there is no plan and no task."""
    story = story_of(runs["gave up"])

    assert [(r.route, r.came_to) for r in story.routes] == [
        ("lost_parcel", "rejected: returns is not for 'exchanges'")
    ]
    assert (story.plan, story.tasks, story.outcome) == (None, (), "gave_up")


def test_what_a_task_was_given_and_what_not(runs: dict[str, Recorded]) -> None:
    """Inputs with source and size; what else there was, with the rule that left it out."""
    attempt = named(story_of(runs["busy"]), "drafting").attempts[0]

    assert [(g.input, g.kind, g.sources) for g in attempt.given] == [
        ("ticket", "request", ()),
        ("findings", "findings", ("quick", "slow", "flaky")),
    ]
    assert all(g.bytes and g.bytes > 40 for g in attempt.given)
    assert [(o.task, o.rule) for o in attempt.omitted] == [
        ("shaky", "the plan gives this task no reference to it")
    ]


def test_a_reading_call(runs: dict[str, Recorded]) -> None:
    """Arguments, verdict, rule and its sentence, answer, duration."""
    (call,) = only(story_of(runs["approved"]), "orders").tools

    assert (call.tool, call.effect, call.state) == ("shop/latest_order", False, "answered")
    assert call.arguments == {"email": "ann@example.com"}
    assert (call.verdict, call.reason) == ("allow", "orders may call shop/latest_order")
    assert call.answer == {"id": "A-1001", "total": "250"} and call.seconds and call.digest and call.rule


def test_an_approved_effect_is_one_call(runs: dict[str, Recorded]) -> None:
    """Planned, asked, sent and confirmed is one call with its key, receipt, rule and answer."""
    (call,) = only(story_of(runs["approved"]), "returns").tools

    assert (call.tool, call.effect, call.state, call.verdict) == ("shop/pay_back", True, "confirmed", "ask")
    assert call.reason.endswith("when: A refund above the limit")
    assert call.answer == {"order_id": "A-1001", "amount": "250"}
    assert (call.key or "").startswith("il-") and (call.receipt or "").startswith("rc-") and call.seconds


def test_a_question_with_all_its_answers(runs: dict[str, Recorded]) -> None:
    """Asked of whom and why, refused answers, the accepted one, by whom, with which words and receipt."""
    story = story_of(runs["approved"])
    (question,) = story.questions
    (refused,) = question.refused

    assert (question.kind, question.task, question.agent, question.whom) == (
        "approve",
        "returns",
        "returns",
        "shift-lead",
    )
    assert (question.answer, question.by, question.comment) == (True, "lena", "she called twice")
    assert question.why.startswith("returns must ask before calling shop/pay_back")
    assert question.receipt == only(story, "returns").tools[0].receipt
    assert (refused.by, "eve may not answer" in refused.why) == ("eve", True)
    assert question.waited and story.timing.people == pytest.approx(question.waited)


def test_a_no_leaves_the_effect_rejected(runs: dict[str, Recorded]) -> None:
    """The call was never sent, and by whose word."""
    story = story_of(runs["rejected"])
    (call,) = only(story, "returns").tools

    assert (call.state, call.by, call.key) == ("rejected", "lena", None)
    assert (only(story, "returns").status, story.outcome) == ("failed", "degraded")


def test_an_open_question_has_no_answer(runs: dict[str, Recorded]) -> None:
    """A waiting run: the question is open, its call planned, its task not returned."""
    story = story_of(runs["waiting"])

    assert (story.state, story.questions[0].answer, story.questions[0].waited) == (
        "waiting_for_approval",
        None,
        None,
    )
    assert (only(story, "returns").tools[0].state, named(story, "returns").status) == ("planned", "open")


def test_an_answer_in_words(runs: dict[str, Recorded]) -> None:
    """The answer to a clarifying question is its value."""
    (question,) = story_of(runs["asking"]).questions

    assert (question.kind, question.whom, question.answer, question.by) == (
        "clarify",
        "owner",
        "the blue one",
        "olga",
    )


def test_attempts_quarantine_and_fallback(runs: dict[str, Recorded]) -> None:
    """A retry knows what it was told; a fallback says for whom it stands in and why."""
    story = story_of(runs["busy"])
    first, second = named(story, "flaky").attempts
    broken, helper = named(story, "shaky").attempts

    assert (first.status, first.code) == ("failed", "schema_violation")
    assert first.quarantined and second.feedback == first.quarantined
    assert (second.number, second.status) == (2, "completed")
    assert (broken.agent, broken.status, broken.code) == ("shaky", "failed", "body_error")
    assert (helper.agent, helper.status, helper.stands_in) == (
        "helper",
        "degraded",
        "shaky broke: RuntimeError.",
    )
    assert named(story, "shaky").agent == "shaky" and len({a.version for a in (broken, helper)}) == 2


def test_models_judges_and_artifacts(runs: dict[str, Recorded]) -> None:
    """A model call with route, model, prompt, reply, tokens and seconds; a content judge; a file."""
    story = story_of(runs["busy"])
    (call,) = only(story, "quick").models

    assert (call.route, call.model, call.prompt) == ("default", "scripted-1", "Where is the parcel?")
    assert (call.reply, call.input_tokens, call.output_tokens) == (f"{CANARY} of a model", 7, 5)
    assert call.seconds is not None
    assert only(story, "quick").judge == ""
    assert (only(story, "slow").judge, only(story, "slow").artifacts) == (None, ("label.txt",))


def test_a_conflict_with_claims_rule_and_winner(runs: dict[str, Recorded]) -> None:
    """What each source said, which rule decided and why, and who was believed."""
    (conflict,) = story_of(runs["busy"]).conflicts
    assert conflict.winner is not None

    assert conflict.about == "parcel 1: status"
    assert [(c.source, c.value) for c in conflict.claims] == [("shop", "lost"), ("carrier", "delivered")]
    assert (conflict.rule, conflict.reason) == ("prefer", "Trusts carrier, then shop.")
    assert conflict.winner.source == "carrier"


def test_the_gate_with_its_revision(runs: dict[str, Recorded]) -> None:
    """Each look with its checks; the draft was sent back once, and drafted again as a new attempt."""
    story = story_of(runs["busy"])
    problems = {c.check for c in story.gate[0].checks if c.problem}

    assert [round_.verdict for round_ in story.gate] == ["revise", "accept"]
    assert problems == {"grounding", "no canary"}
    assert [a.number for a in named(story, "drafting").attempts] == [1, 2]


def test_a_task_that_never_began_says_why(runs: dict[str, Recorded]) -> None:
    """Its need gave up, so it was never handed out."""
    reader = named(story_of(runs["asking"]), "reader")

    assert (reader.status, reader.attempts) == ("never began", ())
    assert reader.why == "it needs archive, which gave up: the order is too old"


def test_a_delivered_response(runs: dict[str, Recorded]) -> None:
    """By which tool it was handed over; the call is the supervisor's own."""
    story = story_of(runs["asking"])
    assert story.delivered is not None

    assert story.delivered.tool == "desk/send"
    assert [(c.tool, c.state) for c in story.supervisor_tools] == [("desk/send", "confirmed")]


def test_a_refused_response_is_not_in_the_story(runs: dict[str, Recorded]) -> None:
    """The gate's verdict stands; nothing was accepted or delivered."""
    story = story_of(runs["refused"])

    assert (story.outcome, story.response, story.delivered) == ("refused", None, None)
    assert story.gate[-1].verdict == "refuse"


def test_transitions_and_turns(runs: dict[str, Recorded]) -> None:
    """The states in order; two turns of one worker, the second of which began the asking task again."""
    story = story_of(runs["approved"])

    assert [t.new for t in story.transitions] == [
        "context_loaded",
        "planning",
        "executing",
        "waiting_for_approval",
        "executing",
        "completed",
    ]
    assert [(s.fence, s.state, s.again) for s in story.segments] == [
        (1, "waiting_for_approval", ()),
        (2, "completed", ("returns",)),
    ]
    assert (only(story, "returns").executions, only(story, "orders").executions) == (2, 1)


def test_erased_bodies_leave_the_skeleton(runs: dict[str, Recorded]) -> None:
    """Tasks, agents, times, attempts and names of people stay; every content reads erased."""
    before, story = story_of(runs["approved"]), story_of(runs["erased"])
    dump = story.model_dump_json()

    assert (story.erased, story.erased_by, story.request, story.response) == (27, "olga", "erased", "erased")
    assert [(t.task, len(t.attempts)) for t in story.tasks] == [("orders", 1), ("returns", 1)]
    assert [c.state for t in story.tasks for a in t.attempts for c in a.tools] == ["answered", "confirmed"]
    assert (story.questions[0].by, story.questions[0].answer) == ("lena", "erased")
    assert story.timing.active == before.timing.active and story.timing.people == before.timing.people
    assert not [
        secret for secret in ("A-1001", "ann@example.com", "pay_back", "lost_parcel") if secret in dump
    ]


def test_a_slow_task_is_the_critical_path(runs: dict[str, Recorded]) -> None:
    """Of three strands the slow one, and the draft that needed it, took the longest."""
    timing = story_of(runs["busy"]).timing

    assert [step.task for step in timing.path] == ["slow", "drafting"]
    assert 0.15 <= timing.path_seconds <= timing.active <= timing.total
    assert timing.people == 0


# -- times, against hand-computed examples


def plan(*tasks: tuple[str, str, bool]) -> dict[str, Any]:
    """The body of `plan.made`: (task, names of its needs, whether it closes)."""
    made = [
        {
            "id": name,
            "agent": name,
            "closing": closing,
            "inputs": [{"name": need, "kind": "output", "task": need} for need in needs],
        }
        for name, needs, closing in tasks
    ]
    return {"plan": {"route": "r", "tasks": made}, "strands": [[name for name, _, _ in tasks]], "why": ""}


def sent(at: float, task: str, attempt: int = 1) -> Event:
    """A task is handed out."""
    return at, "task.sent", f"agent:{task}", task, attempt, {"agent": task, "agent_version": "1"}


def back(at: float, task: str, attempt: int = 1, **more: Any) -> Event:
    """A task returns."""
    body = {"status": "completed", "output": 1, **more}
    return at, "task.returned", f"agent:{task}", task, attempt, body


def claimed(at: float, worker: str = "w", fence: int = 1) -> Event:
    """A worker takes the run."""
    return at, "run.claimed", f"worker:{worker}", "", 0, {"fence": fence}


def ended(at: float, state: str = "completed", worker: str = "w") -> Event:
    """A worker lets go of the run."""
    return at, "segment.ended", f"worker:{worker}", "", 0, {"state": state}


CREATED: Event = (0, "run.created", "person:ada", "", 0, {"graph": "g", "version": "1", "input": "x"})


def test_barrier_waits_and_the_critical_path_by_hand() -> None:
    """A is quick and B slow; C needs A and is held back by B; D needs both; E closes."""
    made = plan(("a", "", False), ("b", "", False), ("c", "a", False), ("d", "bc", False), ("e", "", True))
    events = lines(
        CREATED,
        claimed(0),
        (1, "plan.made", "agent:s", "plan", 1, made),
        sent(1, "a"),
        sent(1, "b"),
        back(2, "a"),
        back(11, "b"),
        sent(11.5, "c"),
        back(15.5, "c"),
        sent(16, "d"),
        back(17, "d"),
        sent(18, "e"),
        back(20, "e"),
        ended(21),
    )
    story = explain(None, events)

    assert {t.task: t.barrier_wait for t in story.tasks} == {"a": 0, "b": 0, "c": 9.5, "d": 0.5, "e": 1.0}
    assert {t.task: t.seconds for t in story.tasks} == {"a": 1, "b": 10, "c": 4, "d": 1, "e": 2}
    assert [(s.task, s.seconds, s.barrier_wait) for s in story.timing.path] == [
        ("a", 1, 0),
        ("c", 4, 9.5),
        ("d", 1, 0.5),
        ("e", 2, 1),
    ]
    assert (story.timing.path_seconds, story.timing.active, story.timing.barrier) == (19, 21, 11)


def test_a_retry_waits_at_the_barrier_too() -> None:
    """A second attempt is ready when the first returned; its wait counts for the task."""
    events = lines(
        CREATED,
        claimed(0),
        (1, "plan.made", "agent:s", "plan", 1, plan(("a", "", False), ("b", "", False))),
        sent(1, "a"),
        sent(1, "b"),
        back(2, "a", status="failed", why="no"),
        back(6, "b"),
        sent(6.5, "a", 2),
        back(7, "a", 2),
        ended(8),
    )
    story = explain(None, events)

    assert [a.barrier_wait for a in named(story, "a").attempts] == [0, 4.5]
    assert named(story, "a").seconds == 1.5


def test_a_revision_is_ready_when_the_gate_sent_it_back() -> None:
    """What the gate took to look is not a barrier wait of the closing task."""
    events = lines(
        CREATED,
        claimed(0),
        (1, "plan.made", "agent:s", "plan", 1, plan(("a", "", False), ("e", "", True))),
        sent(1, "a"),
        back(2, "a"),
        sent(3, "e"),
        back(4, "e"),
        (9, "gate.checked", "agent:gate", "aggregate", 1, {"verdict": "revise", "checks": []}),
        sent(9.5, "e", 2),
        back(10, "e", 2),
        ended(11),
    )

    assert [a.barrier_wait for a in named(explain(None, events), "e").attempts] == [1, 0.5]


def test_thinking_people_are_nobodys_work() -> None:
    """X asks at 2 and is answered at 106; meanwhile Y works until 6. Only workers' time counts as work."""
    events = lines(
        CREATED,
        claimed(0),
        (1, "plan.made", "agent:s", "plan", 1, plan(("x", "", False), ("y", "", False))),
        sent(1, "x"),
        sent(1, "y"),
        (2, "question.asked", "agent:x", "x", 1, {"question": "q-1", "kind": "approve", "title": "May I"}),
        back(6, "y"),
        ended(6, "waiting_for_approval"),
        (106, "question.answered", "person:lena", "x", 0, {"question": "q-1", "answer": {"yes": True}}),
        claimed(107, fence=2),
        back(108, "x"),
        ended(109),
    )
    story = explain(None, events)

    assert (story.timing.total, story.timing.active, story.timing.people) == (109, 8, 104)
    assert {t.task: t.seconds for t in story.tasks} == {"x": 2, "y": 5}
    assert [step.task for step in story.timing.path] == ["y"]
    assert story.segments[1].again == ("x",)


def test_a_killed_worker_is_seen() -> None:
    """Its turn ends at its last sign; another worker, under a higher fence, began its task again."""
    events = lines(
        CREATED,
        claimed(0, "one"),
        sent(1, "a"),
        (2, "tool.read", "agent:a", "a", 1, {"tool": "t/x", "answer": 1}),
        claimed(10, "two", 2),
        back(12, "a"),
        ended(13, worker="two"),
    )
    story = explain(None, events)
    first, second = story.segments

    assert (first.worker, first.ended_after, first.last_sign) == ("one", None, 2)
    assert (second.worker, second.fence, second.again) == ("two", 2, ("a",))
    assert (only(story, "a").seconds, only(story, "a").executions, story.timing.active) == (3, 2, 5)


def test_a_canceled_run_was_not_abandoned() -> None:
    """The turn that canceled a run has no end of its own, but a state."""
    moved = {"from": "created", "to": "canceled", "reason": "ada canceled it"}
    story = explain(None, lines(CREATED, claimed(1), (2, "run.moved", "supervisor", "", 0, moved)))

    assert (story.segments[0].state, story.state, story.reason) == ("canceled", "canceled", "ada canceled it")


# -- effects, event by event


def calls(*events: Event) -> list[ToolCall]:
    """The calls of one task made of these events."""
    return list(only(explain(None, lines(CREATED, claimed(0), sent(0, "a"), *events)), "a").tools)


def effect(at: float, kind: str, call: str = "c1", **more: Any) -> Event:
    """An event about an effect."""
    return at, f"effect.{kind}", "agent:a", "a", 1, {"tool": "shop/pay", "call": call, **more}


def test_an_unknown_effect_that_a_look_up_found() -> None:
    """It was sent, in doubt, and found by the look-up; the doubt stays in the story."""
    (call,) = calls(
        effect(1, "sent", key="k1"),
        effect(3, "unknown", key="k1", state="unknown", why="it did not answer in time"),
        effect(4, "confirmed", key="k1", state="confirmed", answer="ok", by="look-up"),
    )

    assert (call.state, call.by, call.answer, call.seconds) == ("confirmed", "look-up", "ok", 3)
    assert call.notes == ("it was not known whether it happened: it did not answer in time",)


def test_an_effect_a_person_settled() -> None:
    """Settled as not done: failed, by that person's word."""
    (call,) = calls(
        effect(1, "sent", key="k1"),
        effect(2, "unknown", key="k1", why="x"),
        effect(9, "settled", key="k1", state="failed", by="lena", error={"message": "not done"}),
    )

    assert (call.state, call.by, call.error) == ("failed", "lena", "not done")


def test_an_effect_that_another_run_had_caused() -> None:
    """It failed without having been sent, with the reason."""
    (call,) = calls(effect(1, "failed", key="k1", state="failed", error={"message": "taken"}))

    assert (call.state, call.error, call.effect) == ("failed", "taken", True)


def test_the_same_effect_twice_is_two_calls() -> None:
    """Two occurrences of one call have two keys and are told apart by them."""
    first, second = calls(
        effect(1, "sent", key="k1"),
        effect(2, "sent", key="k2"),
        effect(3, "confirmed", key="k2", state="confirmed", answer=2),
        effect(4, "confirmed", key="k1", state="confirmed", answer=1),
    )

    assert (first.key, first.answer, second.key, second.answer) == ("k1", 1, "k2", 2)


def test_a_compensated_effect() -> None:
    """Taken back afterwards, and by which tool; the undoing itself is a call of the rollback."""
    story = explain(
        None,
        lines(
            CREATED,
            claimed(0),
            sent(0, "a"),
            effect(1, "sent", key="k1"),
            effect(2, "confirmed", key="k1", state="confirmed", answer=1),
            back(3, "a"),
            (9, "effect.sent", "agent:rollback", "a", 0, {"tool": "shop/undo", "call": "c2", "key": "k2"}),
            (
                9,
                "effect.confirmed",
                "agent:rollback",
                "a",
                0,
                {"tool": "shop/undo", "call": "c2", "key": "k2"},
            ),
            (
                9,
                "effect.compensated",
                "agent:rollback",
                "a",
                0,
                {"tool": "shop/pay", "by": "shop/undo", "call": "c1"},
            ),
        ),
    )

    assert [(c.state, c.by) for c in only(story, "a").tools] == [("compensated", "shop/undo")]
    assert [c.tool for c in story.supervisor_tools] == ["shop/undo"]


def test_a_denied_call_and_a_failed_read() -> None:
    """The rule that denied, and the error that was answered."""
    denied, failed = calls(
        (
            1,
            "tool.denied",
            "agent:a",
            "a",
            1,
            {"tool": "shop/x", "reason": "a may never call shop/x", "verdict": "deny"},
        ),
        (
            2,
            "tool.read",
            "agent:a",
            "a",
            1,
            {"tool": "shop/y", "verdict": "allow", "error": {"message": "down"}},
        ),
    )

    assert (denied.state, denied.reason) == ("denied", "a may never call shop/x")
    assert (failed.state, failed.error, failed.answer) == ("answered", "down", None)


def test_a_yes_that_did_not_cover_the_call() -> None:
    """The refused receipt stands with its question and its call."""
    refused = {
        "question": "q-1",
        "tool": "shop/pay",
        "call": "c1",
        "why": "the facts the rule reads have changed",
    }
    story = explain(
        None,
        lines(
            CREATED,
            claimed(0),
            sent(0, "a"),
            effect(1, "planned"),
            (
                1,
                "question.asked",
                "agent:a",
                "a",
                1,
                {"question": "q-1", "kind": "approve", "details": {"call": "c1"}},
            ),
            (2, "question.answered", "person:lena", "a", 0, {"question": "q-1", "answer": {"yes": True}}),
            (3, "receipt.refused", "agent:a", "a", 1, refused),
        ),
    )

    assert story.questions[0].not_covered == ("the facts the rule reads have changed",)
    assert only(story, "a").tools[0].notes == (
        "an earlier yes did not cover it: the facts the rule reads have changed",
    )


def test_a_body_that_diverged() -> None:
    """What it left out stands with the attempt."""
    story = explain(
        None,
        lines(
            CREATED,
            claimed(0),
            sent(0, "a"),
            (1, "body.diverged", "agent:a", "a", 1, {"why": "it left out a payment"}),
        ),
    )

    assert only(story, "a").diverged == "it left out a payment"


def test_an_empty_record_is_an_empty_story() -> None:
    """Nothing recorded, nothing claimed."""
    story = explain(None, [])

    assert (story.run, story.events, story.timing.total) == ("", 0, 0.0)


def test_a_remote_agent_is_told_as_one_call() -> None:
    """From its first message, over its questions, to its answer; or it was stopped, or is silent."""
    named = {"remote": "risk", "url": "https://risk.example"}
    first: Event = (1, "remote.sent", "agent:a", "a", 1, {**named, "asked": "Score this", "bytes": 10})
    again: Event = (2, "remote.sent", "agent:a", "a", 1, {**named, "asked": "yes", "turn": 1, "bytes": 3})
    told = {**named, "answer": {"level": "low"}, "digest": "d" * 64, "bytes": 15, "seconds": 2.5}
    (answered,) = calls(first, again, (3, "remote.answered", "agent:a", "a", 1, told))
    (silent,) = calls(first)
    stopped = {**named, "told": True, "why": "its time was over"}
    (canceled,) = calls(first, (3, "remote.canceled", "agent:a", "a", 1, stopped))

    assert answered.tool == "the remote agent risk at https://risk.example"
    assert (answered.state, answered.arguments, answered.answer) == (
        "answered",
        "Score this",
        {"level": "low"},
    )
    assert (answered.seconds, answered.bytes, answered.error) == (2.5, 15, "")
    assert (silent.state, silent.error) == ("sent", "it has not answered")
    assert canceled.error == "it was asked to stop: its time was over"
