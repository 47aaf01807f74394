"""Amounts and dates in text, as values: found however they are written, compared by what they mean.

An amount is a number with a currency; `1.000,00`, `1,000.00` and `1 000` are the same number. A single
separator before exactly three digits groups thousands. A date is a day and a month; its year may be missing.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

_SPACE = r" \t\u00a0\u202f"
_NUMBER = rf"(?:\d{{1,3}}(?:[{_SPACE}]\d{{3}})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,'’]\d+)*)"
_END = r"(?!\w|[.,'’]\d)"
_MINUS = r"(?<!\w)[-−–]"
_CODES = (
    "EUR|USD|GBP|CHF|PLN|CZK|SEK|NOK|DKK|ISK|HUF|RON|BGN|TRY|UAH|RUB|ILS|AED|SAR|JPY|CNY|KRW|INR|THB|CAD|AUD|NZD|"
    "SGD|HKD|BRL|MXN|ZAR|Eur|eur|Usd|usd|Gbp|gbp|zł|Kč|kr"
)
_WORDS = (
    r"(?i:euros?|dollars?|pounds?|francs?|franken|z[łl]ot(?:y|ys|ych)|kron(?:a|e|er|or)|yen|rupees?|pesos?)"
)
_SIGNS = "[$€£¥₹₺₽₩₪₫₴₦฿]"
_BEFORE = rf"(?:{_SIGNS}|(?<!\w)(?:{_CODES}|{_WORDS})(?![^\W\d_]))"
_AFTER = rf"(?:{_SIGNS}|(?:{_CODES}|{_WORDS})(?!\w))"
_GAP = rf"[{_SPACE}*_`]{{0,3}}"
_SCALE = rf"(?:[{_SPACE}]?(?P<scale>[kK]|[mM]|thousand|million|billion)(?!\w))?"
_SCALES = {"k": Decimal(10**3), "thousand": Decimal(10**3), "m": Decimal(10**6), "million": Decimal(10**6)}

_AMOUNTS = [
    re.compile(rf"(?P<minus>{_MINUS})?{_BEFORE}{_GAP}(?P<inner>[-−–])?(?P<number>{_NUMBER}){_SCALE}{_END}"),
    re.compile(
        rf"(?:(?P<minus>{_MINUS})|(?<=\d[-–])|(?<![\w.,'’−–-]))(?P<number>{_NUMBER}){_SCALE}{_GAP}-?{_AFTER}"
    ),
]
_BARE = re.compile(
    rf"(?:(?P<minus>{_MINUS})|(?<![\w.,:'’−–-]))(?P<number>{_NUMBER}){_END}(?![:/-]\w|[{_SPACE}]?%)"
)
_MACHINE = re.compile(r"-?\d+\.\d+")

_ENGLISH = "January February March April May June July August September October November December"
_GERMAN = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
_MONTHS = {
    name: number
    for names in (_ENGLISH.lower(), _GERMAN.lower())
    for number, month in enumerate(names.split(), 1)
    for name in (month, month[:3])
} | {"sept": 9}
_MONTH = f"(?P<name>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})(?![^\\W\\d_])\\.?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_TIME = r"(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
_DATES = [
    re.compile(
        rf"(?<![\w-])(?P<year>\d{{4}})(?P<sep>[-/.])(?P<month>\d\d)(?P=sep)(?P<day>\d\d){_TIME}(?!\w|-\w)"
    ),
    re.compile(
        r"(?<![\w.,/-])(?P<day>\d{1,2})(?P<sep>\. ?|/|-)(?P<month>\d{1,2})(?P=sep)"
        r"(?P<year>\d{4}|\d\d)(?!\w|[./-]\d)"
    ),
    re.compile(
        r"(?<![\w.,:/])(?<![^\W\d_]-)(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?"
        rf"(?:[{_SPACE}]+of)?[{_SPACE}-]*{_MONTH}(?:,?[{_SPACE}-]*{_YEAR})?(?!\w)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?<!\w){_MONTH}[{_SPACE}]*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,?[{_SPACE}]+{_YEAR})?(?!\w|[.,:]\d|%)",
        re.IGNORECASE,
    ),
]


class Day(NamedTuple):
    """A date; without a year it is that day of any year."""

    year: int | None
    month: int
    day: int


class Found(NamedTuple):
    """A place in a text."""

    start: int
    end: int
    text: str


def amounts(text: str) -> Iterator[tuple[Found, Decimal]]:
    """Yields each amount with a currency, from left to right."""
    for match in leftmost(text, _AMOUNTS):
        yield found(match), _signed(match)


def numbers(text: str) -> set[Decimal]:
    """Every number that stands for itself in a text, with or without a currency; no percentages, no times."""
    values = {value for _, value in amounts(text)}
    values |= {_signed(match) for match in _BARE.finditer(text)}
    if _MACHINE.fullmatch(text.strip()):
        values.add(Decimal(text.strip()))
    return values


def dates(text: str) -> Iterator[tuple[Found, set[Day]]]:
    """Yields each date with its possible readings (`03/04/2026` has two), from left to right."""
    for match in leftmost(text, _DATES):
        readings = _days(match)
        if readings:
            yield found(match), readings


def found(match: re.Match[str]) -> Found:
    """Where a match stands, without the space around it and a full stop after it."""
    text = match.group().strip().rstrip(".")
    start = match.start() + match.group().index(text)
    return Found(start, start + len(text), text)


def leftmost(text: str, patterns: Sequence[re.Pattern[str]]) -> Iterator[re.Match[str]]:
    """Matches of several patterns, none overlapping; the one that starts first wins, then the longest."""
    matches = [match for pattern in patterns for match in pattern.finditer(text)]
    end = 0
    for match in sorted(matches, key=lambda m: (m.start(), -m.end())):
        if match.start() >= end:
            end = match.end()
            yield match


def blank(text: str, places: Sequence[Found]) -> str:
    """The text with these places blanked out; everything else stays where it is."""
    for place in places:
        text = text[: place.start] + "\n" * (place.end - place.start) + text[place.end :]
    return text


def _signed(match: re.Match[str]) -> Decimal:
    groups = match.groupdict()
    scale = _SCALES.get(
        (groups.get("scale") or "").lower(), Decimal(10**9) if groups.get("scale") else Decimal(1)
    )
    value = _decimal(match["number"])
    value = value if scale == 1 else value * scale
    return value.copy_negate() if groups.get("minus") or groups.get("inner") else value


def _decimal(number: str) -> Decimal:
    """The value of a number as people write it."""
    number = re.sub(rf"[{_SPACE}'’]", "", number)
    mark = max(number.rfind("."), number.rfind(","))
    if mark < 0:
        return Decimal(number)
    whole, fraction = number[:mark], number[mark + 1 :]
    plain = re.sub("[.,]", "", whole)
    repeated = number.count(number[mark]) > 1
    only = plain == whole
    if repeated or (only and len(fraction) == 3 and len(whole) <= 3 and whole.strip("0")):
        return Decimal(plain + fraction)
    return Decimal(f"{plain}.{fraction}")


def _days(match: re.Match[str]) -> set[Day]:
    groups = match.groupdict()
    day, year, name = int(groups["day"]), groups.get("year"), groups.get("name")
    if name is not None:
        # "all 12 may be returned" is no date
        pairs = set[tuple[int, int]]() if name == "may" else {(_MONTHS.get(name.casefold(), 0), day)}
    else:
        month = int(groups["month"])
        pairs = {(month, day)}
        if not match.group().startswith(str(year)) and groups["sep"] in ("/", "-"):
            pairs.add((day, month))
        if len(str(year)) == 2 and (
            len(groups["day"]) < 2 or len(groups["month"]) < 2 or groups["sep"] == "-"
        ):
            return set()
    full = None if year is None else int(year) + (2000 if len(year) == 2 else 0)
    return {Day(full, m, d) for m, d in pairs if 1 <= m <= 12 and 1 <= d <= 31}
