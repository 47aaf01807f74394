"""The shop's own book: customers, orders and return labels."""

from datetime import date
from decimal import Decimal
from typing import Literal
from uuid import uuid4

from pydantic import BaseModel

from interlock import ToolServer
from tools.books import book, now

shop = ToolServer("shop")


class Customer(BaseModel):
    """A customer as the shop knows them."""

    email: str
    name: str
    since: date
    region: str


class Order(BaseModel):
    """An order as the shop's book has it."""

    id: str
    item: str
    total: Decimal
    currency: str
    ordered: date
    status: Literal["processing", "shipped", "delivered", "cancelled"]
    tracking: str | None
    """The parcel's number; absent before it is shipped."""
    delivered: date | None
    """Absent while the shop does not know of a delivery; the carrier may."""
    final_sale: bool


class Label(BaseModel):
    """A return label."""

    order_id: str
    label: str


class Voided(BaseModel):
    """A label that cannot be used any more."""

    label: str


COLUMNS = "id, item, total, currency, ordered, status, tracking, delivered, final_sale"


@shop.tool(effect="none")
async def customer(email: str) -> Customer | None:
    """Who a customer is; nothing for a stranger."""
    with book("shop") as db:
        row = db.execute("SELECT * FROM customers WHERE email = ?", (email.strip().lower(),)).fetchone()
    return Customer(**dict(row)) if row else None


@shop.tool(effect="none")
async def orders_of(email: str) -> list[Order]:
    """All orders of a customer, newest first."""
    with book("shop") as db:
        found = db.execute(
            f"SELECT {COLUMNS} FROM orders WHERE email = ? ORDER BY ordered DESC, id",
            (email.strip().lower(),),
        ).fetchall()
    return [Order(**dict(row)) for row in found]


@shop.tool(effect="none")
async def order(order_id: str, email: str) -> Order | None:
    """One order of this customer; nothing if there is none, or it is somebody else's."""
    with book("shop") as db:
        row = db.execute(
            f"SELECT {COLUMNS} FROM orders WHERE id = ? AND email = ?", (order_id, email.strip().lower())
        ).fetchone()
    return Order(**dict(row)) if row else None


@shop.tool(effect="none")
async def label_by_key(key: str) -> Label | None:
    """The label that was made under an idempotency key, if it was."""
    with book("shop") as db:
        row = db.execute("SELECT order_id, label FROM returns WHERE label = ?", (_name(key),)).fetchone()
    return Label(**dict(row)) if row else None


@shop.tool(effect="once", key="key")
async def void_label(label: str, key: str = "") -> Voided:
    """Makes a return label useless; doing so twice is the same as once."""
    with book("shop") as db:
        db.execute("DELETE FROM returns WHERE label = ?", (label,))
    return Voided(label=label)


@shop.tool(effect="once", key="key", lookup=label_by_key, compensate=void_label)
async def make_label(order_id: str, key: str = "") -> Label:
    """Makes a return label for an order."""
    made = Label(order_id=order_id, label=_name(key or uuid4().hex))
    with book("shop") as db:
        known = db.execute("SELECT 1 FROM returns WHERE label = ?", (made.label,)).fetchone()
        if not known:
            db.execute("INSERT INTO returns VALUES (?, ?, ?)", (made.order_id, made.label, now()))
    return made


def _name(key: str) -> str:
    """A label's number follows from its key, so that a repeated call finds the label of the first."""
    return f"RL-{key[-12:].upper()}"
