"""The spans of a run, read off its record: one for each thing that happened, under deterministic ids.

A span's id is the beginning of the id of the event it is named after (`core.trace`). So the same
record gives the same spans in every process, and a re-executed node adds none.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import ClassVar

from interlock.core.canonical import Json
from interlock.core.runs import FINAL, Run
from interlock.core.stores import Line
from interlock.core.trace import caller_of, root_of, span_of, trace_of
from interlock.observability import attributes as a
from interlock.observability.attributes import Attributes, Level, kept, metadata, observed
from interlock.observability.facts import Fact
from interlock.observability.plan_attributes import INTAKE, PLAN, Planning
from interlock.observability.span_attributes import agent, generation, tool
from interlock.observability.traced import Labels, Score, Seen, Span, labels_of

_GUARDS: dict[str, tuple[str, Level]] = {
    "tool.denied": ("policy: denied", "WARNING"),
    "effect.planned": ("policy: ask", "DEFAULT"),
    "receipt.refused": ("approval: does not cover it", "WARNING"),
    "answer.refused": ("answer: refused", "WARNING"),
    "task.invalid": ("schema: quarantined", "ERROR"),
    "body.diverged": ("journal: diverged", "ERROR"),
    "model.bypassed": ("doors: bypassed", "WARNING"),
}


class Projection:
    """Reads the record of one run in order; give it every line once, from the first."""

    def __init__(self, run: Run, labels: Labels) -> None:
        """Knows the run's row; everything else comes from the lines."""
        self.run = run
        self.at: int = 0
        """The last line that was read."""
        self._content = labels.content
        self._trace = trace_of(run.id, run.trace)
        self._root = root_of(run.id)
        self._labels = labels_of(run, labels)
        self._open: dict[tuple[str, ...], Fact] = {}
        self._attempts: dict[str, int] = {}
        self._plans: dict[str, Planning] = {}
        self._input: Json = None
        self._response: Json = None
        self._start: datetime = run.created_at
        self._seen = Seen()

    def read(self, lines: Iterable[Line]) -> Seen:
        """The spans and scores that these lines complete."""
        self._seen = Seen()
        for line in lines:
            handler = self._HANDLERS.get(line.event.kind)
            if handler is not None:
                handler(self, Fact(line, self._start))
            self.at = line.event.seq
        return self._seen

    # The run -----------------------------------------------------------------------------------

    def _created(self, fact: Fact) -> None:
        self._start = fact.line.event.at
        self._input = fact.body.get("input")

    def _claimed(self, fact: Fact) -> None:
        self._open["segment", ""] = fact

    def _segment(self, fact: Fact) -> None:
        begun = self._open.pop(("segment", ""), fact)
        told = {"worker": fact.actor, "state": fact.note("state"), "spend": dict(fact.part("spend"))}
        self._add(fact, "segment", observed("span") | metadata(told), begun=begun)

    def _moved(self, fact: Fact) -> None:
        to, reason = fact.note("to"), fact.note("reason")
        if to == "executing" and fact.note("from") == "planning":
            self._planned("", fact, reason)
        elif to == "rolled_back":
            status = self._content.words(reason)
            self._add(fact, "rolled back", observed("span", "WARNING", status))
        elif to in FINAL:
            self._ended(fact, to, reason)

    def _ended(self, fact: Fact, state: str, reason: str) -> None:
        """The run's own span, after whatever never came back."""
        self._planned("", fact, reason)
        for name in [name for name in self._open if name[0] in ("task", "effect", "remote")]:
            begun = self._open.pop(name)
            self._left(begun, fact)
        outcome = fact.note("outcome")
        level: Level = "ERROR" if state == "failed" else "DEFAULT" if outcome == "resolved" else "WARNING"
        told: dict[str, Json] = {"state": state, "outcome": outcome, "owner": self.run.owner.user}
        told["graph_version"] = self.run.version
        status = self._content.words(reason) if level != "DEFAULT" else ""
        values = observed("agent", level, status) | metadata(told)
        values |= self._put(self._input, self._response)
        values |= {a.AGENT_NAME: self.run.graph, a.VERSION: self.run.version}
        caller = caller_of(self.run.trace)
        if caller is None:
            values[a.APP_ROOT] = True
        parent = caller.span if caller else ""
        self._span(self._root, parent, self.run.graph, self._start, fact, values)
        self._score(fact, "outcome", outcome or state, self._content.words(reason))

    def _left(self, begun: Fact, fact: Fact) -> None:
        unknown = begun.kind == "effect.sent"
        name = begun.note("tool") or begun.note("agent") or begun.note("remote") or begun.actor
        status = "it is not known whether it happened" if unknown else "it was not done when the run ended"
        values = observed("tool" if unknown else "agent", "ERROR" if unknown else "WARNING", status)
        values |= {a.TOOL_NAME: name} if unknown else {a.AGENT_NAME: name}
        self._span(begun.line.event.id[:16], self._parent(begun), name, begun.line.event.at, fact, values)

    # Planning and tasks ------------------------------------------------------------------------

    def _loaded(self, fact: Fact) -> None:
        self._plans[fact.task.removesuffix(INTAKE)] = Planning(fact, self._content)

    def _route(self, fact: Fact) -> None:
        if (planning := self._plans.get(fact.task.removesuffix(PLAN))) is not None:
            planning.try_(fact)

    def _plan(self, fact: Fact) -> None:
        within = fact.task.removesuffix(PLAN)
        if (planning := self._plans.pop(within, None)) is not None:
            planning.attempt = fact.attempt
            given = self._input if not within else None
            self._add_plan(
                within, planning, fact, planning.made(fact) | self._put(given, fact.body.get("plan"))
            )

    def _planned(self, within: str, fact: Fact, reason: str) -> None:
        """Planning that came to nothing."""
        if (planning := self._plans.pop(within, None)) is not None:
            self._add_plan(within, planning, fact, planning.nothing(reason))

    def _add_plan(self, within: str, planning: Planning, fact: Fact, values: Attributes) -> None:
        task = within + PLAN
        span = span_of(self.run.id, "task.sent", task, planning.attempt)
        begun = planning.begun.line.event.at
        self._span(span, self._around(task), PLAN, begun, fact, values | _about(planning.begun))

    def _task_sent(self, fact: Fact) -> None:
        self._open["task", fact.task, str(fact.attempt)] = fact
        self._attempts[fact.task] = fact.attempt

    def _task_returned(self, fact: Fact) -> None:
        sent = self._open.pop(("task", fact.task, str(fact.attempt)), fact)
        span = span_of(self.run.id, "task.sent", fact.task, fact.attempt)
        values = agent(sent, fact, self._content) | _about(fact)
        name = sent.note("agent") or fact.note("agent") or fact.actor
        self._planned(f"{fact.task}/", fact, fact.note("why"))
        self._span(span, self._around(fact.task), name, sent.line.event.at, fact, values)

    # Calls -------------------------------------------------------------------------------------

    def _read(self, fact: Fact) -> None:
        level: Level = "ERROR" if fact.part("error") else "DEFAULT"
        self._call(fact, fact, tool(fact, fact, level, self._content))

    def _effect_sent(self, fact: Fact) -> None:
        self._open["effect", fact.task, fact.note("key")] = fact

    def _effect_ended(self, fact: Fact) -> None:
        sent = self._open.pop(("effect", fact.task, fact.note("key")), fact)
        state = fact.note("state")
        level: Level = (
            "ERROR" if state == "failed" else "WARNING" if fact.kind == "effect.settled" else "DEFAULT"
        )
        self._call(sent, fact, tool(sent, fact, level, self._content))

    def _call(self, sent: Fact, fact: Fact, values: Attributes) -> None:
        begun = sent.line.event.at if sent is not fact else _before(fact)
        name = sent.note("tool") or "tool"
        self._span(
            sent.line.event.id[:16], self._parent(sent), name, begun, fact, values | _about(sent), client=True
        )

    def _model(self, fact: Fact) -> None:
        values = generation(fact, self._content) | _about(fact)
        name = fact.note("model") or f"route {fact.note('route')}"
        self._span(
            fact.line.event.id[:16], self._parent(fact), name, _before(fact), fact, values, client=True
        )

    def _remote_sent(self, fact: Fact) -> None:
        """Each message is a span of its own, because what the remote agent does is shown below it."""
        name = "remote", fact.task, str(fact.attempt)
        if name in self._open:
            self._remote(self._open[name], fact, "DEFAULT", {"state": "another message followed"})
        self._open[name] = fact

    def _remote_ended(self, fact: Fact) -> None:
        sent = self._open.pop(("remote", fact.task, str(fact.attempt)), fact)
        canceled = fact.kind == "remote.canceled"
        level: Level = "ERROR" if fact.note("error") else "WARNING" if canceled else "DEFAULT"
        told: dict[str, Json] = {"state": "canceled" if canceled else fact.note("state")}
        told |= {"told_to_stop": fact.body.get("told"), "remote_task": fact.note("remote_task")}
        self._remote(sent, fact, level, told)

    def _remote(self, sent: Fact, fact: Fact, level: Level, told: dict[str, Json]) -> None:
        agent_name = sent.note("remote") or sent.actor
        told |= {each: sent.body.get(each) for each in ("peer", "turn", "sends", "message")}
        told["url"] = self._content.url(sent.note("url"))
        status = self._content.words(fact.note("error") or fact.note("why"))
        answer = fact.body.get("answer") if fact is not sent else None
        values = observed("agent", level, status) | metadata(told) | self._put(sent.body.get("asked"), answer)
        values |= {a.AGENT_NAME: agent_name} | _about(sent)
        span, begun = sent.line.event.id[:16], sent.line.event.at
        name = f"a2a {agent_name}"
        self._span(span, self._parent(sent), name, begun, fact, values, client=True)

    # People, and what holds a run back ---------------------------------------------------------

    def _asked(self, fact: Fact) -> None:
        self._open["question", fact.note("question")] = fact

    def _answered(self, fact: Fact) -> None:
        """The wait for a person is a span: from the question to its answer, expiry or withdrawal."""
        asked = self._open.pop(("question", fact.note("question")), None)
        if asked is None:
            return
        answer, kind = fact.body.get("answer"), asked.note("kind")
        came_to = fact.kind.partition(".")[2]
        yes = answer.get("yes") if isinstance(answer, dict) else None
        told: dict[str, Json] = {"kind": kind, "whom": asked.note("whom"), "came_to": came_to, "yes": yes}
        told |= {"by": fact.note("by"), "comment": self._content.words(fact.note("comment"))}
        values = observed("span", "DEFAULT" if came_to == "answered" else "WARNING") | metadata(told)
        values |= self._put(asked.note("title"), answer)
        span, begun = asked.line.event.id[:16], asked.line.event.at
        self._span(span, self._parent(asked), f"question: {kind}", begun, fact, values | _about(asked))

    def _gate(self, fact: Fact) -> None:
        verdict = fact.note("verdict")
        level: Level = "DEFAULT" if verdict == "accept" else "ERROR" if verdict == "refuse" else "WARNING"
        wrong = [each for each in fact.items("checks") if each.get("problem")]
        problems = " ".join(str(each.get("problem")) for each in wrong) or fact.note("reason")
        told: dict[str, Json] = {"verdict": verdict, "by": fact.note("by"), "of": fact.note("of")}
        told["checks"] = {str(each.get("check")): each.get("verdict") for each in fact.items("checks")}
        words = self._content.words(problems)
        self._add(fact, "gate", observed("guardrail", level, words) | metadata(told))
        self._score(fact, "gate", verdict, words, fact.line.event.id[:16])

    def _accepted(self, fact: Fact) -> None:
        if "/" not in fact.task:  # what a supervisor inside a task answers is that task's output
            self._response = fact.body.get("response")

    def _guard(self, fact: Fact) -> None:
        """A policy, a schema or the journal held something back."""
        name, level = _GUARDS[fact.kind]
        words = self._content.words(fact.note("reason") or fact.note("why"))
        told = {
            each: fact.body.get(each)
            for each in ("tool", "rule", "verdict", "policy", "call", "user", "question", "model", "sent")
            if fact.body.get(each)
        }
        self._add(fact, name, observed("guardrail", level, words) | metadata(told))

    def _decided(self, fact: Fact) -> None:
        told = fact.part("resolution")
        about = self._content.words(str(told.get("about") or ""))  # such as an order and its state
        values = observed("span") | metadata({"about": about, "rule": told.get("rule")})
        self._add(fact, "conflict", values | self._put(None, dict(told)))

    def _judged(self, fact: Fact) -> None:
        words = fact.note("judge")
        told = {"round": fact.body.get("round"), "of": fact.body.get("of"), "content": not words}
        values = observed("evaluator", "WARNING" if words else "DEFAULT", self._content.words(words))
        self._add(fact, "judge", values | metadata(told))

    def _noted(self, fact: Fact) -> None:
        """Something to know that took no time: a skipped task, a loaded skill, a fitted context."""
        level: Level = "WARNING" if fact.kind == "task.skipped" else "DEFAULT"
        values = observed("span", level, self._content.words(fact.note("why")))
        body = {name: value for name, value in fact.body.items() if name not in ("why", "version")}
        self._add(fact, fact.kind.replace(".", " "), values | self._put(None, body))

    # Spans -------------------------------------------------------------------------------------

    def _parent(self, fact: Fact) -> str:
        """The span of the task that it belongs to, or of the run."""
        task = fact.task
        if fact.kind != "task.sent" and (task in self._attempts or task.rpartition("/")[2] == PLAN):
            return span_of(self.run.id, "task.sent", task, fact.attempt or self._attempts.get(task, 1))
        return self._around(task)

    def _around(self, task: str) -> str:
        """The span of the task within which a supervisor gave out this one, or of the run."""
        outer = task.rpartition("/")[0]
        if outer in self._attempts:
            return span_of(self.run.id, "task.sent", outer, self._attempts[outer])
        return self._around(outer) if outer else self._root

    def _put(self, given: Json, made: Json) -> Attributes:
        """Input and output as they may leave, and their sizes."""
        return kept(
            {
                a.INPUT: self._content.value(given),
                a.OUTPUT: self._content.value(made),
                a.INPUT_BYTES: a.size(given) if given is not None else None,
                a.OUTPUT_BYTES: a.size(made) if made is not None else None,
            }
        )

    def _add(self, fact: Fact, name: str, values: Attributes, begun: Fact | None = None) -> None:
        start = (begun or fact).line.event.at
        self._span(fact.line.event.id[:16], self._parent(fact), name, start, fact, values | _about(fact))

    def _span(
        self,
        name_of: str,
        parent: str,
        name: str,
        begun: datetime,
        fact: Fact,
        values: Attributes,
        *,
        client: bool = False,
    ) -> None:
        told = {**self._labels, **values, a.EVENT: fact.line.event.seq}
        ended = max(begun, fact.line.event.at)
        self._seen.spans.append(Span(self._trace, name_of, parent, name, begun, ended, told, client))

    def _score(self, fact: Fact, name: str, value: str, comment: str, span: str = "") -> None:
        made = Score(fact.line.event.id, name, value, "CATEGORICAL", self._trace, span, comment)
        self._seen.scores.append(made)

    _HANDLERS: ClassVar[dict[str, Callable[["Projection", Fact], None]]] = {
        "run.created": _created,
        "context.loaded": _loaded,
        "run.claimed": _claimed,
        "run.moved": _moved,
        "segment.ended": _segment,
        "route.tried": _route,
        "plan.rejected": _route,
        "plan.made": _plan,
        "task.sent": _task_sent,
        "task.returned": _task_returned,
        "tool.read": _read,
        "effect.sent": _effect_sent,
        "effect.confirmed": _effect_ended,
        "effect.failed": _effect_ended,
        "effect.settled": _effect_ended,
        "model.called": _model,
        "model.failed": _model,
        "remote.sent": _remote_sent,
        "remote.answered": _remote_ended,
        "remote.canceled": _remote_ended,
        "question.asked": _asked,
        "question.answered": _answered,
        "question.expired": _answered,
        "question.withdrawn": _answered,
        "gate.checked": _gate,
        "response.accepted": _accepted,
        "conflict.decided": _decided,
        "reflection.judged": _judged,
        **dict.fromkeys(_GUARDS, _guard),
        **dict.fromkeys(("task.skipped", "context.fitted", "skill.loaded"), _noted),
    }


def _about(fact: Fact) -> Attributes:
    return {a.TASK: fact.task, a.ATTEMPT: fact.attempt} if fact.task else {}


def _before(fact: Fact) -> datetime:
    """When something began that says how long it took."""
    return fact.line.event.at - timedelta(seconds=max(0.0, fact.number("seconds") or 0.0))
