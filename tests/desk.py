"""A small desk for tests: a shop with a book of its own, two agents, and a graph made of them.

Not a mock: the tools run behind the real gateway, and what happened is read from the shop's book.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from interlock import Agent, Doors, Findings, Plan, Policy, Supervisor, Task, ToolServer
from interlock.core.tools import Tool
from interlock.errors import ToolFailed
from interlock.settings import Settings


class Ticket(BaseModel):
    """A request."""

    email: str = "ann@example.com"
    text: str


class Order(BaseModel):
    """An order."""

    id: str
    total: Decimal


class Refund(BaseModel):
    """A refund as the shop's book has it."""

    order_id: str
    amount: Decimal


class Reply(BaseModel):
    """A response."""

    text: str


class Shop:
    """A tool server over its own SQLite book."""

    def __init__(self, book: Path, *, total: str = "49.90") -> None:
        """Opens the book in a file, so that it outlives any process."""
        self.book = book
        self.total = total
        self.server = ToolServer("shop")
        with self._open() as db:
            db.execute("CREATE TABLE IF NOT EXISTS paid (order_id TEXT, amount TEXT, key TEXT UNIQUE)")
        self.latest_order: Tool[..., Order] = self.server.tool()(self._latest_order())
        self.paid_under: Tool[[str], Refund | None] = self.server.tool()(self._paid_under())
        declare = self.server.tool(effect="once", key="key", lookup=self.paid_under)
        self.pay_back: Tool[..., Refund] = declare(self._pay_back())

    def rows(self) -> list[tuple[str, str]]:
        """What was really paid: (order, amount)."""
        with self._open() as db:
            return db.execute("SELECT order_id, amount FROM paid ORDER BY rowid").fetchall()

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.book, isolation_level=None)

    def _latest_order(self) -> Callable[[str], Awaitable[Order]]:
        async def latest_order(email: str) -> Order:
            """The newest order of a customer."""
            return Order(id="A-1001", total=Decimal(self.total))

        return latest_order

    def _paid_under(self) -> Callable[[str], Awaitable[Refund | None]]:
        async def paid_under(key: str) -> Refund | None:
            """The refund that was paid under a key."""
            with self._open() as db:
                row = db.execute("SELECT order_id, amount FROM paid WHERE key = ?", (key,)).fetchone()
            return Refund(order_id=row[0], amount=Decimal(row[1])) if row else None

        return paid_under

    def _pay_back(self) -> Callable[..., Awaitable[Refund]]:
        async def pay_back(order_id: str, amount: Decimal, key: str = "") -> Refund:
            """Pays money back to the customer."""
            if amount <= 0:
                raise ToolFailed("an amount is above zero")
            with self._open() as db:
                db.execute("INSERT OR IGNORE INTO paid VALUES (?, ?, ?)", (order_id, str(amount), key))
            return Refund(order_id=order_id, amount=amount)

        return pay_back


def settings(folder: Path, **more: Any) -> Settings:
    """Settings whose database and key are in a folder of the test's own."""
    return Settings(
        database_url=f"sqlite:///{folder / 'interlock.db'}", key_folder=folder / "keys", user="olga", **more
    )


def desk(shop: Shop, *, limit: int = 100, **options: Any) -> Supervisor[Ticket, Reply]:
    """Looks up the newest order and pays it back; above `limit` a shift-lead is asked."""

    async def look_up(ticket: Ticket, doors: Doors) -> Order:
        return await doors.call(shop.latest_order, email=ticket.email)

    async def pay(order: Order, doors: Doors) -> Refund:
        return await doors.call(shop.pay_back, order_id=order.id, amount=order.total)

    orders = Agent("orders", "Finds an order.", run=look_up, tools=[shop.latest_order])
    returns = Agent("returns", "Pays a refund.", run=pay, tools=[shop.pay_back], not_for=["exchanges"])

    def is_large(args: Any) -> bool:
        """A refund above the limit."""
        return args["amount"] > limit

    policy = Policy().allow(orders, shop.latest_order)
    policy.ask(returns, shop.pay_back, when=is_large, whom="shift-lead").allow(returns, shop.pay_back)

    def lost_parcel(ticket: Ticket) -> Plan | None:
        """A parcel that did not arrive."""
        if "lost" not in ticket.text:
            return None
        order = Task(orders, ticket)
        return Plan(order, Task(returns, order.output))

    def answer(ticket: Ticket, findings: Findings) -> Reply:
        paid = findings.get(returns)
        if paid:
            return Reply(text=f"We paid back {paid[0].amount} EUR for order {paid[0].order_id}.")
        return Reply(text="A colleague will write to you.")

    parts: dict[str, Any] = {
        "agents": [orders, returns],
        "routes": [lost_parcel],
        "policy": policy,
        "answer": answer,
        "examples": [Ticket(text="my parcel is lost")],
    }
    return Supervisor("support", request=Ticket, response=Reply, **{**parts, **options})
