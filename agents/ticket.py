"""What the desk is asked, what its agents hand to each other, and what it answers."""

import re
from decimal import Decimal
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from tools.carrier import Parcel
from tools.shop import Order

Want: TypeAlias = Literal["status", "missing", "return", "faulty", "refund", "cancel"]
"""What a customer wants with an order; `faulty` is damaged, defective, or the wrong item."""
Reason: TypeAlias = Literal[
    "lost", "cancelled", "faulty", "return",  # why money goes back
    "refunded", "suspicious", "shift_lead", "taken", "refused",  # why it does not
    "late", "late_faulty", "final_sale", "shipped", "on_its_way", "returning", "delivered", "unreachable",
    "nothing",  # why there is nothing to decide
]  # fmt: skip
_UNITS = (
    r"(?!\s*-?(?:pieces?|pcs|w\b|watt|m?l\b|mah|[mck]?m\b|k?g\b|euros?\b|eur\b|€|times|pages|sheets|[.,]?\d))"
)
_NUMBERS = re.compile(
    r"\ba\s*[-–—_./]\s*(\d{3,6})\b"  # A-1001, a - 1001
    r"|\ba(\d{4})\b"  # a1001
    rf"|\b(?-i:A)\s(\d{{4}})\b{_UNITS}"  # A 1001, but not "A 1000 pieces puzzle"
    r"|\b(?:[order]{5}|bestellung|number|nummer|no|nr)\b"  # "order", however its letters are swapped
    r"[\s.:#]*(?:number|nummer|no|nr)?[\s.:#]*(\d{4})\b",
    re.IGNORECASE,
)

_FOREIGN = re.compile(
    r"\b(?:[order]{5}|bestellung|commande|pedido)[\s.:#]*(?:number|nummer|no|nr)?[\s.:#]*"
    r"(?!TN\d)((?=(?:[\w-]*\d){4})[\w-]{5,})",
    re.IGNORECASE,
)
"""What is called an order's number and does not look like one of ours, as those of other shops."""
_TRACKING = re.compile(r"\bTN\d{5}DE\b")


class Value(BaseModel):
    """Values are frozen: an agent hands over what it found, and nobody changes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Ticket(Value):
    """A customer's request."""

    id: str
    customer_email: str
    subject: str = ""
    text: str

    @property
    def words(self) -> str:
        """Subject and text; a claim in them is never evidence."""
        return f"{self.subject}\n{self.text}"


class Reply(Value):
    """What the customer gets to read."""

    text: str


class Wish(Value):
    """What a customer wants with one order."""

    order: str
    """The number they gave, written as the shop writes it; empty if they gave none."""
    wants: tuple[Want, ...]


class Case(Value):
    """An order and its parcel, as the shop and the carrier know them."""

    order: Order
    parcel: Parcel | None = None
    unreachable: bool = False
    """The carrier was asked and could not answer."""


class Risk(Value):
    """How careful the desk has to be with a customer's ticket."""

    level: Literal["low", "raised", "manipulation"]
    refunds: int
    """Earlier refunds of this customer, as the payments book has them."""
    signs: tuple[str, ...] = ()


class Settlement(Value):
    """What became of the wish for money."""

    order_id: str
    outcome: Literal["paid", "declined", "nothing"]
    reason: Reason
    amount: Decimal | None = None
    """What was paid back; absent unless it was."""
    label: str | None = None
    """The return label that was made."""


class Handover(Value):
    """A ticket in a person's hands."""

    person: str
    topic: str


class Draft(Value):
    """A reply that nobody has judged yet."""

    text: str


def tracking_numbers(text: str) -> list[str]:
    """The carrier's numbers in a text."""
    return _TRACKING.findall(text.upper())


def order_numbers(text: str) -> list[str]:
    """The order numbers in a text, written as the shop writes them, each once and in order.

    Where none of ours is given, those that are called order numbers all the same: nobody has them.
    """
    found = [next(group for group in match.groups() if group) for match in _NUMBERS.finditer(text)]
    ours = [f"A-{digits}" for digits in found]
    return list(dict.fromkeys(ours or [each.upper() for each in _FOREIGN.findall(text)]))
