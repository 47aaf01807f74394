"""Finds secrets and card numbers in text, and takes them out before anything is stored or sent."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from interlock.core.canonical import Json

_PATTERNS: dict[str, re.Pattern[str]] = {
    "private key": re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S
    ),
    "bearer token": re.compile(r"\b[Bb]earer\s+[A-Za-z0-9._~+/=-]{12,}"),
    "json web token": re.compile(r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*"),
    "api key": re.compile(
        r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant|lf)?[-_]?[A-Za-z0-9-]{16,}"
        r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    ),
    "password": re.compile(
        r"(?i)\b(?:password|passwd|passwort|pwd|secret|api[-_ ]?key|access[-_ ]?token)\b"
        r"(?:\s*[=:]\s*\"?[^\s\",;]{4,}|\s+(?:is|ist)\s+\"?(?=[^\s\",;]*[\d_!@#$%^&*+])[^\s\",;]{4,})"
    ),
    "credentials in a url": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/@:]+:[^\s/@]+@"),
}
_TRACES: dict[str, tuple[str, ...]] = {
    "private key": ("private key",),
    "bearer token": ("bearer",),
    "json web token": ("eyj",),
    "api key": ("sk-", "sk_", "pk-", "pk_", "rk-", "rk_", *(f"gh{c}_" for c in "pousr"), "akia", "xox"),
    "password": ("pass", "pwd", "secret", "key", "token"),
    "credentials in a url": ("://",),
}
"""What stands, in small letters, in every text that a pattern fits; to look for it costs far less."""
_DIGITS = re.compile(r"\d(?:[ \u00a0.-]?\d){12,}")
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11,16}"  # American Express, Diners Club
    r"|(?:6011|64[4-9]\d|65\d\d|62\d\d|81\d\d|35\d\d)\d{12,15}"  # Discover, UnionPay, JCB
    r"|(?:50|5[6-9]|6[0-9])\d{10,17}"  # Maestro
)
_CARD_GROUPS = re.compile(r"4,4,4,[1-4]|4,4,4,4,[1-3]|4,6,[45]")
"""Lengths of the groups in which cards print their numbers; an expiry beside one is no part of it."""
_OURS = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:[0-9a-f]{32}){1,2}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9A-Za-z])"
)
"""Digests, tokens and UUIDs: one in 250 digests holds digits that would pass for a card number."""
MASK = "[redacted]"


def secrets(text: str) -> Iterator[tuple[str, str]]:
    """Yields (what it is, the text) for each secret or payment card number found."""
    for what, start, end in _places(text):
        yield what, text[start:end]


def redact_text(text: str) -> str:
    """The text with every secret masked."""
    while places := sorted((start, end) for _, start, end in _places(text)):
        masked, done = "", 0
        for start, end in places:
            if start >= done:
                masked += text[done:start] + MASK
            done = max(done, end)
        text = masked + text[done:]  # looked at again: what stood apart may read as a secret now
    return text


def _places(text: str) -> Iterator[tuple[str, int, int]]:
    small = text.lower() if text.isascii() else None  # beyond ASCII, letters of either size are not so plain
    for what, pattern in _PATTERNS.items():
        if small is not None and not any(trace in small for trace in _TRACES[what]):
            continue
        for found in pattern.finditer(text):
            yield what, found.start(), found.end()
    if _DIGITS.search(text) is None:
        return
    for run in _DIGITS.finditer(_OURS.sub(lambda own: "x" * len(own.group()), text)):
        for start, end in _cards(run.group(), text[: run.start()][-1:]):
            yield "card number", run.start() + start, run.start() + end


def _cards(run: str, before: str) -> Iterator[tuple[int, int]]:
    """Where in a run of digits and separators card numbers stand."""
    groups = [(found.start(), found.end()) for found in re.finditer(r"\d+", run)]
    for first in range(len(groups)):
        for last in range(first, min(first + 5, len(groups))):
            start, end = groups[first][0], groups[last][1]
            part = groups[first : last + 1]
            single = len(part) == 1 and "." not in run[max(0, start - 1) : end + 1] and before != "+"
            shape = ",".join(str(stop - begin) for begin, stop in part)
            if (single or _CARD_GROUPS.fullmatch(shape)) and _is_card(run[start:end]):
                yield start, end


def redact(value: Json) -> Json:
    """The same JSON with secrets masked in every string, keys included."""
    # Mostly there is none, and one look at all strings is cheaper than one at each. No secret reaches
    # over the zero between two of them, and none needs to stand at an end.
    if next(_places("\0".join(_texts(value))), None) is None:
        return value
    return _masked(value)


def _masked(value: Json) -> Json:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {redact_text(key): _masked(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_masked(item) for item in cast("Sequence[Json]", value)]
    return value


def _texts(value: Json) -> Iterator[str]:
    """Every string of a JSON value, keys included."""
    left: list[Any] = [value]
    while left:
        each = left.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, Mapping):
            yield from cast("Mapping[str, Json]", each)
            left.extend(cast("Mapping[str, Json]", each).values())
        elif isinstance(each, Sequence):
            left.extend(cast("Sequence[Json]", each))


def _is_card(text: str) -> bool:
    """The issuer's first digits with their length, and the check digit (ISO/IEC 7812-1, annex B).

    The first digits matter: one tracking number in ten would pass the check digit alone.
    """
    number = "".join(c for c in text if c.isdigit())
    if not _ISSUERS.fullmatch(number) or len(set(number)) == 1:
        return False
    digits = [int(c) for c in reversed(number)]
    doubled = [d if i % 2 == 0 else (2 * d - 9 if d > 4 else 2 * d) for i, d in enumerate(digits)]
    return sum(doubled) % 10 == 0
