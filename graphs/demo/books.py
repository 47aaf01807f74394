"""The last line's count: what the books of the other side hold, against what was approved and accepted."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TypeAlias

from graphs.demo.approval import SCENE
from graphs.demo.crash import GUARDED
from graphs.demo.desk import BOOKS, FOLDER
from graphs.demo.stage import Stage, database
from graphs.demo.till import BOOK

Happenings: TypeAlias = Counter[tuple[str, str, str]]
"""(what, about what, how much or which words) -> how often."""


class Balance(NamedTuple):
    """The difference between promised and real."""

    promised: int
    doubled: int
    """In a book, and not promised, or not that often."""
    lost: int
    """Promised, and not in a book."""


def balance(stage: Stage) -> Balance:
    """Counts acts 1, 2 and 3; not the run of act 3 that had the ledger switched off."""
    desk, approval, crash = (stage.folder / name for name in (FOLDER, SCENE, GUARDED))
    promised = _replies(desk) + _sent(desk) + _sent(approval) + _sent(crash)
    real = _desk_books(desk / BOOKS) + _till(approval / BOOK) + _till(crash / BOOK)
    return Balance(promised.total(), (real - promised).total(), (promised - real).total())


def _replies(folder: Path) -> Happenings:
    """The responses that the gate let out, with the ticket each answers."""
    rows = _rows(
        database(folder),
        "SELECT input, response FROM runs WHERE state = 'completed' AND response IS NOT NULL",
    )
    return Counter(("reply", json.loads(asked)["id"], json.loads(said)["text"]) for asked, said in rows)


def _sent(folder: Path) -> Happenings:
    """The effects that the policy, or a person, allowed; what speaks is counted by what the gate accepted."""
    found: Happenings = Counter()
    rows = _rows(
        database(folder),
        "SELECT body FROM events JOIN bodies USING (run, seq) WHERE kind = 'effect.sent'",
    )
    for (body,) in rows:
        told = json.loads(body)
        arguments = told["arguments"]
        if told["tool"].endswith("/refund"):
            found["refund", arguments["order_id"], _money(arguments["amount"])] += 1
        elif told["tool"] == "helpdesk/assign":
            found["handover", arguments["ticket_id"], arguments["person"]] += 1
    return found


def _desk_books(folder: Path) -> Happenings:
    """What payments and help desk hold beyond what they were seeded with."""
    refunds = _rows(
        folder / "payments.db",
        "SELECT order_id, amount FROM payments WHERE kind = 'refund' AND coalesce(key, '') NOT LIKE 'seed-%'",
    )
    replies = _rows(folder / "helpdesk.db", "SELECT ticket_id, text FROM replies")
    handovers = _rows(folder / "helpdesk.db", "SELECT ticket_id, person FROM assignments")
    return Counter(
        [("refund", order, _money(amount)) for order, amount in refunds]
        + [("reply", ticket, text) for ticket, text in replies]
        + [("handover", ticket, person) for ticket, person in handovers]
    )


def _till(book: Path) -> Happenings:
    return Counter(
        ("refund", order, _money(amount))
        for order, amount in _rows(book, "SELECT order_id, amount FROM payments")
    )


def _money(amount: object) -> str:
    return f"{Decimal(str(amount)):.2f}"


def _rows(book: Path, query: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(book)) as db:
        return db.execute(query).fetchall()
