"""Values, times and counts as people read them, and foreign text made harmless for a terminal."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import cast

from interlock.core.canonical import Json

_LOST = "\N{REPLACEMENT CHARACTER}"
_PLAIN = re.compile(r"[\w.@:/+#-]+")
_MARKS = 2
"""Accents one letter may carry; more of them are drawn over the lines above and below."""
_LOOKED_AT = 4_000
"""Characters of a text that are looked at; nothing shows more than a few hundred."""


def harmless(value: object) -> str:
    """A text on one line, in which nothing can move the cursor, hide text or turn its direction."""
    kept: list[str] = []
    marks = 0
    for character in str(value)[:_LOOKED_AT]:
        marks = marks + 1 if unicodedata.category(character).startswith("M") else 0
        if character.isspace():
            kept.append(" ")
        elif not character.isprintable():
            kept.append(_LOST)
        elif marks <= _MARKS:
            kept.append(character)
    return " ".join("".join(kept).split())


def shorten(text: str, most: int) -> str:
    """The text in at most `most` characters; what was cut is shown by an ellipsis."""
    text = harmless(text)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def folded(text: str, width: int, most: int) -> list[str]:
    """The text on at most `most` lines of at most `width` characters, broken at spaces where possible."""
    rest, lines = harmless(text), list[str]()
    while rest and len(lines) < most - 1 and len(rest) > width:
        cut = rest.rfind(" ", width // 2, width + 1)
        cut = width if cut < 0 else cut
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*lines, shorten(rest, width)] if rest else lines


def shown(value: Json, most: int = 60) -> str:
    """A value as people read it; text of more than one word is quoted, so that it cannot pass for two."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return fields(value, most)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _joined([shown(item, most) for item in cast("Sequence[Json]", value)[:20]], most) or "nothing"
    text = harmless(value)
    if not isinstance(value, str) or (_PLAIN.fullmatch(text) and text == value):
        return shorten(text, most)
    return f"“{shorten(text, most - 2).replace('“', chr(39)).replace('”', chr(39))}”"


def fields(values: Mapping[str, Json], most: int) -> str:
    """Named values as `name value, name value`; each is shortened, so that a long one hides no other."""
    named = [(_name(name), value) for name, value in list(values.items())[:20]]
    left = most - sum(len(name) + 3 for name, _ in named)
    each = max(12, left // max(1, len(named)))
    return _joined([f"{name} {shown(value, each)}" for name, value in named], most)


def _name(name: str) -> str:
    text = harmless(name)
    return shorten(text if _PLAIN.fullmatch(text) else f"“{text}”", 30)


def _joined(parts: list[str], most: int) -> str:
    """As many parts as fit, and how many more there are."""
    text = ", ".join(parts)
    kept = len(parts)
    while len(text) > most and kept > 1:
        kept -= 1
        text = ", ".join(parts[:kept]) + f" … and {len(parts) - kept} more"
    return shorten(text, most)


def span(seconds: float) -> str:
    """A duration in the units a person would use."""
    if seconds < 0:
        return span(0.0)
    if 0 < seconds < 0.001:
        return "under 0.001 s"
    if seconds < 1:
        return f"{seconds:.2f} s" if seconds >= 0.0095 or seconds == 0 else f"{seconds:.3f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for big, small, size in ((86_400, 3_600, "d h"), (3_600, 60, "h min"), (60, 1, "min s")):
        if whole >= big:
            one, two = size.split()
            rest = whole % big // small
            return f"{whole // big} {one} {rest} {two}" if rest else f"{whole // big} {one}"
    return f"{whole} s"


def count(number: int, what: str) -> str:
    """A number with its noun: `1 task`, `3 tasks`, `no tasks`."""
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number or 'no'} {what if number == 1 else plural}"


def sentence(text: str) -> str:
    """The text with an end to its last sentence."""
    text = harmless(text)
    return text if text.endswith((".", "?", "!", "…", ".”", "?”", "!”")) else f"{text}."


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: `a, b and c`."""
    told = [harmless(name) for name in names]
    return told[0] if len(told) == 1 else " and ".join([", ".join(told[:-1]), told[-1]]) if told else "nobody"
