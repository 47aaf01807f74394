"""Spans as a projection of the record: deterministic, whole, and under names that are pinned here."""

import json
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from interlock.core.events import KINDS
from interlock.core.principal import Principal
from interlock.core.runs import Run
from interlock.core.trace import root_of, trace_of
from interlock.observability import attributes as a
from interlock.observability.attributes import Content
from interlock.observability.exporting import encoded, place
from interlock.observability.outbox import NotSent, Once, Outbox
from interlock.observability.spans import Projection
from interlock.observability.traced import Labels, Span
from interlock.observability.tracing import sent_before
from tests.receiver import decoded, langfuse_type
from tests.recorded import START, lines, recorded

RUN = Run(
    id="r-1",
    graph="support",
    version="v",
    owner=Principal(user="olga"),
    session="s-1",
    created_at=START,
    updated_at=START,
)


def spans_of(name: str, labels: Labels | None = None) -> list[Span]:
    """The spans of one recorded run."""
    found = recorded()[name]
    return Projection(found.run, labels or Labels()).read(found.lines).spans


ENDED = ["approved", "rejected", "gave up", "refused", "busy", "asking"]


@pytest.mark.parametrize("name", ENDED)
def test_every_run_is_one_whole_trace(name: str) -> None:
    """Whatever happened: one root, every parent there, no span twice, none that ends before it begins."""
    run, spans = recorded()[name].run, spans_of(name)
    ids = Counter(span.id for span in spans)
    assert max(ids.values()) == 1
    assert {span.trace for span in spans} == {trace_of(run.id)}
    assert [span.id for span in spans if not span.parent] == [root_of(run.id)]
    assert {span.parent for span in spans if span.parent} <= set(ids)
    assert all(span.begun <= span.ended for span in spans)


@pytest.mark.parametrize("name", [*ENDED, "waiting", "erased"])
def test_reading_in_pieces_gives_the_same_spans(name: str) -> None:
    """It does not matter where a worker stopped and another went on."""
    found = recorded()[name]
    pieces = Projection(found.run, Labels())
    made = [span for line in found.lines for span in pieces.read([line]).spans]
    assert made == spans_of(name)
    assert pieces.at == len(found.lines)


@pytest.mark.parametrize("name", ENDED)
def test_both_vocabularies_say_the_same_type(name: str) -> None:
    """Where OpenTelemetry has a word for a type, its attributes alone give the same type to Langfuse."""
    for span in spans_of(name):
        only = {key: value for key, value in span.attributes.items() if not key.startswith("langfuse.")}
        declared = langfuse_type(span.attributes)
        if a.OPERATION in span.attributes:
            assert langfuse_type(only) == declared, span
        else:
            assert declared in ("GUARDRAIL", "CHAIN", "EVALUATOR", "SPAN"), span


def test_an_erased_record_still_has_its_shape() -> None:
    """Bodies are gone, so content and names are; times, types and nesting stay."""
    whole, erased = spans_of("approved"), spans_of("erased")
    assert "ann@example.com" in str(whole) and "ann@example.com" not in str(erased)
    assert "A-1001" not in str(erased)
    assert erased


def test_a_policy_that_denies_and_a_yes_that_does_not_cover_are_guardrails() -> None:
    """Each guard that held something back is a guardrail with its rule and reason."""
    denied = {"tool": "shop/pay_back", "rule": "7bc8", "reason": "not at night", "verdict": "deny"}
    made = [
        (0.0, "run.created", "person:olga", "", 0, {"input": {}}),
        (1.0, "task.sent", "agent:returns", "t", 1, {"agent": "returns"}),
        (2.0, "tool.denied", "agent:returns", "t", 1, denied),
        (3.0, "receipt.refused", "agent:returns", "t", 1, {"tool": "x", "why": "other arguments"}),
        (4.0, "task.invalid", "agent:returns", "t", 1, {"why": "no schema"}),
        (5.0, "body.diverged", "agent:returns", "t", 1, {"why": "it asked for something else"}),
        (6.0, "answer.refused", "person:eve", "t", 0, {"why": "it is for shift-lead"}),
    ]
    spans = Projection(RUN, Labels()).read(lines(*made)).spans
    told = [(span.name, span.attributes[a.TYPE], span.attributes.get(a.LEVEL)) for span in spans]
    assert told == [
        ("policy: denied", "guardrail", "WARNING"),
        ("approval: does not cover it", "guardrail", "WARNING"),
        ("schema: quarantined", "guardrail", "ERROR"),
        ("journal: diverged", "guardrail", "ERROR"),
        ("answer: refused", "guardrail", "WARNING"),
    ]
    assert spans[0].attributes[a.STATUS] == "not at night"
    assert spans[0].attributes[a.METADATA + "rule"] == "7bc8"


def test_an_effect_nobody_knows_of_is_an_error_when_the_run_ends() -> None:
    """Unknown is not the end of an effect: settled it gets its span, unsettled it is an error."""
    made = [
        (0.0, "run.created", "person:olga", "", 0, {}),
        (1.0, "effect.sent", "agent:x", "t", 1, {"tool": "shop/pay", "key": "k1"}),
        (2.0, "effect.unknown", "agent:x", "t", 1, {"tool": "shop/pay", "key": "k1", "state": "unknown"}),
        (3.0, "effect.sent", "agent:x", "t", 1, {"tool": "shop/send", "key": "k2"}),
        (4.0, "effect.settled", "agent:x", "t", 1, {"key": "k1", "state": "confirmed", "by": "lena"}),
        (5.0, "run.moved", "person:olga", "", 0, {"from": "blocked", "to": "canceled", "reason": "enough"}),
    ]
    settled, unknown, root = Projection(RUN, Labels()).read(lines(*made)).spans
    assert (settled.name, settled.attributes[a.METADATA + "by"], settled.failed) == (
        "shop/pay",
        "lena",
        False,
    )
    assert (settled.ended - settled.begun).total_seconds() == 3
    assert (unknown.name, unknown.failed) == ("shop/send", True)
    assert root.name == "support" and root.ended == unknown.ended


def test_a_remote_agent_is_a_span_for_each_message() -> None:
    """Every message that was sent is shown until the next one, its answer, or its end; none is lost."""
    far = {"remote": "risk", "url": "https://risk.example", "asked": "How risky is it?"}
    made = [
        (0.0, "run.created", "person:olga", "", 0, {}),
        (1.0, "task.sent", "agent:risk", "t", 1, {"agent": "risk"}),
        (2.0, "remote.sent", "agent:risk", "t", 1, {**far, "turn": 0}),
        (5.0, "remote.sent", "agent:risk", "t", 1, {**far, "turn": 1, "asked": "Order A-1."}),
        (9.0, "remote.answered", "agent:risk", "t", 1, {"state": "completed", "answer": {"score": 3}}),
        (9.5, "remote.sent", "agent:risk", "t", 2, far),
        (9.7, "remote.canceled", "agent:risk", "t", 2, {"told": True, "why": "the run was canceled"}),
        (9.8, "remote.sent", "agent:risk", "t", 3, far),
        (9.9, "remote.answered", "agent:risk", "t", 3, {"state": "failed", "error": "risk broke"}),
    ]
    first, second, canceled, failed = Projection(RUN, Labels()).read(lines(*made)).spans
    assert (first.name, first.attributes[a.TYPE], first.attributes[a.METADATA + "turn"]) == (
        "a2a risk",
        "agent",
        0,
    )
    assert [(each.ended - each.begun).total_seconds() for each in (first, second)] == [3, 4]
    assert first.parent == second.parent != root_of("r-1")
    assert (second.attributes[a.INPUT], second.attributes[a.OUTPUT]) == ("Order A-1.", '{"score":3}')
    assert (canceled.attributes[a.LEVEL], canceled.failed) == ("WARNING", False)
    assert (failed.attributes[a.STATUS], failed.failed) == ("risk broke", True)


def test_a_failed_model_call_is_a_failed_generation() -> None:
    """Nobody answered: the route, who was asked, and an error."""
    body = {"route": "careful", "why": "nobody answered", "passed": [{"model": "a", "why": "timeout"}]}
    made = [
        (0.0, "run.created", "person:olga", "", 0, {}),
        (4.0, "model.failed", "agent:x", "t", 1, {**body, "seconds": 3.0}),
    ]
    (span,) = Projection(RUN, Labels()).read(lines(*made)).spans
    assert (span.name, span.failed, span.attributes[a.TYPE]) == ("route careful", True, "generation")
    assert (span.ended - span.begun).total_seconds() == 3
    assert json.loads(str(span.attributes[a.METADATA + "passed"])) == body["passed"]


@pytest.mark.parametrize(
    ("said", "name", "number"),
    [("returns@langfuse-7-4f1a00", "returns", 7), ("returns@7-4f1a00", "returns", None), ("", None, None)],
)
def test_a_generation_names_its_prompt(said: str, name: str | None, number: int | None) -> None:
    """A prompt of Langfuse's is linked by name and number; a file's version is told beside it."""
    body = {"route": "default", "model": "openai:gpt-x", "prompt": "hi", "text": "ho", "usd": "0.0021"}
    body |= {"prompt_version": said, "finish": "stop", "requests": [{"name": "look", "arguments": {"a": 1}}]}
    made = [(0.0, "model.called", "agent:x", "t", 1, body)]
    (span,) = Projection(RUN, Labels()).read(lines(*made)).spans
    said_of = span.attributes
    assert (said_of.get(a.PROMPT_NAME), said_of.get(a.PROMPT_VERSION)) == (name, number)
    assert json.loads(str(said_of[a.COST])) == {"total": 0.0021}
    assert said_of[a.PROVIDER] == "openai" and said_of[a.FINISH] == ["stop"]
    assert said_of[a.OUTPUT] == 'ho\nlook({"a": 1})'


def test_a_rollback_is_told_after_the_end() -> None:
    """Effects that were taken back, and the rollback itself, join the trace of the ended run."""
    made = [
        (0.0, "run.created", "person:olga", "", 0, {}),
        (1.0, "run.moved", "person:olga", "", 0, {"to": "canceled", "reason": "enough"}),
        (2.0, "run.claimed", "worker:w", "", 0, {"fence": 2}),
        (3.0, "effect.sent", "agent:rollback", "t", 0, {"tool": "shop/undo", "key": "k"}),
        (4.0, "effect.confirmed", "agent:rollback", "t", 0, {"key": "k", "state": "confirmed"}),
        (5.0, "run.moved", "worker:w", "", 0, {"to": "rolled_back", "reason": "effects were taken back"}),
    ]
    record = lines(*made)
    spans = Projection(RUN, Labels()).read(record).spans
    assert [span.name for span in spans] == ["support", "shop/undo", "rolled back"]
    assert sent_before(record, begun=True) == 2
    assert sent_before(record, begun=False) == len(record)


def test_what_was_sent_before_is_known_from_the_record_alone() -> None:
    """A new worker sends what came after the last letting go, and what a killed one left behind."""
    claim, end = ("run.claimed", "worker:w"), ("segment.ended", "worker:w")
    kinds = [("run.created", "person:olga"), claim, end, ("question.answered", "person:lena"), claim]
    record = lines(*((float(n), kind, who, "", 0, {}) for n, (kind, who) in enumerate(kinds)))
    assert sent_before(record, begun=True) == 3
    killed = lines(*((float(n), kind, who, "", 0, {}) for n, (kind, who) in enumerate([*kinds, claim, end])))
    assert sent_before(killed, begun=True) == 3
    assert sent_before(killed, begun=False) == 7
    assert sent_before(record[:1], begun=False) == 0


def test_every_kind_of_event_is_shown_or_known_not_to_be() -> None:
    """A new kind of event is a decision: a span, or a line in this list."""
    told_elsewhere = {"response.delivered", "effect.unknown", "effect.compensated", "subject.erased"}
    assert set(KINDS) - set(Projection._HANDLERS) == told_elsewhere  # pyright: ignore[reportPrivateUsage]
    assert set(Projection._HANDLERS) <= set(KINDS)  # pyright: ignore[reportPrivateUsage]


def test_langfuses_names_are_its_own_packages_names() -> None:
    """The names written down here are those of the installed Langfuse package."""
    from langfuse import LangfuseOtelSpanAttributes as theirs

    assert (a.TYPE, a.LEVEL, a.STATUS) == (
        theirs.OBSERVATION_TYPE,
        theirs.OBSERVATION_LEVEL,
        theirs.OBSERVATION_STATUS_MESSAGE,
    )
    assert (a.INPUT, a.OUTPUT) == (theirs.OBSERVATION_INPUT, theirs.OBSERVATION_OUTPUT)
    assert theirs.OBSERVATION_METADATA + "." == a.METADATA
    assert (a.MODEL, a.MODEL_PARAMETERS) == (theirs.OBSERVATION_MODEL, theirs.OBSERVATION_MODEL_PARAMETERS)
    assert (a.USAGE, a.COST) == (theirs.OBSERVATION_USAGE_DETAILS, theirs.OBSERVATION_COST_DETAILS)
    assert (a.PROMPT_NAME, a.PROMPT_VERSION) == (
        theirs.OBSERVATION_PROMPT_NAME,
        theirs.OBSERVATION_PROMPT_VERSION,
    )
    assert (a.TRACE_NAME, a.TRACE_TAGS) == (theirs.TRACE_NAME, theirs.TRACE_TAGS)
    assert theirs.TRACE_METADATA + "." == a.TRACE_METADATA
    assert (a.USER, a.SESSION) == (theirs.TRACE_USER_ID, theirs.TRACE_SESSION_ID)
    assert (a.ENVIRONMENT, a.RELEASE, a.VERSION) == (theirs.ENVIRONMENT, theirs.RELEASE, theirs.VERSION)
    assert theirs.IS_APP_ROOT == a.APP_ROOT


def test_opentelemetrys_names_are_pinned() -> None:
    """These names are not stable there: a change of one is seen here first."""
    assert a.OPERATIONS == {"agent": "invoke_agent", "tool": "execute_tool", "generation": "chat"}
    pinned = {
        "gen_ai.operation.name": a.OPERATION,
        "gen_ai.conversation.id": a.CONVERSATION,
        "gen_ai.agent.name": a.AGENT_NAME,
        "gen_ai.agent.version": a.AGENT_VERSION,
        "gen_ai.tool.name": a.TOOL_NAME,
        "gen_ai.tool.call.id": a.TOOL_CALL,
        "gen_ai.tool.call.arguments": a.TOOL_ARGUMENTS,
        "gen_ai.tool.call.result": a.TOOL_RESULT,
        "gen_ai.request.model": a.REQUEST_MODEL,
        "gen_ai.response.model": a.RESPONSE_MODEL,
        "gen_ai.provider.name": a.PROVIDER,
        "gen_ai.usage.input_tokens": a.INPUT_TOKENS,
        "gen_ai.usage.output_tokens": a.OUTPUT_TOKENS,
        "gen_ai.response.finish_reasons": a.FINISH,
        "gen_ai.input.messages": a.INPUT_MESSAGES,
        "gen_ai.output.messages": a.OUTPUT_MESSAGES,
        "gen_ai.prompt.name": a.GEN_PROMPT_NAME,
        "mcp.method.name": a.MCP_METHOD,
        "error.type": a.ERROR_TYPE,
    }
    assert all(name == ours for name, ours in pinned.items())


@pytest.mark.parametrize(
    ("attributes", "type_"),
    [
        ({"langfuse.observation.type": "guardrail", "gen_ai.operation.name": "chat"}, "GUARDRAIL"),
        ({"gen_ai.operation.name": "invoke_agent"}, "AGENT"),
        ({"gen_ai.operation.name": "invoke_workflow"}, "SPAN"),
        ({"gen_ai.tool.name": "x", "gen_ai.request.model": "m"}, "TOOL"),
        ({"gen_ai.request.model": "m"}, "GENERATION"),
        ({}, "SPAN"),
    ],
)
def test_the_table_of_types_has_langfuses_order(attributes: dict[str, str], type_: str) -> None:
    """What Langfuse declares comes before operations, tools before models."""
    assert langfuse_type(attributes) == type_


def test_content_is_nothing_cut_or_whole() -> None:
    """The three modes of one long text with a secret in it."""
    text = "password: hunter22 " + "x" * 3_000
    assert Content("none").words(text) == "" == Content("none").value({"a": text})
    assert len(Content("redacted").words(text)) < 2_050 and "hunter22" not in Content("redacted").words(text)
    assert len(Content("full").words(text)) > 3_000 and "hunter22" not in Content("full").words(text)
    assert Content().value({"a": 1}) == '{"a":1}'


def test_what_cannot_be_written_as_it_is_does_not_lose_the_batch() -> None:
    """Half a character and a number beyond 64 bits are written as something near."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    span = Span("a" * 32, "b" * 16, "", "n\u00e9", now, now, {"half": "a\ud800", "huge": 2**70, "yes": True})
    (got,) = decoded(encoded([span]))
    assert got.attributes == {"half": "a?", "huge": str(2**70), "yes": True}
    assert got.begun == int(now.timestamp()) * 10**9


def test_a_receiver_is_named_without_its_credentials() -> None:
    """What people are told of a URL holds no password and no key."""
    assert place("https://user:secret@traces.example:4318/v1/traces?key=1") == "https://traces.example:4318"


class Post:
    """A receiver that lets batches through when told to."""

    def __init__(self, *, refuse: NotSent | None = None) -> None:
        """Takes everything, or refuses everything."""
        self.refuse = refuse
        self.taken: list[int] = []
        self.gate = threading.Event()
        self.asked = threading.Event()
        self.closed = threading.Event()

    def __call__(self, batch: Sequence[int]) -> None:
        """Waits to be let through."""
        self.asked.set()
        assert self.gate.wait(10)
        if self.refuse is not None:
            raise self.refuse
        self.taken.extend(batch)

    def close(self) -> None:
        """Notes it."""
        self.closed.set()


def test_more_than_fits_is_dropped_counted_and_said_once() -> None:
    """While the receiver is busy the queue fills to its bound; putting never waits."""
    post, once = Post(), Once()
    outbox = Outbox[int]("traces", "here", lambda: post, once, most=3)
    outbox.put([0])
    assert post.asked.wait(10)
    for number in range(1, 10):
        outbox.put([number])
    assert outbox.dropped == 6
    assert list(once.said.values()) == [
        "traces cannot be sent to here: more came than could be sent. Runs go on without them."
    ]
    post.gate.set()
    outbox.close(10)
    assert post.taken == [0, 1, 2, 3] and post.closed.wait(10)


def test_a_receiver_that_is_too_slow_at_the_end_is_given_up() -> None:
    """The end waits no longer than it was told to, and what was left counts as dropped."""
    post, once = Post(), Once()
    outbox = Outbox[int]("scores", "here", lambda: post, once)
    outbox.put([1])
    assert post.asked.wait(10)
    outbox.put([2, 3])
    outbox.close(0.01)
    assert outbox.dropped == 2 and "too slow" in once.said["here"]
    outbox.put([4])
    assert outbox.dropped == 3
    post.gate.set()
    assert post.closed.wait(10)


def test_two_outboxes_of_one_receiver_complain_once() -> None:
    """Traces and scores that fail for the same reason are one line."""
    once = Once()
    for what in ("traces", "scores"):
        post = Post(refuse=NotSent("it answered 401"))
        post.gate.set()
        outbox = Outbox[int](what, "here", lambda post=post: post, once)
        outbox.put([1, 2])
        outbox.close(10)
        assert outbox.dropped == 2
    assert len(once.said) == 1


def test_a_receiver_that_cannot_even_be_prepared_drops_everything() -> None:
    """An import that fails is a lost trace, not a failed run."""

    def broken() -> Post:
        raise ImportError("no such package")

    once = Once()
    outbox = Outbox[int]("traces", "here", broken, once)
    outbox.put([1])
    outbox.close(10)
    outbox.put([2])
    assert outbox.dropped == 2 and "ImportError" in once.said["here"]


def test_nothing_is_started_where_nothing_is_sent() -> None:
    """An outbox that was never used ends at once."""
    outbox = Outbox[int]("traces", "here", Post, Once())
    outbox.put([])
    outbox.close(10)
    assert outbox.dropped == 0
