"""Questions are answered once, in time, by who was asked; a receipt covers one exact call."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.cli.approvals import value_of
from interlock.core.canonical import Json
from interlock.core.policy import Verdict
from interlock.core.principal import Principal
from interlock.core.questions import Answer, Question, QuestionKind, Receipt, accept, question_id
from interlock.errors import AnswerRefused

NOW = datetime(2030, 6, 15, 12, tzinfo=UTC)
ADA = Principal(user="ada")
RUTH = Principal(user="ruth", scopes=("shift-lead",))


def question(kind: QuestionKind = "approve", **changes: Any) -> Question:
    """An open question, asked an hour ago, that expires in an hour."""
    fields: dict[str, Any] = {
        "id": "q-1",
        "run": "r-1",
        "task": "returns",
        "agent": "returns",
        "kind": kind,
        "digest": "d",
        "title": "Pay 49.90 EUR back?",
        "asked_at": NOW - timedelta(hours=1),
        "expires_at": NOW + timedelta(hours=1),
    }
    return Question(**{**fields, **changes})


def answer(by: Principal = ADA, **changes: Any) -> Answer:
    """A yes to the question."""
    fields: dict[str, Any] = {"question": "q-1", "by": by, "yes": True}
    return Answer(**{**fields, **changes})


def test_yes_closes_the_question() -> None:
    """What was answered, by whom and when stands in the question."""
    done = accept(question(), answer(comment="fine"), "ada", NOW)

    assert (done.state, done.answer, done.comment) == ("answered", {"yes": True, "value": None}, "fine")
    assert (done.answered_by, done.answered_at) == ("ada", NOW)


def test_no_is_an_answer_too() -> None:
    """A rejection closes the question as well."""
    assert accept(question(), answer(yes=False), "ada", NOW).answer == {"yes": False, "value": None}


NUMBER: dict[str, Json] = {"type": "integer"}
FORM: dict[str, Json] = {
    "type": "object",
    "required": ["size"],
    "properties": {"size": {"enum": ["S", "M"]}, "inner": {"type": "object", "required": ["x"]}},
}
REFUSED = [
    (question(), answer(yes=None), "needs yes or no: use `approve` or `reject`"),
    (question("settle"), answer(yes=None, value={"refund": 1}), "needs yes or no"),
    (question("clarify"), answer(value=None), "cannot take None: it needs an answer in words"),
    (question("clarify"), answer(value="  "), "it needs an answer in words"),
    (
        question("clarify", answer_schema=NUMBER),
        answer(value="5"),
        "cannot take '5': it must be of type integer",
    ),
    (question("clarify", answer_schema=NUMBER), answer(value=True), "it must be of type integer"),
    (question("clarify", answer_schema={"enum": ["S", "M"]}), answer(value="L"), "it must be one of S, M"),
    (question("relay", answer_schema=FORM), answer(value=["S"]), "it must be of type object"),
    (question("relay", answer_schema=FORM), answer(value={}), "it lacks size"),
    (question("relay", answer_schema=FORM), answer(value={"size": "L"}), "size: it must be one of S, M"),
    (question("relay", answer_schema=FORM), answer(value={"size": "S", "inner": {}}), "inner: it lacks x"),
    (question(expires_at=NOW), answer(), "expired at 2030-06-15 12:00 UTC; the answer came too late"),
    (question(state="answered", answered_by="ruth"), answer(), "was already answered by ruth and stays so"),
    (question(state="expired"), answer(), "was already expired and stays so"),
    (question(state="withdrawn"), answer(), "was already withdrawn and stays so"),
    (question(whom="shift-lead"), answer(), "is for shift-lead; ada may not answer it"),
    (question(), answer(RUTH), "is for ada; ruth may not answer it"),
    (question(), answer(question="q-2"), "question q-1 was given the answer to q-2"),
]


@pytest.mark.parametrize(("asked", "given_answer", "sentence"), REFUSED)
def test_bad_answer_is_refused_and_changes_nothing(
    asked: Question, given_answer: Answer, sentence: str
) -> None:
    """Malformed, late, second, foreign: a sentence says why, and the question stays as it was."""
    before = asked.model_dump_json()

    with pytest.raises(AnswerRefused) as refused:
        accept(asked, given_answer, "ada", NOW)

    assert sentence in refused.value.message
    assert asked.model_dump_json() == before


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "size M"),
        (NUMBER, 5),
        ({"type": "number"}, 5),
        ({"type": "number"}, 5.5),
        ({"type": "boolean"}, False),
        ({"type": "array"}, []),
        ({"type": "null"}, None),
        ({"enum": ["S", "M"]}, "S"),
        (FORM, {"size": "M", "other": 1, "inner": {"x": 1}}),
    ],
)
def test_fitting_answer_is_kept_as_it_is(schema: dict[str, Json], value: Json) -> None:
    """An answer that fits the schema is the value itself."""
    asked = question("clarify", answer_schema=schema)

    assert accept(asked, answer(yes=None, value=value), "ada", NOW).answer == value


def test_declining_to_clarify_is_an_answer() -> None:
    """A no to an open question leaves no value."""
    done = accept(question("clarify"), answer(yes=False), "ada", NOW)

    assert (done.state, done.answer) == ("answered", None)


@pytest.mark.parametrize("by", [RUTH, Principal.local("root"), Principal(user="x", team="shift-lead")])
def test_role_may_be_a_scope_or_a_team(by: Principal) -> None:
    """Whoever holds the role that was asked may answer."""
    assert accept(question(whom="shift-lead"), answer(by), "ada", NOW).answered_by == by.user


def test_question_id_is_the_same_for_the_same_question() -> None:
    """A re-executed task asks the same question; another run, task, kind, digest or turn asks another."""
    asked = ("r-1", "returns", "approve", "d", 0)
    others = [
        ("r-2", *asked[1:]),
        ("r-1", "risk", *asked[2:]),
        (*asked[:2], "review", "d", 0),
        (*asked[:3], "e", 0),
    ]

    assert question_id(*asked) == question_id("r-1", "returns", "approve", "d")
    assert (
        len({question_id(*asked), question_id(*asked[:4], 1), *(question_id(*other) for other in others)})
        == 6
    )


VERDICT = Verdict(decision="ask", rule="r", reason="large", whom="shift-lead", facts={"amount": "49.90"})
RECEIPT = Receipt(
    id="p-1",
    question="q-1",
    run="r-1",
    task="returns",
    tool="pay/refund",
    call="c",
    definition="d",
    user="ada",
    rule="r",
    whom="shift-lead",
    facts={"amount": "49.90"},
    given_by="ruth",
    expires_at=NOW + timedelta(hours=1),
)
SAME: dict[str, Any] = {"call": "c", "definition": "d", "user": "ada", "verdict": VERDICT, "now": NOW}
WORD = st.text(min_size=1, max_size=5)
CHANGES: dict[str, tuple[st.SearchStrategy[Any], str]] = {
    "call": (WORD.filter(lambda v: v != "c"), "it was given for other arguments"),
    "definition": (WORD.filter(lambda v: v != "d"), "the tool's definition has changed since"),
    "user": (WORD.filter(lambda v: v != "ada"), "it was given on behalf of somebody else"),
    "rule": (WORD.filter(lambda v: v != "r"), "another rule decides now"),
    "whom": (WORD.filter(lambda v: v != "shift-lead"), "another role has to approve now"),
    "facts": (
        st.dictionaries(WORD, st.none() | st.integers() | WORD, max_size=2),
        "the facts the rule reads have changed",
    ),
    "now": (st.integers(3600, 10**7).map(lambda s: NOW + timedelta(seconds=s)), "it has expired"),
    "used_at": (st.just(NOW), "it was used already"),
}


def same(**changes: Any) -> dict[str, Any]:
    """The call the receipt was given for, with changes."""
    return {**SAME, **changes}


def test_receipt_stands_for_the_call_it_was_given_for() -> None:
    """When nothing has changed the yes stands, until it expires."""
    assert RECEIPT.stands(**SAME) is None
    assert RECEIPT.stands(**same(now=RECEIPT.expires_at - timedelta(seconds=1))) is None


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_receipt_stands_exactly_when_nothing_has_changed(data: st.DataObject) -> None:
    """Any change of a bound field takes the yes away, and the reason names one that has changed."""
    changed = data.draw(st.sets(st.sampled_from(sorted(CHANGES))))
    values = {name: data.draw(CHANGES[name][0]) for name in sorted(changed)}
    receipt = RECEIPT.model_copy(update={k: v for k, v in values.items() if k == "used_at"})
    verdict = VERDICT.model_copy(update={k: v for k, v in values.items() if k in ("rule", "whom", "facts")})
    call: dict[str, Any] = {**SAME, **{k: v for k, v in values.items() if k in SAME}, "verdict": verdict}

    reason = receipt.stands(**call)

    assert reason in ({CHANGES[name][1] for name in changed} or {None})


def test_wording_of_the_verdict_is_not_bound() -> None:
    """The reason's words and the span to answer may change: the rule's id stands for both."""
    verdict = VERDICT.model_copy(update={"reason": "other words", "within_s": 1.0})

    assert RECEIPT.stands(**same(verdict=verdict)) is None


@pytest.mark.parametrize("value", [float("nan"), 2**60 + 1, "half \ud800"])
def test_an_answer_the_record_cannot_keep_is_refused(value: Any) -> None:
    """Such an answer gets a sentence, and the question stays open."""
    asked = question("clarify", answer_schema={"description": "any value"})
    with pytest.raises(AnswerRefused, match="cannot keep it as JSON"):
        accept(asked, answer(value=value), "ada", NOW)
    with pytest.raises(AnswerRefused, match="cannot keep it as JSON"):
        accept(question(), answer(comment="\udcff"), "ada", NOW)


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({}, "2", "2"),
        ({"type": "string"}, "2", "2"),
        ({"type": "integer"}, "2", 2),
        ({"enum": [1, 2]}, "2", 2),
        ({"enum": ["1", "2"]}, "2", "2"),
        ({"enum": ["red"]}, "red", "red"),
        ({"description": "any value"}, '{"ok": true}', {"ok": True}),
        ({"description": "any value"}, "fine", "fine"),
    ],
)
def test_an_answer_in_the_command_line_is_read_as_it_is_asked(
    schema: dict[str, Json], text: str, value: Json
) -> None:
    """Text where text is asked or is a choice, else JSON, and text where it is none."""
    assert value_of(text, question("clarify", answer_schema=schema)) == value


def test_a_yes_or_no_can_be_the_whole_answer() -> None:
    """Where a remote agent wants yes or no, the person's own yes or no is the answer."""
    asked = question("relay", answer_schema={"type": "boolean"})

    assert accept(asked, answer(yes=True), "ada", NOW).answer is True
    assert accept(asked, answer(yes=False), "ada", NOW).answer is False
    assert accept(asked, answer(value=False), "ada", NOW).answer is False
    with pytest.raises(AnswerRefused):
        accept(asked, answer(value="perhaps"), "ada", NOW)


def test_what_takes_more_than_yes_or_no() -> None:
    """A remote agent's approval is answered by yes or no; its other questions take words."""
    assert question("relay").in_words and question("clarify").in_words
    assert not question("relay", answer_schema={"type": "boolean"}).in_words
    assert not question("approve").in_words
