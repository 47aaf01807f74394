"""The other side of every proof: a payment server with a book of its own, which is where tests count.

`python -m tests.payments --style keyed --book FILE` serves it in a process of its own, over HTTP.
"""

import argparse
import asyncio
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from interlock import ToolServer
from interlock.core.tools import Tool

ROOT = Path(__file__).resolve().parents[1]

Style: TypeAlias = Literal["keyed", "lookup", "bare"]
"""`keyed` pays one key once; `lookup` pays whatever comes but says what a key paid; `bare` does neither."""


class Paid(BaseModel):
    """A payment as the server confirms it."""

    order_id: str
    amount: Decimal


class Row(BaseModel, frozen=True):
    """One row of the payment book."""

    id: int
    order_id: str
    amount: Decimal
    key: str


def nothing(what: str) -> None:
    """Looks at a point of the payment and lets it pass."""


class Book:
    """The payment server's own database."""

    def __init__(self, path: Path | str = "", *, unique: bool = True) -> None:
        """A book at `path`; with `unique`, a key stands in it once. Opened anew for every use."""
        self.path = str(path)
        self.unique = unique
        self.at: Callable[[str], None] = nothing
        """Called right before and right after a payment is committed."""

    def pay(self, order_id: str, amount: Decimal, key: str = "") -> Paid:
        """Pays: one row, unless the key has paid already and keys are honoured."""
        with self._open() as db:
            row = (order_id, str(amount), key)
            verb = "INSERT OR IGNORE" if self.unique and key else "INSERT"
            db.execute(f"{verb} INTO payments(order_id, amount, key) VALUES (?, ?, ?)", row)
            self.at("before the payment is committed")
            db.commit()
        self.at("after the payment is committed")
        return Paid(order_id=order_id, amount=amount)

    def find(self, key: str) -> Paid | None:
        """What a key paid."""
        found = [row for row in self.rows() if row.key == key]
        return Paid(order_id=found[0].order_id, amount=found[0].amount) if found else None

    def rows(self, order_id: str | None = None) -> list[Row]:
        """The payments, all or those of one order, oldest first."""
        with self._open() as db:
            found = db.execute("SELECT id, order_id, amount, key FROM payments ORDER BY id").fetchall()
        rows = [Row(id=i, order_id=order, amount=Decimal(amount), key=key) for i, order, amount, key in found]
        return [row for row in rows if order_id in (None, row.order_id)]

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        db = sqlite3.connect(self.path, timeout=30)
        try:
            db.execute(
                "CREATE TABLE IF NOT EXISTS payments"
                "(id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, amount TEXT NOT NULL, key TEXT NOT NULL)"
            )
            if self.unique:
                db.execute("CREATE UNIQUE INDEX IF NOT EXISTS one_key ON payments(key) WHERE key <> ''")
            yield db
        finally:
            db.close()


def payment_server(style: Style, book: Book, url: str = "") -> tuple[ToolServer, Tool[..., Paid]]:
    """A server that keeps `book` in this process, or stands at `url`, and its paying tool."""
    server = ToolServer.http("payments", url) if url else ToolServer("payments")

    @server.tool()
    async def payment_of(key: str) -> Paid | None:
        """What a key paid."""
        return book.find(key)

    if style == "bare":

        @server.tool(effect="once")
        async def pay_back_bare(order_id: str, amount: Decimal) -> Paid:
            """Pays money back."""
            return book.pay(order_id, amount)

        return server, pay_back_bare

    @server.tool(effect="once", key="key", lookup=payment_of if style == "lookup" else None)
    async def pay_back(order_id: str, amount: Decimal, key: str = "") -> Paid:
        """Pays money back."""
        return book.pay(order_id, amount, key)

    return server, pay_back


@contextmanager
def elsewhere(style: Style, path: Path) -> Generator[str]:
    """A payment server in a process of its own; yields its URL."""
    command = [sys.executable, "-m", "tests.payments", "--style", style, "--book", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def _serve(server: ToolServer) -> None:
    import uvicorn

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
        app: Any = server.mcp_server().streamable_http_app()
        await uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve(sockets=[listener])


def main() -> None:
    """Serves a book over HTTP until it is told to stop; the first line printed is the URL."""
    parser = argparse.ArgumentParser(prog="python -m tests.payments", description="A payment server.")
    parser.add_argument("--style", choices=("keyed", "lookup", "bare"), default="keyed")
    parser.add_argument("--book", type=Path, required=True)
    chosen = parser.parse_args()
    server, _ = payment_server(chosen.style, Book(chosen.book, unique=chosen.style == "keyed"))
    asyncio.run(_serve(server))


if __name__ == "__main__":
    main()
