"""Makes a ticket look hastily written: misspelt words, or sentences in another order. Pure.

What identifies something (order ids, tracking numbers, e-mail addresses, amounts) is never touched.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from interlock.core.canonical import Json

Spelling: TypeAlias = Literal["plain", "noisy", "reordered"]
ONE_IN = 10
"""Every tenth word, on average, is misspelt; that is a hurried writer, not a broken keyboard."""
WORD = re.compile(r"(?<!\S)[\"'(]*([^\W\d_]{4,})[.,;:!?\"')]*(?!\S)")
"""Words of letters alone, with punctuation around them: no part of a number, an address or a link."""
GAP = re.compile(r"(?<=[.!?])\s+|\s*\n+\s*")


def varied(
    ticket: Mapping[str, Json], spelling: Spelling, fields: Sequence[str], seed: int
) -> dict[str, Json]:
    """The ticket in this spelling; the same seed gives the same ticket."""
    change = CHANGES[spelling]
    rng = random.Random(f"{seed} {ticket.get('id')} {spelling}")
    changed: dict[str, Json] = {}
    for name in fields:
        value = ticket.get(name)
        if isinstance(value, str):
            changed[name] = change(value, rng)
    return {**ticket, **changed}


def misspelt(text: str, rng: random.Random) -> str:
    """The text with some words misspelt: at least one, if there is one that may be."""
    words = list(WORD.finditer(text))
    count = max(1, round(len(words) / ONE_IN)) if words else 0
    for found in sorted(rng.sample(words, count), key=lambda word: -word.start()):
        start, end = found.span(1)
        text = text[:start] + _slip(found[1], rng) + text[end:]
    return text


def reordered(text: str, rng: random.Random) -> str:
    """The text with its sentences in another order; one sentence stays as it is."""
    sentences, gaps = GAP.split(text), GAP.findall(text)
    if len(set(sentences)) < 2:
        return text
    mixed = list(sentences)
    while mixed == sentences:
        rng.shuffle(mixed)
    return "".join(part + _after(part, gap) for part, gap in zip(mixed, [*gaps, ""], strict=True))


def _after(part: str, gap: str) -> str:
    """The gap after a part; a line's end where the part, a name perhaps, would run into the next one."""
    return gap if not gap or part.endswith((".", "!", "?")) else "\n"


def _slip(word: str, rng: random.Random) -> str:
    """The word with one slip after its first letter."""
    at = rng.randrange(1, len(word) - 1)
    a, b = word[at], word[at + 1]
    slips = [a + b + b, b] if a == b else [b + a, b, a + a + b]
    return word[:at] + rng.choice(slips) + word[at + 2 :]


def _same(text: str, rng: random.Random) -> str:
    return text


CHANGES: dict[Spelling, Callable[[str, random.Random], str]] = {
    "plain": _same,
    "noisy": misspelt,
    "reordered": reordered,
}
