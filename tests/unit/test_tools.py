"""Tools are values: what a call takes, what it returns, and what it changes."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from interlock.core.canonical import canonical
from interlock.core.tools import describe, matches, named
from interlock.errors import BuildError, SchemaViolation


class Item(BaseModel):
    """A line of an order."""

    name: str


async def pay_back(order: str, amount: Decimal, items: list[Item] | None = None, key: str = "") -> bool:
    """Pays money back."""
    return True


async def untyped(order, amount: Decimal):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Says too little."""


async def lost(order: "Nowhere") -> bool:  # type: ignore[name-defined]  # noqa: F821
    """Names a type that is not there."""
    return True


PAY = describe(pay_back, server="shop", effect="once", key="key", secret=("order",))


def test_tool_is_described_by_its_function() -> None:
    """Name, words and schema come from the function; the key is the gateway's business."""
    assert (PAY.name, PAY.server, PAY.description) == ("shop/pay_back", "shop", "Pays money back.")
    assert set(PAY.input_schema["properties"]) == {"order", "amount", "items"}
    assert PAY.input_schema["required"] == ["order", "amount"]
    assert repr(PAY) == "<tool shop/pay_back>"


def test_bind_names_and_types_the_arguments() -> None:
    """By place or by name, as text or as JSON, the same call is bound to the same values."""
    bound = PAY.bind("A-1", amount="49.90", items=[{"name": "lamp"}])

    assert bound == {"order": "A-1", "amount": Decimal("49.90"), "items": [Item(name="lamp")]}
    assert canonical(bound) == canonical(
        PAY.bind(amount=Decimal("49.90"), order="A-1", items=[Item(name="lamp")])
    )


def test_key_is_left_out_of_a_call() -> None:
    """A body that passes the key itself changes nothing: the gateway fills it."""
    assert PAY.bind("A-1", 1, key="mine") == PAY.bind("A-1", 1) == PAY.bind("A-1", 1, None, "mine")


@pytest.mark.parametrize(
    ("args", "kwargs", "told"),
    [
        ((), {"order": "A-1"}, "amount: Field required"),
        (("A-1", "much"), {}, "amount: Input should be a valid decimal"),
        ((5, 1), {}, "order: Input should be a valid string"),
        (("A-1", 1), {"colour": "red"}, "unexpected keyword argument 'colour'"),
        (("A-1", 1, None, "k", "more"), {}, "too many positional arguments"),
        (("A-1", 1, [{}]), {}, "items.0.name: Field required"),
    ],
)
def test_bad_arguments_are_refused(args: tuple[Any, ...], kwargs: dict[str, Any], told: str) -> None:
    """A missing, unknown or wrong argument is named, with what the tool takes."""
    with pytest.raises(SchemaViolation) as refused:
        PAY.bind(*args, **kwargs)

    assert told in refused.value.message
    assert refused.value.message.startswith("shop/pay_back cannot be called like this: ")
    assert "It takes (order: str, amount: decimal.Decimal" in refused.value.message


def test_secret_arguments_are_masked_for_people() -> None:
    """What is declared secret is not shown; the rest is, as JSON."""
    assert PAY.shown(PAY.bind("A-1", "49.90")) == {"order": "[secret]", "amount": "49.90", "items": None}


def test_secret_value_is_not_in_the_error() -> None:
    """A refused call does not repeat what was passed."""
    with pytest.raises(SchemaViolation) as refused:
        PAY.bind(order=["hunter2"], amount="hunter2")

    assert "hunter2" not in refused.value.message


def variant(**options: Any) -> str:
    """The definition of the tool with other options."""
    given: dict[str, Any] = {"effect": "once", "key": "key", **options}
    return describe(pay_back, server="shop", **given).definition


def test_definition_changes_with_what_a_reviewer_reads() -> None:
    """Words, schema, effect and key are bound by an approval."""

    async def other_words(
        order: str, amount: Decimal, items: list[Item] | None = None, key: str = ""
    ) -> bool:
        """Pays money."""
        return True

    async def other_input(order: str, amount: float, items: list[Item] | None = None, key: str = "") -> bool:
        """Pays money back."""
        return True

    async def other_output(
        order: str, amount: Decimal, items: list[Item] | None = None, key: str = ""
    ) -> int:
        """Pays money back."""
        return 1

    definitions = [variant(), variant(effect="none", key=None), variant(key=None)]
    functions: list[Any] = [other_words, other_input, other_output]
    for function in functions:
        function.__name__ = "pay_back"
        definitions.append(describe(function, server="shop", effect="once", key="key").definition)
    definitions.append(describe(pay_back, server="pay", effect="once", key="key").definition)

    assert len(set(definitions)) == len(definitions)
    assert variant(timeout_s=1.0) == variant()


@pytest.mark.parametrize(
    ("function", "options", "sentence"),
    [
        (untyped, {}, "tool shop/untyped needs a type annotation for order, return"),
        (lost, {}, "tool shop/lost: an annotation names nothing"),
        (pay_back, {"effect": "once", "key": "token"}, "names 'token' as its key, but has no such parameter"),
        (pay_back, {"key": "key"}, "only reads: `key`, `lookup` and `speaks` belong to effect='once'"),
        (pay_back, {"speaks": True}, "only reads"),
        (pay_back, {"lookup": PAY}, "only reads"),
    ],
)
def test_wrong_declaration_is_refused(function: Any, options: dict[str, Any], sentence: str) -> None:
    """A declaration that does not fit the effect or the function fails when it is made."""
    with pytest.raises(BuildError) as refused:
        describe(function, server="shop", **options)

    assert sentence in refused.value.message


@pytest.mark.parametrize(
    ("granted", "name", "covered"),
    [
        (PAY, "shop/pay_back", True),
        (PAY, "shop/pay", False),
        ("shop/*", "shop/pay_back", True),
        ("shop/pay_?ack", "shop/pay_back", True),
        ("crm/*", "shop/pay_back", False),
        ("SHOP/*", "shop/pay_back", False),
    ],
)
def test_grant_covers_a_tool_or_a_pattern(granted: Any, name: str, covered: bool) -> None:
    """A tool is itself; a pattern covers the names it matches, with their case."""
    assert matches(granted, name) is covered
    assert named(granted) in ("shop/pay_back", granted)
