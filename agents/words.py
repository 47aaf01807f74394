"""Small vocabularies that survive misspelling, for reading what people write. Knows no agent and no ticket.

A word counts as one of a vocabulary if it is written as such, with two neighbouring letters swapped, or,
where it is long enough not to be another word, with one letter too many or too few.
"""

import re
import unicodedata
from collections.abc import Container, Iterable
from functools import lru_cache

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SWAPPABLE = 4
"""Letters a word needs before a swap of two of them is forgiven: `use` is not a misspelt `sue`."""
FORGIVING = 6
"""Letters a word needs before one too many or too few is forgiven: `were` is not a misspelt `where`."""
_OTHER = (
    "lots form from does quite bowl pots scratchy used using three monkey monkeys layers contract directory"
    " median whereas receiver sparse others hear hears"
)
OTHER_WORDS = frozenset(_OTHER.split())
"""Words that look like misspellings of words in use here, and are not."""


class Words:
    """A vocabulary; `in` asks whether a token is one of its words, well or badly spelt."""

    def __init__(self, words: str, *, verbs: str = "") -> None:
        """Takes words as they are, and verbs whose regular forms are meant as well, separated by spaces."""
        self.forms = frozenset(words.split()) | {form for verb in verbs.split() for form in _forms(verb)}

    def __contains__(self, token: object) -> bool:
        """Says whether the token is one of the words."""
        return isinstance(token, str) and not self.forms.isdisjoint(_spellings(token))

    def __or__(self, other: "Words") -> "Words":
        """Both vocabularies in one."""
        return Words(" ".join(self.forms | other.forms))


NEGATION = Words(
    "not nto no never nobody nothing none neither without dont doesnt didnt isnt wasnt arent werent havent"
    " hasnt hadnt cant cannot couldnt wont wouldnt shouldnt aint nicht kein keine keinen nie nichts ohne"
)


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text."""
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def tokens(text: str) -> list[str]:
    """The words of a text in small letters, without accents and apostrophes; a comma is a token."""
    plain = unicodedata.normalize("NFKD", re.sub("['’`´]", "", text.casefold()))
    return re.findall(r"[^\W_]+|,", "".join(c for c in plain if not unicodedata.combining(c)))


def places(said: list[str], words: Container[str]) -> list[int]:
    """Where words of a vocabulary stand."""
    return [place for place, token in enumerate(said) if token in words]


def has(said: list[str], words: Container[str]) -> bool:
    """Says whether any word of a vocabulary was said."""
    return any(token in words for token in said)


def near(said: list[str], one: Container[str], other: Container[str], within: int) -> bool:
    """Says whether words of two vocabularies stand at most `within` tokens apart, in whichever order."""
    others = places(said, other)
    return any(a != b and abs(a - b) <= within for a in places(said, one) for b in others)


def followed(said: list[str], one: Container[str], other: Container[str], within: int) -> bool:
    """Says whether a word of `other` comes at most `within` tokens after one of `one`, no comma between."""
    others = places(said, other)
    return any(0 < b - a <= within and "," not in said[a:b] for a in places(said, one) for b in others)


def denied(said: list[str], place: int, within: int = 3) -> bool:
    """Says whether a negation stands shortly before a place, with no comma between."""
    before = said[max(0, place - within) : place]
    return has(before[len(before) - before[::-1].index(",") :] if "," in before else before, NEGATION)


@lru_cache(maxsize=20_000)
def _spellings(token: str) -> frozenset[str]:
    """What a token may have been meant to be."""
    meant = {token}
    if token in OTHER_WORDS or len(token) < SWAPPABLE or not token.isalpha():
        return frozenset(meant)
    cuts = [(token[:i], token[i:]) for i in range(len(token) + 1)]
    meant |= {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    if len(token) >= FORGIVING:
        meant |= {a + b[1:] for a, b in cuts if a and b}
        meant |= {a + letter + b for a, b in cuts if a for letter in LETTERS}
    return frozenset(meant)


def _forms(verb: str) -> Iterable[str]:
    """The regular forms of an English verb."""
    stem = verb[:-1] if verb[-1] in "ey" else verb
    doubled = verb + verb[-1]
    past = f"{stem}ied" if verb.endswith("y") else f"{stem}ed"
    plain = (verb, f"{verb}s", f"{verb}es", past, f"{verb}ed", f"{stem}ing", f"{verb}ing")
    return *plain, f"{doubled}ed", f"{doubled}ing"
