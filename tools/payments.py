"""The payment service: what was charged and paid back, and the one way to pay back."""

from collections.abc import Mapping
from decimal import Decimal
from sqlite3 import Connection
from typing import Any

from pydantic import BaseModel

from interlock import ToolServer
from interlock.errors import ToolFailed
from tools.books import book, now, weather

payments = ToolServer("payments")


class Paid(BaseModel):
    """What was paid for an order so far."""

    order_id: str
    charged: Decimal
    refunded: Decimal


class Refund(BaseModel):
    """Money that was paid back."""

    order_id: str
    amount: Decimal
    currency: str
    at: str


@payments.tool(effect="none")
async def paid(order_id: str) -> Paid:
    """What was charged for an order, and what was paid back already."""
    with book("payments") as db:
        return _paid(db, order_id)


@payments.tool(effect="none")
async def refunds_of(order_ids: list[str]) -> list[Refund]:
    """All refunds of these orders, oldest first."""
    with book("payments") as db:
        found = db.execute(
            "SELECT order_id, amount, currency, at FROM payments WHERE kind = 'refund'"
            f" AND order_id IN ({','.join('?' * len(order_ids))}) ORDER BY at, id",
            order_ids,
        ).fetchall()
    return [Refund(**dict(row)) for row in found]


@payments.tool(effect="none")
async def refund_by_key(key: str) -> Refund | None:
    """The refund that was made under an idempotency key, if it was.

    Raises:
        ConnectionError: in weather that loses answers.
    """
    if weather("payments") == "loses_answer":
        raise ConnectionError("the payment service does not answer")
    with book("payments") as db:
        return _by_key(db, key)


def one_per_order(arguments: Mapping[str, Any]) -> str:
    """An order is refunded once, however many runs are about it."""
    return str(arguments["order_id"])


@payments.tool(effect="once", key="key", lookup=refund_by_key, effect_key=one_per_order)
async def refund(order_id: str, amount: Decimal, history: int, key: str = "") -> Refund:
    """Pays money back to the card an order was paid with.

    Args:
        order_id: The order.
        amount: How much, in the order's currency.
        history: How many refunds the payments book has for this customer's orders. The service does not
            use it; it stands in the call so that the policy, and the person who is asked, can read it.
        key: The idempotency key; a second call under the same key returns the first one's refund.

    Raises:
        ToolFailed: more than was charged; nothing is paid.
        ConnectionError: in weather that loses answers; it is paid all the same.
    """
    with book("payments") as db:
        done = _by_key(db, key) if key else None
        if done is None:
            done = _pay(db, order_id, amount, key)
    if weather("payments") == "loses_answer":
        raise ConnectionError("the answer was lost on the way")
    return done


def _pay(db: Connection, order_id: str, amount: Decimal, key: str) -> Refund:
    before = _paid(db, order_id)
    if amount <= 0 or before.refunded + amount > before.charged:
        raise ToolFailed(
            f"{amount} cannot be paid back for {order_id}: {before.charged} was charged, "
            f"{before.refunded} was paid back already."
        )
    currency = db.execute("SELECT currency FROM payments WHERE order_id = ?", (order_id,)).fetchone()[0]
    done = Refund(order_id=order_id, amount=amount, currency=currency, at=now())
    db.execute(
        "INSERT INTO payments (order_id, amount, currency, kind, key, at) VALUES (?, ?, ?, 'refund', ?, ?)",
        (order_id, str(amount), currency, key or None, done.at),
    )
    return done


def _paid(db: Connection, order_id: str) -> Paid:
    sums = {"charge": Decimal(0), "refund": Decimal(0)}
    for row in db.execute("SELECT kind, amount FROM payments WHERE order_id = ?", (order_id,)):
        sums[row["kind"]] += Decimal(row["amount"])
    return Paid(order_id=order_id, charged=sums["charge"], refunded=sums["refund"])


def _by_key(db: Connection, key: str) -> Refund | None:
    row = db.execute("SELECT order_id, amount, currency, at FROM payments WHERE key = ?", (key,)).fetchone()
    return Refund(**dict(row)) if row else None
