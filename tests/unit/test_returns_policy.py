"""The shop's rules about money, at and beside each of their limits."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from agents.returns_policy import Ruling, decide
from agents.ticket import Case, Want, Wish
from graphs.support import needs_a_yes
from tools.carrier import Parcel
from tools.shop import Order

TODAY = date(2026, 6, 1)


def ago(days: int) -> date:
    """The day so many days before today."""
    return TODAY - timedelta(days=days)


def case(*, delivered: int | None = None, parcel: str = "", seen: int = 1, **order: Any) -> Case:
    """An order of ours, delivered so many days ago, with what the carrier says of it."""
    status = "shipped" if delivered is None else "delivered"
    facts: dict[str, Any] = {
        "id": "A-1",
        "item": "Lamp",
        "total": Decimal("20.00"),
        "currency": "EUR",
        "ordered": ago(90),
        "status": status,
        "tracking": "TN1",
        "delivered": None if delivered is None else ago(delivered),
        "final_sale": False,
    }
    told: Any = parcel or ("in_transit" if delivered is None else "delivered")
    scanned = Parcel(tracking="TN1", status=told, last_scan=ago(seen), place="Ulm")
    return Case(order=Order(**{**facts, **order}), parcel=scanned)


def ruling(about: Case, *wants: Want, refunded: bool = False) -> tuple[str, str]:
    """What the rules say, as outcome and reason."""
    found = decide(Wish(order="A-1", wants=wants), about, refunded, TODAY)
    return found.outcome, found.reason


@pytest.mark.parametrize(
    ("days", "wanted"), [(9, ("decline", "on_its_way")), (10, ("pay", "lost")), (40, ("pay", "lost"))]
)
def test_parcel_counts_as_lost_after_ten_days(days: int, wanted: tuple[str, str]) -> None:
    """Nine days without a scan are not enough, ten are."""
    assert ruling(case(seen=days), "missing", "refund") == wanted


def test_lost_parcel_is_paid_back_asked_for_or_not() -> None:
    """A question where it is suffices, and the carrier's word beats the shop's."""
    assert ruling(case(delivered=5, parcel="lost"), "status") == ("pay", "lost")


@pytest.mark.parametrize(
    ("days", "wants", "wanted"),
    [
        (30, ("return",), ("pay", "return")),
        (31, ("return",), ("decline", "late")),
        (60, ("faulty", "refund"), ("pay", "faulty")),
        (61, ("faulty",), ("decline", "late_faulty")),
    ],
)
def test_returns_have_their_days(days: int, wants: tuple[Want, ...], wanted: tuple[str, str]) -> None:
    """Thirty days for everything, sixty for what is faulty."""
    assert ruling(case(delivered=days), *wants) == wanted


def test_label_is_made_for_what_comes_back() -> None:
    """A return needs a label, a faulty item and a lost parcel need none."""
    wish = Wish(order="A-1", wants=("return",))

    assert decide(wish, case(delivered=3), False, TODAY) == Ruling("pay", "return", label=True)
    assert not decide(Wish(order="A-1", wants=("faulty",)), case(delivered=3), False, TODAY).label


def test_final_sale_goes_back_only_if_faulty() -> None:
    """The customer's taste does not matter there, damage does."""
    assert ruling(case(delivered=3, final_sale=True), "return") == ("decline", "final_sale")
    assert ruling(case(delivered=3, final_sale=True), "return", "faulty") == ("pay", "faulty")


def test_carriers_last_scan_is_the_day_where_only_the_carrier_knows() -> None:
    """The shop still says shipped; the days count from the scan at the door."""
    assert ruling(case(parcel="delivered", seen=30), "return") == ("pay", "return")
    assert ruling(case(parcel="delivered", seen=31), "return") == ("decline", "late")


def test_cancelling_is_for_what_is_not_sent() -> None:
    """In processing it is paid back, later it is not."""
    processing = Case(order=case(status="processing", tracking=None).order)

    assert ruling(processing, "cancel") == ("pay", "cancelled")
    assert ruling(processing, "status") == ("nothing", "nothing")
    assert ruling(case(), "cancel") == ("decline", "shipped")


def test_nothing_is_paid_twice() -> None:
    """What was refunded before is not refunded again, whatever else is true."""
    assert ruling(case(parcel="lost"), "missing", refunded=True) == ("decline", "refunded")


def test_nothing_is_paid_that_depends_on_a_carrier_out_of_reach() -> None:
    """A parcel that did not come waits for the carrier; a return of what the shop delivered does not."""
    unknown = case().model_copy(update={"parcel": None, "unreachable": True})
    delivered = case(delivered=3).model_copy(update={"parcel": None, "unreachable": True})

    assert ruling(unknown, "missing", "refund") == ("decline", "unreachable")
    assert ruling(delivered, "return") == ("pay", "return")


def test_delivered_parcel_is_not_paid_as_lost() -> None:
    """Who says it never came, while it was delivered, gets no money for it."""
    assert ruling(case(parcel="delivered"), "missing", "refund") == ("decline", "delivered")


@pytest.mark.parametrize(
    ("amount", "history", "asked"),
    [("100.00", 0, False), ("100.01", 0, True), ("5.00", 2, False), ("5.00", 3, True)],
)
def test_large_and_frequent_refunds_need_a_yes(amount: str, history: int, asked: bool) -> None:
    """More than 100.00, or a customer with three refunds or more, is for the shift-lead."""
    assert needs_a_yes({"amount": Decimal(amount), "history": history}) is asked
