"""Secrets leave a text; what only looks like one stays."""

import re
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.canonical import Json, digest
from interlock.core.redaction import MASK, redact, redact_text, secrets

FAST = settings(deadline=None, max_examples=150)
SECRETS = {
    "card number": "4111 1111 1111 1111",
    "bearer token": "Bearer abcdefghijklmnop",
    "password": "password: correct-horse",
    "json web token": "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl",
    "api key": "sk-live-abcdefghijklmnop1234",
    "credentials in a url": "postgres://shop:hunter2@",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
}
BENIGN = [
    "order A-1001 for 49.90 EUR on 2026-03-12, parcel TN40017DE",
    "call +49 151 12345678 or +4915112345678 before 10:30",
    "1.000.000,00 EUR and 0.4111111111111111 of it",
    "version 1.2.3 at 192.168.100.200, https://shop.example/orders/A-1001?x=1",
    "1111111111111111",
    "4111 1111 1111 1112",
    "1001 1002 1003 1004 1005 1006",
]


def with_check_digit(digits: str) -> str:
    """The digits with the one that makes them a card number (computed the long way round)."""
    for check in "0123456789":
        total = 0
        for place, digit in enumerate(reversed(digits + check)):
            value = int(digit) * (2 if place % 2 else 1)
            total += value // 10 + value % 10
        if total % 10 == 0:
            return digits + check
    raise AssertionError("one of ten digits always fits")


SIXTEEN = st.from_regex(r"(?:4[0-9]|5[1-5]|23|6011|65|35)[0-9]{13}", fullmatch=True).map(
    lambda digits: with_check_digit(digits[:15])
)
CARDS = st.one_of(SIXTEEN, st.from_regex(r"3[47][0-9]{12}", fullmatch=True).map(with_check_digit))


@pytest.mark.parametrize(("kind", "secret"), SECRETS.items())
def test_secret_of_each_kind_is_named_and_masked(kind: str, secret: str) -> None:
    """A secret is found wherever it stands, said to be what it is, and taken out; the rest stays."""
    text = f"Hello, see {secret} thanks"

    assert kind in [what for what, _ in secrets(text)]
    assert redact_text(text) == f"Hello, see {MASK} thanks"


@pytest.mark.parametrize(
    "text",
    [
        "ghp_abcdefghijklmnopqrstuvwxyz", "AKIAABCDEFGHIJKLMNOP", "xoxb-1234567890-abc",
        "Passwort ist geheim123", "api_key=abcd1234", "access token: abcd1234", "SECRET=\"s3cr3t\"",
        "card:4111111111111111.", "card-4111111111111111", "No.4111 1111 1111 1111", "4111-1111-1111-1111",
        "4111.1111.1111.1111", "3782 822463 10005",
    ],
)  # fmt: skip
def test_other_spellings_are_masked(text: str) -> None:
    """Providers' key formats, German words, and the ways people write card numbers."""
    assert MASK in redact_text(text)


@pytest.mark.parametrize("text", BENIGN)
def test_benign_text_stays_as_it_is(text: str) -> None:
    """Orders, amounts, dates, telephones, decimals and addresses are no secrets."""
    assert redact_text(text) == text
    assert list(secrets(text)) == []


@pytest.mark.parametrize("beside", ["{} 12/27", "{} 123", "exp 12 27 {}", "{}-123", "01 {} 02"])
def test_card_number_is_found_beside_other_digits(beside: str) -> None:
    """The expiry and the check value printed next to a card number do not hide it."""
    masked = redact_text(beside.format("4111 1111 1111 1111"))

    assert MASK in masked and "1111 1111" not in masked


@FAST
@given(
    CARDS,
    st.text(st.characters(exclude_categories=["Nd"]), max_size=8),
    st.sampled_from(["", " ", "x", "\n"]),
)
def test_no_card_number_survives(card: str, around: str, gap: str) -> None:
    """Whatever stands around it, a number of valid length and check digit is taken out."""
    text = f"{around.rstrip('.,+-')}{gap}{card}{gap}{around}"

    assert card not in redact_text(text)


@FAST
@given(SIXTEEN, st.sampled_from([" ", "-", ".", "\u00a0"]))
def test_no_card_number_survives_in_groups(card: str, separator: str) -> None:
    """Groups of four do not hide a card number."""
    grouped = separator.join(re.findall("....", card))

    assert redact_text(f"It is {grouped}, ok?") == f"It is {MASK}, ok?"


PIECES = st.sampled_from(
    [
        *SECRETS.values(),
        "password=",
        "secret is ",
        "Bearer ",
        "http://",
        ":",
        "@",
        " ",
        '"',
        ",",
        MASK,
        "4111 1111",
        "-",
    ]
)


@FAST
@given(st.text() | st.lists(PIECES, max_size=8).map("".join))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    """What was masked reads as no secret, also where it stands beside another one."""
    once = redact_text(text)

    assert redact_text(once) == once
    assert list(secrets(once)) == []


@FAST
@given(st.from_regex(r"[A-Z]{1,3}-?[0-9]{4,9}", fullmatch=True), st.decimals(0, 10**6, places=2), st.dates())
def test_orders_amounts_and_dates_survive(order: str, amount: object, day: object) -> None:
    """What a reply is made of is never masked."""
    text = f"{order}: {amount} EUR on {day}"

    assert redact_text(text) == text


@FAST
@given(st.uuids())
def test_digests_and_uuids_are_never_taken_for_card_numbers(uuid: UUID) -> None:
    """An approval is bound to digests; a masked one would never fit its call again."""
    name = digest(str(uuid))

    assert redact_text(f"{name} il-{name[:32]} {uuid}") == f"{name} il-{name[:32]} {uuid}"


def test_redact_reaches_into_json() -> None:
    """Strings and keys at any depth are masked; other values are left alone."""
    value: Json = {"a": ["password: hunter22", 1, None, True], "Bearer abcdefghijklmnop": {"b": 49.9}}

    assert redact(value) == {"a": [MASK, 1, None, True], MASK: {"b": 49.9}}


def test_a_tracking_number_that_passes_the_check_digit_is_no_card() -> None:
    """Numbers no issuer gives out are left alone, whatever their check digit."""
    number = with_check_digit("00340434161094042557"[:17])

    assert redact_text(f"Your parcel is {number}.") == f"Your parcel is {number}."
