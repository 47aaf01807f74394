"""The example shop's data is the same for ever, and the evaluation tickets agree with it."""

import json
import re
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tools.seed import SCHEMAS, seed

Case = dict[str, Any]
TODAY = date(2030, 6, 15)
FOLDER = Path(__file__).resolve().parents[2] / "evals" / "support"
ALLOWED: dict[str, set[str | None]] = {
    "state": {"completed", "waiting_for_approval", "blocked", "failed", "canceled", "rolled_back"},
    "outcome": {"resolved", "degraded", "escalated", "refused", "gave_up", None},
    "verdict": {"accept", "revise", "ask", "refuse", None},
    "asks": {"approve", "clarify", "review", None},
}
RESULTS = {"completed", "degraded", "gave_up", "failed"}
AGENTS = {"orders", "returns", "risk", "escalation", "drafting"}
WEATHER = {
    "payments": {"loses_answer"},
    "shop": {"down"},
    "draft": {"careless", "stubborn"},
    "person": {"approves", "rejects", "cancels", "rolls_back"},
}
MONTHS = (
    "January|February|March|April|June|July|August|September|October|November|December|Januar|März|Mai|Juni"
)
TOOL = re.compile(r"[a-z]+/[a-z_]+")
A_DATE = re.compile(rf"\b20\d\d\b|\b\d{{1,2}}[./] ?(?:0?[1-9]|1[0-2])[./]|\b(?:{MONTHS})\b|\bMay \d")
AN_ORDER, A_PARCEL = re.compile(r"\b[Aa]-\d{4}\b"), re.compile(r"\bTN\d{5}DE\b")


def load(name: str) -> list[Case]:
    """Read one file of cases."""
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


BUILD, HELD_OUT = load("tickets.jsonl"), load("held_out.jsonl")
CASES = BUILD + HELD_OUT


def each(cases: list[Case]) -> pytest.MarkDecorator:
    """Run a test once per case, named by its ticket."""
    return pytest.mark.parametrize("case", cases, ids=[case["ticket"]["id"] for case in cases])


EACH = each(CASES)


class Shop:
    """A seeded folder that answers questions about its rows."""

    def __init__(self, folder: Path) -> None:
        """Open nothing yet; `folder` holds the four databases."""
        self.folder = folder

    def ask(self, name: str, question: str, *values: str) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds in one database."""
        with closing(sqlite3.connect(self.folder / name)) as database:
            return database.execute(question, values).fetchall()

    def orders(self, email: str) -> dict[str, tuple[str, str | None]]:
        """Return the customer's orders: id -> total, tracking."""
        found = self.ask("shop.db", "SELECT id, total, tracking FROM orders WHERE email = ?", email)
        return {name: (total, code) for name, total, code in found}

    def earlier_refunds(self, email: str) -> int:
        """Count the refunds that the payments book holds for the customer."""
        paid = {
            name for (name,) in self.ask("payments.db", "SELECT order_id FROM payments WHERE kind = 'refund'")
        }
        return len(paid & self.orders(email).keys())

    def dump(self) -> dict[str, list[str]]:
        """Return the whole content of the four databases as text."""
        content: dict[str, list[str]] = {}
        for name in SCHEMAS:
            with closing(sqlite3.connect(self.folder / name)) as database:
                content[name] = list(database.iterdump())
        return content


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Seed one folder for the tests that only read."""
    folder = tmp_path_factory.mktemp("shop")
    seed(folder, TODAY)
    return Shop(folder)


def named(case: Case) -> set[str]:
    """Return the order numbers that a ticket names, in the shop's spelling."""
    ticket = case["ticket"]
    return {found.upper() for found in AN_ORDER.findall(f"{ticket['subject']} {ticket['text']}")}


def meant(case: Case, shop: Shop) -> dict[str, tuple[str, str | None]]:
    """Return the customer's own orders that a ticket is about."""
    own, names = shop.orders(case["ticket"]["customer_email"]), named(case)
    return {name: row for name, row in own.items() if name in names} if names else own


def test_seeding_again_gives_the_same_rows(tmp_path: Path) -> None:
    """A second seeding brings back the first content, whatever was written in between."""
    seed(tmp_path, TODAY)
    first = Shop(tmp_path).dump()
    with closing(sqlite3.connect(tmp_path / "payments.db")) as database, database:
        database.execute("INSERT INTO payments VALUES (9999, 'A-1001', '1.00', 'EUR', 'refund', 'k', 'now')")
    assert Shop(tmp_path).dump() != first

    seed(tmp_path, TODAY)

    assert Shop(tmp_path).dump() == first


def test_dates_count_from_today(shop: Shop, tmp_path: Path) -> None:
    """Seeded a year later, every order is a year younger and nothing else has changed."""
    seed(tmp_path, TODAY + timedelta(days=365))
    question = (
        "SELECT id, total, status, julianday(?) - julianday(ordered), julianday(?) - julianday(delivered)"
        " FROM orders"
    )

    later = Shop(tmp_path).ask("shop.db", question, *[(TODAY + timedelta(days=365)).isoformat()] * 2)

    assert later == shop.ask("shop.db", question, *[TODAY.isoformat()] * 2)


def test_there_is_enough_to_look_through(shop: Shop) -> None:
    """The shop has a few hundred orders, more customers than tickets, and no return yet."""
    assert 200 <= shop.ask("shop.db", "SELECT count(*) FROM orders")[0][0] <= 500
    assert shop.ask("shop.db", "SELECT count(*) FROM customers")[0][0] > len(CASES)
    assert shop.ask("shop.db", "SELECT count(*) FROM returns") == [(0,)]


def test_every_order_is_charged_once(shop: Shop) -> None:
    """The payments book has one charge per order, of its total, and no refund without an order."""
    totals = dict(shop.ask("shop.db", "SELECT id, total FROM orders"))
    charges = shop.ask("payments.db", "SELECT order_id, amount FROM payments WHERE kind = 'charge'")
    refunds = shop.ask("payments.db", "SELECT order_id, amount FROM payments WHERE kind = 'refund'")

    assert len(charges) == len(totals) and dict(charges) == totals
    assert len(refunds) == len(dict(refunds)) and dict(refunds).items() <= totals.items()


def test_every_shipped_order_has_a_parcel(shop: Shop) -> None:
    """The carrier knows exactly the tracking numbers that the shop gave out."""
    codes = shop.ask("shop.db", "SELECT tracking FROM orders WHERE status IN ('shipped', 'delivered')")

    assert sorted(codes) == sorted(shop.ask("carrier.db", "SELECT tracking FROM parcels"))


@pytest.mark.parametrize("books", [("shipped", "delivered"), ("delivered", "lost"), ("shipped", "lost")])
def test_shop_and_carrier_contradict_each_other(shop: Shop, books: tuple[str, str]) -> None:
    """Some parcels have another status with the carrier than with the shop."""
    ours = {code for (code,) in shop.ask("shop.db", "SELECT tracking FROM orders WHERE status = ?", books[0])}
    theirs = {
        code for (code,) in shop.ask("carrier.db", "SELECT tracking FROM parcels WHERE status = ?", books[1])
    }

    assert len(ours & theirs) >= 2


@pytest.mark.parametrize(
    ("order", "days"),
    [("A-1106", 30), ("A-1107", 31), ("A-1108", 58), ("A-1017", 70)],
)
def test_delivered_orders_stand_at_the_edges_of_the_windows(shop: Shop, order: str, days: int) -> None:
    """Orders on both sides of the return windows were delivered exactly that many days ago."""
    assert shop.ask("shop.db", "SELECT delivered FROM orders WHERE id = ?", order) == [
        ((TODAY - timedelta(days=days)).isoformat(),)
    ]


@pytest.mark.parametrize(("code", "days"), [("TN40025DE", 10), ("TN40026DE", 9)])
def test_unscanned_parcels_stand_at_the_edge_of_being_lost(shop: Shop, code: str, days: int) -> None:
    """One parcel in transit was seen ten days ago and one nine."""
    assert shop.ask("carrier.db", "SELECT status, last_scan FROM parcels WHERE tracking = ?", code) == [
        ("in_transit", (TODAY - timedelta(days=days)).isoformat())
    ]


def test_a_third_of_the_cases_is_kept_apart() -> None:
    """There are at least 45 cases, about a third of them held out."""
    assert len(CASES) >= 45
    assert abs(len(HELD_OUT) * 3 - len(CASES)) <= 3


def test_no_two_cases_are_the_same() -> None:
    """Ids and texts are unique over both files."""
    assert len({case["ticket"]["id"] for case in CASES}) == len(CASES)
    assert len({case["ticket"]["text"].lower() for case in CASES}) == len(CASES)


@EACH
def test_case_has_the_known_fields(case: Case) -> None:
    """A case holds the documented fields with allowed values."""
    expect = case["expect"]

    assert case.keys() - {"weather"} == {"ticket", "expect", "why"}
    assert case["ticket"].keys() == {"id", "customer_email", "subject", "text"}
    needed = ALLOWED.keys() | {"agents", "reply_has", "refunded", "results"}
    assert expect.keys() - {"tools", "never"} == needed
    assert all(TOOL.fullmatch(tool) for tool in (*expect.get("tools", ()), *expect.get("never", ())))
    assert all(expect[field] in allowed for field, allowed in ALLOWED.items())
    assert set(expect["results"]) <= RESULTS and set(expect["agents"]) <= AGENTS
    assert all(value in WEATHER[where] for where, value in case.get("weather", {}).items())


@EACH
def test_only_a_completed_run_has_an_outcome_and_a_reply(case: Case) -> None:
    """A run that waits or broke off has no outcome, and nothing of it was said."""
    expect = case["expect"]

    assert (expect["state"] == "completed") == (expect["outcome"] is not None)
    assert expect["state"] == "completed" or expect["reply_has"] == []


@EACH
def test_ticket_has_no_absolute_date(case: Case) -> None:
    """A ticket speaks of days and weeks ago, so that it holds for ever."""
    assert A_DATE.search(f"{case['ticket']['subject']} {case['ticket']['text']}") is None


@EACH
def test_named_orders_are_the_customers_own_or_lead_to_a_question(case: Case, shop: Shop) -> None:
    """A foreign or unknown order number stands only in tickets that are asked back or refused."""
    foreign = named(case) - shop.orders(case["ticket"]["customer_email"]).keys()
    expect = case["expect"]

    assert not foreign or expect["asks"] == "clarify" or expect["outcome"] == "refused"


@each([case for case in CASES if "orders" in case["expect"]["agents"] and not named(case)])
def test_a_missing_order_number_means_the_only_order_or_a_question(case: Case, shop: Shop) -> None:
    """Without an order number the agents work on the only order; with several they ask."""
    assert (len(meant(case, shop)) != 1) == (case["expect"]["asks"] == "clarify")


@EACH
def test_reply_quotes_the_seed(case: Case, shop: Shop) -> None:
    """Amounts and tracking numbers of the reply belong to the customer's orders, persons to the staff."""
    quotes, rows = case["expect"]["reply_has"], meant(case, shop).values()
    people = {name for (name,) in shop.ask("helpdesk.db", "SELECT name FROM people")}

    assert {quote for quote in quotes if A_PARCEL.fullmatch(quote)} <= {code for _, code in rows}
    assert {quote for quote in quotes if re.fullmatch(r"\d+\.\d\d", quote)} <= {total for total, _ in rows}
    assert (case["expect"]["outcome"] == "escalated") == any(quote in people for quote in quotes)


@EACH
def test_wrong_tracking_numbers_stand_only_where_the_draft_is_careless(case: Case, shop: Shop) -> None:
    """A ticket quotes the customer's own tracking number, unless the case is about repeating a wrong one."""
    quoted = set(A_PARCEL.findall(case["ticket"]["text"]))
    own = {code for _, code in meant(case, shop).values()}

    assert quoted <= own or "draft" in case.get("weather", {})


@each([case for case in CASES if case["expect"]["refunded"] is not None])
def test_refund_is_the_total_of_meant_orders(case: Case, shop: Shop) -> None:
    """What is paid back is the total of one or more meant orders that nobody paid back before."""
    paid = {
        name for (name,) in shop.ask("payments.db", "SELECT order_id FROM payments WHERE kind = 'refund'")
    }
    totals = [Decimal(total) for name, (total, _) in meant(case, shop).items() if name not in paid]
    sums = {sum(chosen) for size in range(1, len(totals) + 1) for chosen in combinations(totals, size)}

    assert Decimal(case["expect"]["refunded"]) in sums


@each([case for case in CASES if "risk" in case["expect"]["agents"]])
def test_large_and_risky_refunds_ask_and_small_ones_do_not(case: Case, shop: Shop) -> None:
    """Approval is asked exactly where the order is over 100.00 or the customer had three refunds."""
    large = any(Decimal(total) > 100 for total, _ in meant(case, shop).values())
    risky = shop.earlier_refunds(case["ticket"]["customer_email"]) >= 3

    assert (case["expect"]["asks"] == "approve") == (large or risky)


def test_no_order_is_in_two_cases(shop: Shop) -> None:
    """Cases can run in any order on one seed: none changes an order that another one is about."""
    seen: dict[str, str] = {}
    for case in CASES:
        for order in meant(case, shop):
            assert seen.setdefault(order, case["ticket"]["id"]) == case["ticket"]["id"]


@pytest.mark.parametrize("field", sorted(ALLOWED))
def test_every_value_appears_at_least_once(field: str) -> None:
    """Each state, outcome, verdict and kind of question is expected by some case."""
    assert {case["expect"][field] for case in CASES} == ALLOWED[field]


def test_every_result_agent_and_weather_appears_at_least_once() -> None:
    """Each kind of result, each agent and each weather is in some case."""
    weathers = {pair for case in CASES for pair in case.get("weather", {}).items()}

    assert {result for case in CASES for result in case["expect"]["results"]} == RESULTS
    assert {agent for case in CASES for agent in case["expect"]["agents"]} == AGENTS
    assert weathers == {(where, value) for where, values in WEATHER.items() for value in values}
