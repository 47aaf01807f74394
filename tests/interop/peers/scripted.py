"""What every peer's scripted model says, by the words it reads; no framework is imported here.

| the request starts with | the model |
|---|---|
| `slow` | works until it is stopped; the book says when it started, stopped or ended by itself |
| `approve` | asks a person, and after a yes says what was approved |
| `{` | answers a desk's ticket with how careful to be, as JSON |
| anything else | says that it heard it |
"""

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

SLOW_S = 60.0
"""A slow model ends by itself after so many seconds; no test waits that long."""
MANY_REFUNDS = 3
"""From so many earlier refunds on, a customer's risk is raised."""
SIGNS = ("ignore all", "instructions", "system message", "skip risk", "pay_back(")
"""Words of which two in one ticket are manipulation: cruder than the desk's own signs, and its own."""


def write(word: str) -> None:
    """Adds a word to the book, if there is one; what really happened is judged by it."""
    if book := os.environ.get("PEER_BOOK"):
        with Path(book).open("a", encoding="utf-8") as file:
            file.write(word + "\n")


async def slow(seconds: float = SLOW_S) -> None:
    """Works until it is stopped."""
    write("started")
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        write("stopped")
        raise
    write("ended")


def says_yes(text: str) -> bool:
    """Says whether a person agreed, in words or as data."""
    return any(word in text.lower() for word in ("yes", "true", "approved"))


def question(text: str) -> str:
    """What the model asks before it does what needs a person's yes."""
    return f"May I {text.removeprefix('approve').strip()}?"


def decided(text: str, answer: str) -> str:
    """What the model says once a person has answered."""
    what = text.removeprefix("approve").strip()
    return f"approved: {what}" if says_yes(answer) else f"left alone: {what}"


def words(name: str, text: str) -> str:
    """The model's answer to anything that needs neither time nor a person."""
    return json.dumps(risk(json.loads(text))) if text.lstrip().startswith("{") else f"{name} heard: {text}"


def risk(ticket: dict[str, Any]) -> dict[str, Any]:
    """How careful to be with a ticket: by its words, then by the books of the shop."""
    words = f"{ticket['subject']} {ticket['text']}".lower()
    found = [sign for sign in SIGNS if sign in words]
    if len(found) > 1:
        return {"level": "manipulation", "refunds": 0, "signs": found}
    orders = _rows("shop", "SELECT id FROM orders WHERE email = ?", ticket["customer_email"].strip().lower())
    refunds = [
        row
        for (order,) in orders
        for row in _rows("payments", "SELECT id FROM payments WHERE kind = 'refund' AND order_id = ?", order)
    ]
    level = "raised" if len(refunds) >= MANY_REFUNDS else "low"
    return {"level": level, "refunds": len(refunds), "signs": []}


def _rows(book: str, query: str, value: str) -> list[Any]:
    path = Path(os.environ["SHOP_DATA"]) / f"{book}.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute(query, (value,)).fetchall()


def pieces(text: str) -> list[str]:
    """The answer in the pieces in which a model would stream it."""
    return [word + " " for word in text.split(" ")[:-1]] + [text.split(" ")[-1]]
