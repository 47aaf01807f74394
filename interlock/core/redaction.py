"""Finds secrets and card numbers in text, and takes them out before anything is stored or sent."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

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
        r"(?i)\b(?:password|passwd|passwort|pwd|secret|api[-_ ]?key|access[-_ ]?token)\b\s*(?:is|ist|=|:)\s*\"?[^\s\",;]{4,}"
    ),
    "credentials in a url": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/@:]+:[^\s/@]+@"),
}
_CARD = re.compile(r"(?<![\d.-])(?:\d[ -]?){12,18}\d(?![\d-])")
_DIGEST = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-f]{32}){1,2}(?![0-9A-Za-z])")
"""Our digests and tokens: one in 250 holds digits that would pass for a card number."""
MASK = "[redacted]"


def secrets(text: str) -> Iterator[tuple[str, str]]:
    """Yields (what it is, the text) for each secret or payment card number found."""
    for what, pattern in _PATTERNS.items():
        for found in pattern.finditer(text):
            yield what, found.group()
    for found in _CARD.finditer(_DIGEST.sub("digest", text)):
        if _luhn(found.group()):
            yield "card number", found.group()


def redact_text(text: str) -> str:
    """The text with every secret masked."""
    for _, secret in list(secrets(text)):
        text = text.replace(secret, MASK)
    return text


def redact(value: Json) -> Json:
    """The same JSON with secrets masked in every string, keys included."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {redact_text(key): redact(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [redact(item) for item in cast("Sequence[Json]", value)]
    return value


def _luhn(text: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1, annex B)."""
    digits = [int(c) for c in text if c.isdigit()]
    if len(set(digits)) == 1:
        return False
    doubled = [d if i % 2 == 0 else (2 * d - 9 if d > 4 else 2 * d) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
