"""Finds facts in a text that nobody said: amounts, dates, identifiers and people without a source.

The promise. Reported is every occurrence in the text of one of these that occurs in no evidence value and in
no known phrase (strings and numbers anywhere inside the evidence count, keys of objects do not):

- amount: a number with a currency sign, code or word before or after it; equal as a decimal, with its sign.
- date: a day and a month, written as `2026-03-12`, `12.03.2026`, `12/03/2026` (either way round),
  `12 March 2026`, `March 12`, `12 Mar`; equal as a date. Where the text names no year, any year will do.
- identifier: letters and digits in one token of five characters or more, with dashes or without; equal but
  for case and dashes. Called a tracking number without a dash and from nine characters on, else an order id.
- person: two or more capitalised words in a row that are no ordinary words; one such word or more after a
  salutation (`Dear`), a title (`Ms`), an introduction (`my colleague`), or alone below a closing line. The
  words must stand side by side in one evidence value (last name first will do, an initial stands for its
  name) or be two neighbouring one-word fields of one object. Places and firms look like people: the same
  rule holds.

Not detected: what a figure is about (any number of the evidence supports any amount, in any currency); times
of day, weekdays, months without a day, spans and relative dates; numbers in words, percentages, plain counts,
cents; the first figure of `10 to 20 EUR` and the second of `EUR 10-20`; the first day of `12-14 March` and
the last of `March 12-14`; identifiers of digits alone, with spaces, or that read as a count with a unit
(`30-day`); one capitalised word in running text; names that are ordinary words (`April`, `Will`) or
abbreviations of up to three capitals, that are in small letters or a script without capitals, or are broken
over two lines; claims in words of any kind. Two German nouns in a row are taken for a person.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Literal, TypeAlias

from pydantic import BaseModel

from interlock.core.canonical import Json, plain
from interlock.core.figures import Day, Found, amounts, blank, dates, found, numbers
from interlock.core.people import is_word, named_in, opens_sentence, people, words_of

Kind: TypeAlias = Literal["amount", "date", "order id", "tracking number", "person"]

_TOKEN = re.compile(r"[^\W_]+(?:[-_]+[^\W_]+)*")
_COUNTED = re.compile(r"\d{1,4}[a-z]*(?:-(?:\d{1,4}[a-z]*|[A-Z]?[a-z]+))*")
_LEAST, _LONG = 5, 9
"""Characters of an identifier, and of one that is called a tracking number."""


class Unsupported(BaseModel, frozen=True, extra="forbid"):
    """Something a text states that no evidence value says."""

    kind: Kind
    text: str
    """As it stands in the text."""


def ungrounded(text: str, evidence: Iterable[Json], known: Iterable[str] = ()) -> list[Unsupported]:
    """What the text states without a source, in the text's order, each once.

    Args:
        text: What is about to be said.
        evidence: Answers of tools and people, as JSON.
        known: Words of the house: the shop's name, its people, its sign-off.
    """
    said = _Said()
    for value in (*evidence, *known):
        said.add(plain(value))
    text = unicodedata.normalize("NFC", text)
    missing: list[tuple[Found, Kind]] = []

    def take(places: Iterable[tuple[Found, Kind, bool]]) -> None:
        """Keeps what is missing and blanks all of it, so that no figure is read twice."""
        nonlocal text
        read = list(places)
        missing.extend((place, kind) for place, kind, backed in read if not backed)
        text = blank(text, [place for place, _, _ in read])

    take((place, "date", said.day(readings)) for place, readings in dates(text))
    take((place, "amount", value in said.numbers or said.token(place)) for place, value in amounts(text))
    take((place, _kind(place.text), said.token(place)) for place in _identifiers(text))
    take((place, "person", said.person(text, place)) for place in people(text))
    missing.sort(key=lambda item: item[0].start)
    return list(dict.fromkeys(Unsupported(kind=kind, text=place.text) for place, kind in missing))


@dataclass(slots=True)
class _Said:
    """All that evidence says, ready to be looked up."""

    numbers: set[Decimal] = field(default_factory=set[Decimal])
    days: set[Day] = field(default_factory=set[Day])
    tokens: set[str] = field(default_factory=set[str])
    words: list[str] = field(default_factory=list[str])

    def add(self, value: Json) -> None:
        """Takes over one value with everything inside it."""
        match value:
            case None | bool():
                pass
            case str():
                self._read(unicodedata.normalize("NFC", value))
            case int() | float():
                number = Decimal(value) if isinstance(value, int) else Decimal(repr(value))
                self.numbers |= {number} if number.is_finite() else set()
            case dict():
                self._join(value.values())
                for part in value.values():
                    self.add(part)
            case list():
                for part in value:
                    self.add(part)

    def _read(self, text: str) -> None:
        """Reads a string as it is, and as what is left of it once dates and amounts are taken."""
        every = list(dates(text))
        self.days |= {day for _, readings in every for day in readings}
        rest = blank(text, [place for place, _ in every])
        self.numbers |= numbers(rest)
        left = blank(rest, [place for place, _ in amounts(rest)])
        self.tokens |= {_token(place.text) for part in (text, left) for place in _tokens(part)}
        self.words += [words_of(text)]

    def _join(self, parts: Iterable[Json]) -> None:
        """Reads first and last name in fields of their own as one name."""
        single = [part if isinstance(part, str) and is_word(part) else "" for part in parts]
        self.words += [words_of(f"{one} {two}") for one, two in pairwise(single) if one and two]

    def day(self, readings: set[Day]) -> bool:
        """Says whether one reading of a date is a date of the evidence."""
        return any(
            (day.month, day.day) == (other.month, other.day) and day.year in (None, other.year)
            for day in readings
            for other in self.days
        )

    def token(self, place: Found) -> bool:
        """Says whether this is an identifier of the evidence; `EUR10001` could be one, or an amount."""
        return _token(place.text) in self.tokens

    def person(self, text: str, place: Found) -> bool:
        """Says whether a name is known; a sentence's first word need not belong to the name after it."""
        name = words_of(place.text).split()
        more = len(name) > 2 and opens_sentence(text, place.start)
        return named_in(name, self.words) or (more and named_in(name[1:], self.words))


def _identifiers(text: str) -> Iterator[Found]:
    for place in _tokens(text):
        mixed = any(c.isdigit() for c in place.text) and any(c.isalpha() for c in place.text)
        if mixed and len(place.text) >= _LEAST and not _COUNTED.fullmatch(place.text):
            yield place


def _tokens(text: str) -> Iterator[Found]:
    """Words and numbers with their dashes; dashes that look the same are the same."""
    return (found(match) for match in _TOKEN.finditer(re.sub("[\u2010\u2011]", "-", text)))


def _token(text: str) -> str:
    return re.sub("[-_]", "", text).casefold()


def _kind(identifier: str) -> Kind:
    return "tracking number" if "-" not in identifier and len(identifier) >= _LONG else "order id"
