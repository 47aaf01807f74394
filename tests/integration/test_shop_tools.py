"""The shop's tool servers, asked over MCP as the gateway asks them."""

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from interlock import ToolServer
from tools.carrier import Carrier, carrier
from tools.helpdesk import helpdesk
from tools.payments import payments
from tools.shop import shop

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the books, in fine weather."""
    monkeypatch.setenv("SHOP_DATA", str(tmp_path / "shop"))
    monkeypatch.delenv("SHOP_WEATHER", raising=False)
    return tmp_path / "shop"


async def ask(server: ToolServer, tool: str, **arguments: object) -> Any:
    """One call's answer, or its error as text that starts with `!`."""
    async with Client(server.mcp_server()) as client:
        return answer(await client.call_tool(tool, arguments))


def answer(result: Any) -> Any:
    """The structured answer without its wrapping, or the error as text that starts with `!`."""
    if result.is_error:
        return "!" + result.content[0].text
    value = result.structured_content
    return value["result"] if isinstance(value, dict) and set(value) == {"result"} else value


def rows(books: Path, book: str, query: str) -> list[Any]:
    """What the other side's book says."""
    with closing(sqlite3.connect(books / book)) as database:
        return database.execute(query).fetchall()


@asynccontextmanager
async def carrier_over_http() -> AsyncGenerator[str, None]:
    """The carrier's own process, and the URL that it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools.carrier", "--port", "0", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        first = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().split()
        assert first[:2] == ["carrier", "ready"]
        yield first[2]
    finally:
        process.terminate()
        await process.wait()


async def test_books_are_seeded_on_first_use(books: Path) -> None:
    """The first call fills a folder that is not there."""
    orders = await ask(shop, "orders_of", email="lena.brandt@example.org")

    assert [each["id"] for each in orders] == ["A-1001", "A-1002"]
    assert sorted(path.name for path in books.iterdir()) == [
        "carrier.db", "helpdesk.db", "payments.db", "shop.db"
    ]  # fmt: skip


async def test_orders_of_others_are_not_shown() -> None:
    """An order is given to its customer, and to nobody else."""
    mine = await ask(shop, "order", order_id="A-1001", email="Lena.Brandt@example.org")
    theirs = await ask(shop, "order", order_id="A-1001", email="sam.okafor@example.com")

    assert (mine["total"], theirs) == ("59.90", None)


async def test_label_is_made_once_and_voided(books: Path) -> None:
    """The same key finds the same label, and a voided label is out of the book."""
    first = await ask(shop, "make_label", order_id="A-1013", key="abcdef123456789")
    again = await ask(shop, "make_label", order_id="A-1013", key="abcdef123456789")
    found = await ask(shop, "label_by_key", key="abcdef123456789")

    assert first == again == found
    assert rows(books, "shop.db", "SELECT label FROM returns") == [(first["label"],)]
    assert await ask(shop, "void_label", label=first["label"]) == {"label": first["label"]}
    assert rows(books, "shop.db", "SELECT label FROM returns") == []


async def test_refund_under_one_key_is_paid_once(books: Path) -> None:
    """A second call under the same key returns the first refund and books nothing."""
    wanted: dict[str, object] = {"order_id": "A-1008", "amount": "34.50", "history": 0, "key": "k1"}
    first = await ask(payments, "refund", **wanted)
    again = await ask(payments, "refund", **wanted)

    assert first == again == await ask(payments, "refund_by_key", key="k1")
    assert rows(books, "payments.db", "SELECT amount FROM payments WHERE key = 'k1'") == [("34.50",)]


async def test_more_than_was_charged_is_refused(books: Path) -> None:
    """Neither at once nor in two steps can more be paid back than was charged."""
    too_much = await ask(payments, "refund", order_id="A-1008", amount="34.51", history=0, key="k1")
    await ask(payments, "refund", order_id="A-1008", amount="30.00", history=0, key="k2")
    second = await ask(payments, "refund", order_id="A-1008", amount="5.00", history=0, key="k3")

    assert "34.50 was charged" in too_much
    assert "30.00 was paid back already" in second
    assert rows(books, "payments.db", "SELECT key FROM payments WHERE key LIKE 'k%'") == [("k2",)]


async def test_lost_answer_is_booked_all_the_same(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In that weather the refund is in the book, its answer is not told, and the look-up fails too."""
    monkeypatch.setenv("SHOP_WEATHER", '{"payments": "loses_answer"}')
    told = await ask(payments, "refund", order_id="A-1049", amount="48.00", history=0, key="k1")
    looked_up = await ask(payments, "refund_by_key", key="k1")

    assert told.startswith("!Error executing tool")
    assert looked_up.startswith("!Error executing tool")
    assert rows(books, "payments.db", "SELECT amount FROM payments WHERE key = 'k1'") == [("48.00",)]


async def test_shop_that_is_down_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """In that weather every tool of the shop breaks, without telling why."""
    monkeypatch.setenv("SHOP_WEATHER", '{"shop": "down"}')

    assert (await ask(shop, "customer", email="x@example.org")).startswith("!Error executing tool")


async def test_ticket_is_handed_to_the_person_for_the_topic(books: Path) -> None:
    """The person comes from the book, and the same key hands over once; strangers get nothing."""
    person = await ask(helpdesk, "people_for", topic="safety")
    other = await ask(helpdesk, "people_for", topic="poetry")
    for _ in range(2):
        await ask(helpdesk, "assign", ticket_id="T-1", person=person["name"], reason="safety", key="k1")
    stranger = await ask(helpdesk, "assign", ticket_id="T-1", person="Nobody", reason="safety", key="k2")

    assert (person["name"], other["name"]) == ("Aylin Demir", "Hanna Jensen")
    assert "does not work here" in stranger
    assert rows(books, "helpdesk.db", "SELECT person, key FROM assignments") == [("Aylin Demir", "k1")]


async def test_customer_is_told_once(books: Path) -> None:
    """A second sending under the same key returns the first one's answer."""
    first = await ask(helpdesk, "reply_to_customer", ticket_id="T-1", text="Hello", key="k1")
    again = await ask(helpdesk, "reply_to_customer", ticket_id="T-1", text="Hello", key="k1")

    assert first == again == await ask(helpdesk, "reply_by_key", key="k1")
    assert rows(books, "helpdesk.db", "SELECT text FROM replies") == [("Hello",)]


async def test_carrier_answers_over_http() -> None:
    """Over real HTTP: a fine parcel, a slow one, one whose depot is out of reach, and an unknown one."""
    async with carrier_over_http() as url, Client(url) as client:
        fine = answer(await client.call_tool("track", {"number": "TN40017DE"}))
        begun = time.monotonic()
        slow = answer(await client.call_tool("track", {"number": "TN40022DE"}))
        waited = time.monotonic() - begun
        down = answer(await client.call_tool("track", {"number": "TN40021DE"}))
        unknown = answer(await client.call_tool("track", {"number": "TN00000DE"}))

    assert (fine["status"], slow["place"]) == ("in_transit", "Kassel")
    assert waited >= 1.5
    assert "503" in down
    assert "no parcel 'TN00000DE'" in unknown


async def test_carrier_is_started_by_the_desk(books: Path) -> None:
    """On stdio the desk starts the process, which opens the desk's books."""
    assert isinstance(carrier, Carrier)
    async with Client(carrier.target()) as client:
        parcel = answer(await client.call_tool("track", {"number": "TN40024DE"}))

    assert (parcel["status"], parcel["place"]) == ("lost", "Hannover")
    assert (books / "carrier.db").is_file()
