"""A small payment service with a book of its own; it pays one idempotency key once."""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel

from interlock import ToolServer
from interlock.core.tools import Tool

BOOK = "till.db"


class Order(BaseModel):
    """What is to be paid back."""

    id: str
    amount: Decimal


class Reply(BaseModel):
    """What the customer reads."""

    text: str


class Refund(BaseModel):
    """Money that was paid back."""

    order_id: str
    amount: Decimal


class Till:
    """The payment service and its book, a SQLite file that outlives every process."""

    def __init__(self, book: Path, booked: Callable[[], None] = lambda: None) -> None:
        """Opens the book; `booked` is called right after a payment was committed, before it is answered."""
        self.book = book
        self._booked = booked
        with self._open() as db:
            db.execute("CREATE TABLE IF NOT EXISTS payments (order_id TEXT, amount TEXT, key TEXT UNIQUE)")
        self.server = ToolServer("till")

        @self.server.tool()
        async def refund_by_key(key: str) -> Refund | None:
            """What was paid back under a key."""
            with self._open() as db:
                return _by_key(db, key)

        @self.server.tool(effect="once", key="key", lookup=refund_by_key)
        async def refund(order_id: str, amount: Decimal, key: str = "") -> Refund:
            """Pays money back to the customer."""
            with self._open() as db:
                done = _by_key(db, key)
                if done is None:
                    db.execute("INSERT INTO payments VALUES (?, ?, ?)", (order_id, str(amount), key or None))
            if done is None:
                self._booked()
            return Refund(order_id=order_id, amount=amount)

        self.refund: Tool[..., Refund] = refund

    def rows(self) -> list[tuple[str, Decimal]]:
        """What was really paid: (order, amount), oldest first."""
        with self._open() as db:
            found = db.execute("SELECT order_id, amount FROM payments ORDER BY rowid").fetchall()
        return [(order, Decimal(amount)) for order, amount in found]

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection, None, None]:
        with closing(sqlite3.connect(self.book, timeout=10, isolation_level=None)) as db:
            yield db


def _by_key(db: sqlite3.Connection, key: str) -> Refund | None:
    row = db.execute("SELECT order_id, amount FROM payments WHERE key = ?", (key,)).fetchone()
    return Refund(order_id=row[0], amount=Decimal(row[1])) if row else None
