"""One byte sequence for one JSON value (RFC 8785), and digests over it.

Digests name calls, definitions, events and bodies, so their bytes must never depend on key
order, spacing or the process that wrote them.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from types import NoneType
from typing import Any, TypeAlias, cast

from pydantic import BaseModel, JsonValue
from pydantic_core import to_jsonable_python

Json: TypeAlias = JsonValue

_LARGEST_EXACT = 2**53


def plain(value: object) -> Json:
    """Turns models, dates, decimals and containers into plain JSON.

    Decimals become strings (``"49.90"``), dates ISO 8601 strings: no digit is lost on the way. Sets become
    lists in canonical order, because their own order differs from process to process.

    Raises:
        ValueError: if the value holds something JSON has no word for.
    """
    return cast("Json", to_jsonable_python(_ordered(value) if _holds_set(value) else value))


def canonical(value: object) -> bytes:
    """Writes a value as canonical JSON.

    Source: RFC 8785, sections 3.2.2 (literals, numbers, strings) and 3.2.3 (key order).

    Raises:
        ValueError: for NaN, infinities, integers that no double holds exactly, or what JSON cannot hold.
    """
    return _write(value).encode()


def digest(value: object, domain: str = "value") -> str:
    """SHA-256 over the canonical form, as 64 hexadecimal characters.

    Args:
        value: Anything `plain` accepts.
        domain: A prefix that keeps digests of different things apart.
    """
    return hashlib.sha256(b"interlock/" + domain.encode() + b"/1\0" + canonical(value)).hexdigest()


def _holds_set(value: object) -> bool:
    if isinstance(value, (str, int, float, type(None))):
        return False
    if isinstance(value, (list, tuple)):
        return any(map(_holds_set, cast("Sequence[object]", value)))
    if isinstance(value, dict):
        return any(map(_holds_set, cast("dict[object, object]", value).values()))
    if isinstance(value, BaseModel):
        return any(map(_holds_set, value.__dict__.values()))
    return isinstance(value, (set, frozenset))


def _ordered(value: object) -> object:
    """The value with every set in it as a sorted list."""
    match value:
        case set() | frozenset():
            return sorted((plain(item) for item in cast("set[object]", value)), key=canonical)
        case dict():
            return {key: _ordered(item) for key, item in cast("dict[object, object]", value).items()}
        case list() | tuple():
            return [_ordered(item) for item in cast("Sequence[object]", value)]
        case BaseModel():
            return _ordered(value.model_dump()) if _holds_set(value) else value
        case _:
            return value


def _write(value: object) -> str:
    """The canonical text; what is plain JSON already is written as it stands, all else is made so first."""
    writer = _WRITERS.get(type(value))
    return _write(plain(value)) if writer is None else writer(value)


def _object(value: dict[str, Json]) -> str:
    if not all(type(name) is str for name in value):
        return _write(plain(value))
    # In plain ASCII the order of code points is that of UTF-16.
    names = sorted(value, key=None if all(map(str.isascii, value)) else _utf_16)
    return "{" + ",".join([f"{encode_basestring(name)}:{_write(value[name])}" for name in names]) + "}"


def _array(value: Sequence[object]) -> str:
    return "[" + ",".join([_write(item) for item in value]) + "]"


def _integer(value: int) -> str:
    if abs(value) > _LARGEST_EXACT and not _is_double(value):
        raise ValueError(f"an integer of {value.bit_length()} bits is beyond 2**53: give it as a string")
    return str(value)


def _utf_16(name: str) -> bytes:
    return name.encode("utf-16-be")


def _is_double(value: int) -> bool:
    """Says whether a double is written exactly like this integer: it then was one before it was written."""
    return value.bit_length() <= 70 and _number(float(value)) == str(value)


def _number(value: float) -> str:
    """A double as ECMAScript writes it (RFC 8785, section 3.2.2.3)."""
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not a JSON number")
    if value == 0:
        return "0"
    sign, text = ("-", repr(-value)) if value < 0 else ("", repr(value))
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    leading = len(whole + fraction) - len(digits)
    point = len(whole) - leading + int(exponent or 0)  # digits before the decimal point
    digits = digits.rstrip("0")
    return sign + _ecmascript(digits, point)


def _ecmascript(digits: str, point: int) -> str:
    """Places the decimal point as ``Number.prototype.toString`` does."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    head = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{head}e{'+' if point > 0 else '-'}{abs(point - 1)}"


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: encode_basestring,
    dict: _object,
    list: _array,
    tuple: _array,
    NoneType: lambda value: "null",
    bool: lambda value: "true" if value else "false",
    int: _integer,
    float: _number,
}
"""By exact type: a subclass may be written otherwise, and goes through `plain`."""
