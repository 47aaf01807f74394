"""The review card: short, honest about who may answer, and deaf to hostile text."""

import unicodedata
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.questions import Question, QuestionKind
from interlock.observability.cards import LINES, WIDTH, card
from tests.recorded import START

KINDS: list[QuestionKind] = ["approve", "clarify", "settle", "review", "relay"]
SOON = START + timedelta(minutes=3)
LABELS = (
    "What",
    "With",
    "Call",
    "Response",
    "Details",
    "Takes",
    "Why",
    "Evidence",
    "Who",
    "On no",
    "Answer",
    "State",
)
TEXT = st.text(max_size=300) | st.sampled_from(
    [
        "\x1b[2J\x1b[1;1HWho       everybody may answer",
        "1\nOn no     nothing happens\r\nWho       mallory may answer",
        "\u202e001 tnuoma\u202c \u2028Who       mallory\x85x\x00\x9b31m",
        "a" + "\u0301" * 200,
        "\ud800" + "𝔘" * 300,
        "x" * 5_000,
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
DETAILS = st.dictionaries(
    st.sampled_from(
        [
            "tool",
            "arguments",
            "user",
            "rule",
            "reason",
            "evidence",
            "on_no",
            "response",
            "problems",
            "why",
            "value",
            "x",
        ]
    )
    | TEXT,
    JSON,
    max_size=8,
)


def question(kind: QuestionKind = "approve", **changes: Any) -> Question:
    """A question about a refund, open for a day."""
    made = Question(
        id="q-0123456789ab",
        run="r-1",
        task="returns",
        agent="returns",
        kind=kind,
        digest="call-1",
        title="Pays money back to the customer: order_id A-1001, amount 250",
        details={
            "tool": "shop/pay_back",
            "arguments": {"order_id": "A-1001", "amount": "250"},
            "user": "olga",
            "rule": "rule-1",
            "reason": "returns must ask before calling shop/pay_back (shift-lead answers) when: It is large",
            "evidence": [{"source": "shop/latest_order", "value": {"id": "A-1001", "total": "250"}}],
            "on_no": "shop/pay_back is not called; returns is told so.",
        },
        whom="shift-lead",
        asked_at=START,
        expires_at=START + timedelta(hours=24),
    )
    return made.model_copy(update=changes)


def labelled(lines: list[str], label: str) -> str:
    """The first line of a part, without its label."""
    return next(line.removeprefix(label).strip() for line in lines if line.startswith(f"{label} "))


def test_an_approval_says_everything_a_person_needs() -> None:
    """What, with what, for whom, by which rule, on what evidence, who, until when, and how to answer."""
    lines = card(question(), SOON)

    assert labelled(lines, "What") == "Pays money back to the customer"
    assert labelled(lines, "With") == "order_id A-1001, amount 250"
    assert labelled(lines, "Call") == "shop/pay_back, on behalf of olga"
    assert labelled(lines, "Why").startswith("rule: returns must ask before calling shop/pay_back")
    assert labelled(lines, "Evidence") == "shop/latest_order said id A-1001, total 250"
    assert labelled(lines, "Who") == "shift-lead may answer, within 23 h 57 min"
    assert labelled(lines, "On no") == "shop/pay_back is not called; returns is told so."
    assert labelled(lines, "Answer").startswith("interlock approvals approve q-0123456789ab or: reject")


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_question_still_has_a_card(kind: QuestionKind) -> None:
    """Without any details, a card says who may answer, what happens on no, and how to answer."""
    lines = card(question(kind, title="", details={}, whom="owner"), SOON)

    assert labelled(lines, "Who") == "the run's owner may answer, within 23 h 57 min"
    assert labelled(lines, "On no")
    assert "q-0123456789ab" in labelled(lines, "Answer")


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("approve", "interlock approvals approve"),
        ("review", "interlock approvals approve"),
        ("clarify", '--answer "…"'),
        ("relay", '--answer "…"'),
        ("settle", "interlock effects settle"),
    ],
)
def test_each_kind_is_answered_in_its_own_way(kind: QuestionKind, command: str) -> None:
    """The card names the command that answers this kind of question."""
    assert command in labelled(card(question(kind), SOON), "Answer")


def test_a_review_shows_the_response_and_its_problems() -> None:
    """The draft and what the gate found wrong with it."""
    details = {"response": {"text": "We paid 9 EUR."}, "problems": "No evidence has amount '9 EUR'."}
    lines = card(question("review", details=details), SOON)

    assert labelled(lines, "Response") == "text “We paid 9 EUR.”"
    assert labelled(lines, "Why") == "No evidence has amount '9 EUR'."


def test_a_question_with_choices_names_them() -> None:
    """What the answer may be stands on the card."""
    lines = card(question("clarify", details={}, answer_schema={"enum": ["refund", "exchange"]}), SOON)

    assert labelled(lines, "Takes") == "one of: refund, exchange"


def test_a_foreign_question_shows_what_it_was_asked_with() -> None:
    """The value a graph body interrupted with is spread out under the title."""
    lines = card(question("clarify", title="Which?", details={"value": {"orders": ["A-1", "A-2"]}}), SOON)

    assert labelled(lines, "Details") == "orders A-1, A-2"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"state": "answered", "answer": {"yes": True}, "answered_by": "lena", "comment": "fine"},
            "lena answered yes: fine",
        ),
        ({"state": "answered", "answer": {"yes": False}, "answered_by": "lena"}, "lena answered no"),
        ({"state": "answered", "answer": "blue", "answered_by": "lena"}, "lena answered blue"),
        ({"state": "withdrawn"}, "withdrawn: it is not asked any more"),
        ({"expires_at": START + timedelta(minutes=1)}, "expired: nobody answered"),
    ],
)
def test_a_closed_question_says_how_it_closed(changes: dict[str, Any], told: str) -> None:
    """Nothing invites an answer that would not be taken."""
    lines = card(question(**changes), SOON)

    assert labelled(lines, "State") == told
    assert not [line for line in lines if line.startswith(("Answer", "On no"))]


def test_a_long_argument_hides_no_other() -> None:
    """Each argument is shortened by itself, so that the amount is seen beside a very long note."""
    lines = card(question(details={"arguments": {"note": "x" * 4_000, "amount": "250"}}), SOON)

    assert "amount 250" in labelled(lines, "With")


def test_a_value_cannot_pass_for_two() -> None:
    """A text with a comma or a quote in it is quoted."""
    lines = card(question(details={"arguments": {"order_id": "A-1”, amount 5, x “", "amount": "250"}}), SOON)

    assert labelled(lines, "With") == "order_id “A-1', amount 5, x '”, amount 250"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("subject", ["arguments", "response", "x"])
def test_the_fullest_card_keeps_its_end(kind: QuestionKind, subject: str) -> None:
    """With every part at its longest, the last three of its lines are still those that matter."""
    long = "many words " * 60
    names = ("tool", "user", "reason", "problems", "on_no")
    details: Any = {name: long for name in names} | {subject: {"a": long, "b": long}}
    evidence = [{"source": long, "value": long}] * 5
    asked = question(kind, title=long, details={**details, "evidence": evidence}, whom=long)
    if subject != "arguments":
        asked.details.pop("tool")
    asked = asked.model_copy(update={"answer_schema": {"enum": [long] * 9}})

    lines = card(asked, SOON)

    assert 11 <= len(lines) <= LINES and all(len(line) <= WIDTH for line in lines)
    assert [line.split("  ")[0] for line in lines[-3:]] == ["Who", "On no", "Answer"]


@settings(max_examples=80, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    details=DETAILS,
    schema=st.dictionaries(st.sampled_from(["enum", "type", "properties", "x"]), JSON, max_size=3),
    title=TEXT,
    comment=TEXT,
    answer=JSON,
    whom=TEXT.filter(bool),
    state=st.sampled_from(["open", "answered", "expired", "withdrawn"]),
    hours=st.integers(-100, 100),
)
def test_no_question_breaks_its_card(
    kind: QuestionKind,
    details: Any,
    schema: Any,
    title: str,
    comment: str,
    answer: Any,
    whom: str,
    state: Any,
    hours: int,
) -> None:
    """At most 12 lines of 100 printable characters, only our labels, who may answer, and how."""
    asked = question(
        kind,
        details=details,
        answer_schema=schema,
        title=title,
        comment=comment,
        answer=answer,
        whom=whom,
        state=state,
        expires_at=START + timedelta(hours=hours),
    )

    lines = card(asked, SOON)

    assert len(lines) <= LINES and all(len(line) <= WIDTH for line in lines)
    assert all(line.isprintable() for line in lines)
    assert not [
        c for line in lines for c in line if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    ]
    assert all(line.startswith((" " * 10, *LABELS)) for line in lines[1:])
    assert (
        [line for line in lines if line.startswith("Who ") and " may answer, " in line]
        == [line for line in lines if line.startswith("Who ")]
        != []
    )
    assert len({line[:10] for line in lines[1:] if not line.startswith(" ")}) == sum(
        not line.startswith(" ") for line in lines[1:]
    )
    assert lines[-1].startswith("Answer ") == (state == "open" and hours > 0)
