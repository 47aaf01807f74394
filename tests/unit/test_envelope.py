"""What travels beside a remote task, written on one side and read on the other."""

from decimal import Decimal
from typing import Any

import pytest

from interlock.a2a.envelope import EXTENSION, Answered, Asked, Envelope, answered, asked, read, write
from interlock.errors import BadInput

WHOLE = Envelope(
    deadline_ms=1500,
    tokens=20_000,
    usd=Decimal("0.25"),
    key="il-0a1b",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)


@pytest.mark.parametrize("envelope", [WHOLE, Envelope(), Envelope(tokens=0), Envelope(usd=Decimal("1E-9"))])
def test_what_is_written_is_read(envelope: Envelope) -> None:
    """Both sides agree, also where things are absent or nothing is left."""
    assert read(write(envelope)) == envelope


def test_numbers_are_text_on_the_wire() -> None:
    """A2A makes a float of every number, and a float of a sum of money is another sum."""
    assert all(isinstance(value, str) for value in write(WHOLE)[EXTENSION].values())


def test_floats_are_read() -> None:
    """Another writer's numbers arrive as floats; what is behind the point is dropped, never rounded up."""
    assert read({EXTENSION: {"deadline_ms": 1500.0, "tokens": 9.99, "usd": 0.25}}) == Envelope(
        deadline_ms=1500, tokens=9, usd=Decimal("0.25")
    )


@pytest.mark.parametrize(
    "field",
    [
        {"deadline_ms": -1},
        {"tokens": float("nan")},
        {"usd": "Infinity"},
        {"usd": "-0.01"},
        {"tokens": True},
        {"tokens": "many"},
        {"tokens": []},
        {"usd": "1e300"},
        {"key": "a b"},
        {"key": 3},
    ],
)
def test_what_cannot_be_meant_is_refused(field: dict[str, Any]) -> None:
    """A number below zero, or one that is none, is a mistake to be told, never a limit to be guessed."""
    with pytest.raises(BadInput):
        read({EXTENSION: field})


def test_what_is_not_an_envelope_is_refused() -> None:
    """A text where the fields should be is told."""
    with pytest.raises(BadInput, match="must be an object"):
        read({EXTENSION: "1500"})


def test_a_message_of_somebody_else_has_none() -> None:
    """Foreign metadata, unknown fields and a broken trace do not matter."""
    assert read({"other": 1}) == Envelope()
    assert read({EXTENSION: {"colour": "red", "traceparent": "00-xyz"}}) == Envelope()


def test_a_question_travels_as_data() -> None:
    """A question and its answer come out as they went in."""
    question = Asked(question="q-1", kind="clarify", answer_schema={"type": "string"})
    assert asked(question.model_dump(mode="json")) == question
    for answer in (Answered(question="q-1", yes=True), Answered(question="q-1", value={"size": 3})):
        assert answered(answer.model_dump(mode="json")) == answer


@pytest.mark.parametrize("data", [None, "yes", [], {}, {"question": "q 1", "kind": "clarify", "value": 1}])
def test_other_data_is_no_question_and_no_answer(data: object) -> None:
    """What has not the form is not taken for one."""
    assert asked(data) is None
    assert answered(data) is None


def test_a_kind_nobody_knows_and_an_answer_without_one_are_none() -> None:
    """A question needs a kind of ours, an answer a yes, a no or a value."""
    assert asked({"question": "q-1", "kind": "sing"}) is None
    assert answered({"question": "q-1"}) is None
    assert answered({"question": "q-1", "yes": "certainly"}) is None
