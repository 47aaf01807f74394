"""A remote agent's question keeps the data that came beside its words, and may be answered with data."""

from interlock.a2a.answers import Heard
from interlock.a2a.relays import answer_to, kept
from interlock.core.canonical import Json

DATA: Json = {"interrupts": [{"interruptId": "i-1"}]}
ASKS = Heard(standing="asks", words="May I?", beside=DATA)
AS_DATA = '{"interruptResponse": {"interruptId": "i-1", "response": "yes"}}'


def test_data_beside_the_words_is_kept() -> None:
    """An answer may have to name what only that data names."""
    assert kept(ASKS)["data"] == DATA


def test_data_of_any_size_is_not_kept() -> None:
    """A peer decides what it sends, not how much of it is stored."""
    large = Heard(standing="asks", words="May I?", beside={"text": "x" * 5_000})

    assert kept(large)["data"] is None


def test_an_object_answers_as_data_where_data_was_asked_with() -> None:
    """Some peers refuse an answer in words."""
    assert answer_to(kept(ASKS), AS_DATA, "") == {
        "interruptResponse": {"interruptId": "i-1", "response": "yes"}
    }


def test_everything_else_answers_in_words() -> None:
    """Plain words, broken JSON, and an object for a peer that asked in words alone stay as they are."""
    in_words = kept(Heard(standing="asks", words="May I?"))

    assert answer_to(kept(ASKS), "yes", "") == "yes"
    assert answer_to(kept(ASKS), "{not JSON", "") == "{not JSON"
    assert answer_to(in_words, AS_DATA, "") == AS_DATA
