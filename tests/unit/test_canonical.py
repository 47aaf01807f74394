"""One byte sequence for one value, in every process."""

import json
import math
import struct
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from interlock.core.canonical import canonical, digest, plain

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)

# RFC 8785, appendix B
NUMBERS = [
    ("0000000000000000", "0"), ("8000000000000000", "0"), ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"), ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"), ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"), ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"), ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"), ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"), ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"), ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"), ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"), ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"), ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]  # fmt: skip


class Basket(BaseModel):
    """A model that holds a set."""

    items: set[str]
    total: Decimal = Decimal("49.90")


@pytest.mark.parametrize(("bits", "written"), NUMBERS)
def test_numbers_are_written_as_the_specification_lists_them(bits: str, written: str) -> None:
    """The vectors of RFC 8785, appendix B."""
    (value,) = struct.unpack(">d", bytes.fromhex(bits))

    assert canonical(value) == written.encode()


def test_keys_stand_in_the_order_of_their_utf_16_units() -> None:
    """The example of RFC 8785, section 3.2.3: a surrogate pair sorts before a private-use character."""
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]

    written = canonical(dict.fromkeys(names, 0))

    assert list(json.loads(written)) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_literals_and_strings_are_written_as_the_specification_shows() -> None:
    """Short escapes where they exist, small hexadecimal elsewhere, everything else raw."""
    value = {"literals": [None, True, False], "string": '\u20ac$\u000f\u000aA\'B"\\\\"/\u007f'}

    assert canonical(value) == (
        b'{"literals":[null,true,false],"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f"}'
    )


@settings(deadline=None, max_examples=200)
@given(JSON)
def test_canonical_form_is_a_fixed_point(value: Any) -> None:
    """Reading what was written and writing it again changes nothing, whatever numbers it holds."""
    written = canonical(value)

    assert canonical(json.loads(written)) == written


@settings(deadline=None, max_examples=50)
@given(st.floats(min_value=2**53, max_value=1e24))
def test_large_doubles_can_be_read_back(value: float) -> None:
    """A double beyond 2**53 is written like an integer and comes back as one."""
    assert canonical(json.loads(canonical(value))) == canonical(value)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=6), st.randoms())
def test_digest_does_not_depend_on_the_order_of_keys(value: dict[str, int], random: Any) -> None:
    """The same mapping built in another order has the same digest."""
    items = list(value.items())
    random.shuffle(items)

    assert digest(dict(items)) == digest(value)


def test_digest_is_bound_to_its_domain() -> None:
    """The same value as two different things has two digests."""
    assert digest([1], "call") != digest([1], "body")


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, [math.nan], 2**53 + 1, -(2**53) - 1, 10**400]
)
def test_numbers_json_cannot_carry_are_refused(value: object) -> None:
    """NaN, infinities and integers that no double holds exactly are refused, not rounded."""
    with pytest.raises(ValueError, match=r"not a JSON number|beyond 2\*\*53"):
        canonical(value)


@pytest.mark.parametrize("value", ["\ud800", {"\ud800": 1}, b"\xff", object()])
def test_what_has_no_text_is_refused(value: object) -> None:
    """Lone surrogates, bytes that are no text and foreign objects are refused."""
    with pytest.raises(ValueError, match=r"surrogates|utf-8|serialize"):
        canonical(value)


def test_the_largest_exact_integer_is_written() -> None:
    """2**53 itself, either sign, still has its own double."""
    assert canonical([2**53, -(2**53)]) == b"[9007199254740992,-9007199254740992]"


def test_plain_loses_no_digit() -> None:
    """Decimals keep their digits, dates are ISO 8601, models become objects."""
    value = {"a": Basket(items={"x"}), "d": date(2026, 3, 12), "t": datetime(2026, 3, 12, 1, tzinfo=UTC)}

    assert plain(value) == {
        "a": {"items": ["x"], "total": "49.90"},
        "d": "2026-03-12",
        "t": "2026-03-12T01:00:00Z",
    }


def test_sets_have_one_order_in_every_process() -> None:
    """A digest over a set, in a model or not, does not depend on the process's hash seed."""
    program = (
        "from interlock.core.canonical import digest\nfrom pydantic import BaseModel\n"
        "class M(BaseModel):\n    s: set[str]\n"
        "names = {'ada', 'bob', 'cleo', 'dora', 'emil'}\n"
        "print(digest([names, {'k': (frozenset(names),)}, M(s=names), [M(s=names)]]))"
    )

    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(found) == 1
