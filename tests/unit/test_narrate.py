"""The story of a run in plain text."""

import re

import pytest

from interlock.observability.explain import explain
from interlock.observability.narrate import WIDTH, narrate
from tests.recorded import CANARY, Recorded, lines, recorded


@pytest.fixture(scope="module")
def runs() -> dict[str, Recorded]:
    """Real runs of many shapes."""
    return recorded()


def told(made: Recorded) -> str:
    """The story as one line of text, so that folding does not matter."""
    return " ".join(" ".join(narrate(explain(made.run, made.lines))).split())


def test_a_normal_story_is_short_and_ends_with_the_numbers(runs: dict[str, Recorded]) -> None:
    """At most sixty lines of at most a hundred characters, in sections, the numbers last."""
    story = narrate(explain(runs["approved"].run, runs["approved"].lines))
    headings = [line for line in story[1:] if line and not line.startswith(" ")]

    assert len(story) <= 60 and all(len(line) <= WIDTH for line in story)
    assert headings == [
        "What was asked",
        "How it ended",
        "How the work was planned",
        "What was done",
        "What people were asked",
        "How the answer was checked",
        "In numbers",
    ]
    assert "The record of this run has" in story[-1]


@pytest.mark.parametrize(
    "name", ["approved", "rejected", "waiting", "gave up", "busy", "asking", "refused", "erased"]
)
def test_a_story_has_no_raw_ids_and_clean_sentences(runs: dict[str, Recorded], name: str) -> None:
    """After its title a story names no question, receipt, key or digest, and no sentence ends twice."""
    text = told(runs[name]).removeprefix(f"The story of run {runs[name].run.id}")

    assert not re.search(r"\b(q-|rc-|il-|r-)[0-9a-f]{12}|[0-9a-f]{32}", text)
    assert not re.search(r"(?<!\.)\.\.(?!\.)|\s[.,]|\(\)|None|\{|\bTrue\b", text)


def test_an_approval_is_told_with_everybody_in_it(runs: dict[str, Recorded]) -> None:
    """Who asked, why, who was not let, who said yes and with which words, and what then happened."""
    text = told(runs["approved"])

    assert "returns asked shift-lead to approve: Pays money back to the customer" in text
    assert "An answer by eve was not taken: the question is for shift-lead; eve may not answer it." in text
    assert "lena answered yes after" in text and "saying “she called twice”." in text
    assert "It called shop/pay_back with order_id A-1001, amount 250: it happened" in text
    assert "what it had done before was not done again" in text


def test_a_no_is_told_as_not_sent(runs: dict[str, Recorded]) -> None:
    """The call, who said no, and that it was not sent."""
    assert "lena said no, so it was not sent." in told(runs["rejected"])


def test_a_waiting_run_says_for_whom(runs: dict[str, Recorded]) -> None:
    """An open question is told as unanswered, its call as not sent."""
    text = told(runs["waiting"])

    assert "The run waits for a person." in text
    assert "it was not sent, because no yes has come" in text and "Nobody has answered." in text


def test_a_request_nobody_may_handle_says_which_route_refused_it(runs: dict[str, Recorded]) -> None:
    """The rejected route, its reason, and the missing plan."""
    text = told(runs["gave up"])

    assert "Route lost_parcel was tried and not taken: returns is not for 'exchanges'." in text
    assert "No route had a plan that could be carried out." in text


def test_trouble_is_told_where_it_happened(runs: dict[str, Recorded]) -> None:
    """A quarantined output, a fallback, a conflict, a revision, a task that never began, a refusal."""
    busy, asking = told(runs["busy"]), told(runs["asking"])

    assert (
        "Its output was kept from everybody: flaky returned something that does not have its schema" in busy
    )
    assert "shaky, with helper standing in, began" in busy
    assert "shop said lost; carrier said delivered. Rule prefer decided: Trusts carrier, then shop." in busy
    assert "carrier was believed." in busy
    assert "The gate sent the answer back" in busy and "The gate let the answer pass" in busy
    assert "It was not given what shaky found" in busy
    assert "quick and flaky; slow; shaky" in busy
    assert "reader never began: it needs archive, which gave up: the order is too old." in asking
    assert "olga answered “the blue one”" in asking and "It was handed over by desk/send" in asking
    assert "The gate refused the answer" in told(runs["refused"])


def test_an_erased_story_says_what_is_gone(runs: dict[str, Recorded]) -> None:
    """Who erased how much; names of agents, times and numbers stay, contents do not."""
    text = told(runs["erased"])

    assert "27 of 28 entries of the record were erased by olga" in text
    assert "returns began after" in text and "lena answered erased" in text
    assert "A-1001" not in text and "ann@example.com" not in text and "shop/pay_back" not in text


def test_a_dead_worker_is_told() -> None:
    """A turn that ended without a word is a sentence of its own."""
    record = lines(
        (0, "run.created", "person:ada", "", 0, {"graph": "g", "version": "1", "input": {"text": "x"}}),
        (0, "run.claimed", "worker:one", "", 0, {"fence": 1}),
        (1, "task.sent", "agent:a", "a", 1, {"agent": "a"}),
        (9, "run.claimed", "worker:two", "", 0, {"fence": 2}),
        (10, "task.returned", "agent:a", "a", 1, {"status": "completed", "output": 1}),
        (11, "segment.ended", "worker:two", "", 0, {"state": "completed"}),
    )
    text = " ".join(narrate(explain(None, record)))

    assert "A worker stopped without a word after 1.0 s; another turn went on from there." in text
    assert "2 workers in 2 turns" in text


def test_rare_trouble_is_told_too() -> None:
    """A denied call, a failed read, an effect taken back, a judge, a divergence, an open conflict."""
    about = {"about": "price", "rule": "none", "reason": "no rule is declared", "winner": None}
    claims = [{"source": "shop", "value": 1}, {"source": "carrier", "value": 2}]
    record = lines(
        (0, "run.created", "person:ada", "", 0, {"graph": "g", "version": "1", "input": "x"}),
        (0, "run.claimed", "worker:one", "", 0, {"fence": 1}),
        (0, "route.tried", "agent:g", "plan", 1, {"route": "guess", "came_to": "gave up", "why": "too hard"}),
        (0, "plan.rejected", "agent:g", "plan", 1, {"route": "model", "why": "it names nobody"}),
        (1, "task.sent", "agent:a", "a", 1, {"agent": "a"}),
        (1, "tool.denied", "agent:a", "a", 1, {"tool": "shop/x", "reason": "a may never call shop/x"}),
        (1, "tool.read", "agent:a", "a", 1, {"tool": "shop/y", "error": {"message": "it is down"}}),
        (1, "tool.read", "agent:a", "a", 1, {"tool": "shop/z", "bytes": 9000, "digest": "d"}),
        (2, "effect.sent", "agent:a", "a", 1, {"tool": "shop/pay", "call": "c", "key": "k"}),
        (
            2,
            "effect.unknown",
            "agent:a",
            "a",
            1,
            {"tool": "shop/pay", "call": "c", "key": "k", "why": "silence"},
        ),
        (
            3,
            "effect.confirmed",
            "agent:a",
            "a",
            1,
            {"tool": "shop/pay", "call": "c", "key": "k", "by": "look-up"},
        ),
        (3, "reflection.judged", "agent:a", "a", 1, {"judge": "too short"}),
        (3, "body.diverged", "agent:a", "a", 1, {"why": "it left out a payment"}),
        (4, "task.returned", "agent:a", "a", 1, {"status": "gave_up", "why": "it is too old"}),
        (4, "conflict.decided", "agent:g", "join", 0, {"resolution": {**about, "claims": claims}}),
        (
            5,
            "effect.compensated",
            "agent:rollback",
            "a",
            0,
            {"tool": "shop/pay", "call": "c", "by": "shop/undo"},
        ),
        (
            5,
            "run.moved",
            "supervisor",
            "",
            0,
            {"from": "failed", "to": "rolled_back", "reason": "taken back"},
        ),
    )
    text = " ".join(" ".join(narrate(explain(None, record))).split())

    assert (
        "Route guess was tried and gave up: too hard. Route model was tried and its plan does not fit" in text
    )
    assert "It was not allowed to call shop/x: a may never call shop/x." in text
    assert "It asked shop/y: no answer, because it is down." in text
    assert "It asked shop/z: an answer of 9000 bytes." in text
    assert "It called shop/pay: it happened and was taken back by shop/undo." in text
    assert "In between, it was not known whether it happened: silence." in text
    assert "The judge said: too short." in text
    assert "Run again, it did something else than before: it left out a payment." in text
    assert "and gave up: it is too old." in text
    assert "No rule could tell who is right (no rule is declared), so a person had to decide." in text
    assert "The run was rolled back after 5.0 s. The reason given: taken back." in text


def test_hostile_text_cannot_leave_its_line() -> None:
    """Escapes and line breaks in a request are made harmless, and no line begins with them."""
    hostile = "\x1b[2Jx\nHow it ended\r\n  The run completed\u2028"
    record = lines(
        (0, "run.created", f"person:{hostile}", "", 0, {"graph": hostile, "input": {hostile: hostile}})
    )
    story = narrate(explain(None, record))

    assert all(line.isprintable() for line in story)
    assert story.count("How it ended") == 1


def test_nothing_at_all_has_a_story() -> None:
    """A run without a record does not break the telling of it."""
    assert narrate(explain(None, []))[0] == "The story of run (unknown)"


def test_the_model_is_named(runs: dict[str, Recorded]) -> None:
    """Which model was asked, how many tokens it took, and what it said."""
    assert (
        f"It asked the model scripted-1 (12 tokens in under 0.001 s), which replied “{CANARY} of a model”."
        in re.sub(r"tokens in [^)]*", "tokens in under 0.001 s", told(runs["busy"]))
    )
