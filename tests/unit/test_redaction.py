"""Secrets leave a text; what only looks like one stays."""

import pytest

from interlock.core.canonical import digest
from interlock.core.redaction import MASK, redact_text


@pytest.mark.parametrize(
    "text",
    ["4111 1111 1111 1111", "card:4111111111111111.", "Bearer abcdefghijklmnop", "password: correct-horse"],
)
def test_secrets_are_masked(text: str) -> None:
    """Card numbers and credentials are taken out."""
    assert MASK in redact_text(text)


def test_digests_are_never_taken_for_card_numbers() -> None:
    """An approval is bound to digests; a masked one would never fit its call again."""
    names = [digest(number) for number in range(3000)]

    assert [name for name in names if redact_text(f"{name} il-{name[:32]}") != f"{name} il-{name[:32]}"] == []
