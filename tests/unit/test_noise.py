"""Noise: what may change in a ticket, what never does, and that the same seed gives the same ticket."""

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from interlock.core.canonical import Json
from interlock.evaluation.noise import GAP, WORD, misspelt, reordered, varied

TEXT = (
    "Hello, my order A-1001 (parcel TN40017DE) never arrived. I paid 49.90 EUR with ann.miller@example.org! "
    "Please look at https://example.org/orders/A-1001?lang=english.\nRegards, Ann"
)
KEPT = (
    "A-1001",
    "TN40017DE",
    "49.90",
    "ann.miller@example.org",
    "https://example.org/orders/A-1001?lang=english",
)


@given(st.integers())
def test_what_identifies_something_is_never_misspelt(seed: int) -> None:
    """Order ids, tracking numbers, amounts, e-mail addresses and links stay as they are."""
    noisy = misspelt(TEXT, random.Random(seed))

    assert all(each in noisy for each in KEPT)


@given(st.integers())
def test_one_word_in_ten_is_misspelt_by_one_slip(seed: int) -> None:
    """Of the words that may be, a tenth and at least one changes, each by a letter or two neighbours."""
    text = "wonderful parcels travelling slowly " * 5

    before, after = text.split(), misspelt(text, random.Random(seed)).split()

    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(changed) == 2
    assert all(a[0] == b[0] and abs(len(a) - len(b)) <= 1 for a, b in changed)


def test_a_text_without_words_stays_as_it_is() -> None:
    """There is nothing to misspell in numbers and short words."""
    assert misspelt("A-1001 to me? 5 EUR", random.Random(1)) == "A-1001 to me? 5 EUR"


@given(
    st.lists(st.sampled_from(["Hi.", "Where is it?", "It is lost!", "Ann"]), min_size=1, max_size=6),
    st.integers(),
)
def test_reordered_sentences_are_the_same_sentences(parts: list[str], seed: int) -> None:
    """Nothing is lost or added; only the order differs."""
    text = " ".join(parts)

    mixed = reordered(text, random.Random(seed))

    assert sorted(GAP.split(mixed)) == sorted(GAP.split(text)) or len(GAP.split(text)) == 1
    assert sorted(re.findall(r"\w+", mixed)) == sorted(re.findall(r"\w+", text))


def test_several_sentences_never_stay_in_order() -> None:
    """A reordered ticket is another text."""
    assert reordered("It is lost. Where is it?", random.Random(1)) == "Where is it? It is lost."


def test_the_same_seed_gives_the_same_ticket() -> None:
    """Two runs of a suite play the same noise; other fields and other seeds are independent of it."""
    ticket: dict[str, Json] = {"id": "T-1", "customer_email": "anna.maria@example.org", "text": TEXT}

    one, two = (varied(ticket, "noisy", ["text", "subject"], 1) for _ in range(2))

    assert one == two != ticket
    assert one["customer_email"] == ticket["customer_email"]
    assert varied(ticket, "plain", ["text"], 1) == ticket


def test_words_are_letters_alone() -> None:
    """What has a digit, a hyphen or a sign within is no word to change."""
    text = "base64blob pay_back(order= A-1001 well-known 'fine'; (done)."

    assert WORD.findall(text) == ["fine", "done"]
