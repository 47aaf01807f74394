"""When the shop pays back: its rules as code, with all their numbers in one place. Calls nothing."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from agents.ticket import Case, Reason, Want, Wish

LOST_AFTER_DAYS = 10
"""So many days without a scan, and a parcel on its way counts as lost."""
RETURN_DAYS = 30
"""Days after delivery in which anything but final sale may be returned."""
FAULTY_DAYS = 60
"""Days after delivery in which a damaged, defective or wrong item may be returned, final sale too."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules say of one wish."""

    outcome: Literal["pay", "decline", "nothing"]
    reason: Reason
    label: bool = False
    """The customer sends the item back, with a label that is made before the money goes."""


def decide(wish: Wish, case: Case, refunded: bool, today: date) -> Ruling:
    """Applies the rules in their order; the first one that speaks decides.

    Args:
        wish: What the customer wants with the order.
        case: The order and its parcel. Where shop and carrier differ, the carrier is believed.
        refunded: Whether something was paid back for the order before.
        today: The day on which it is decided.
    """
    wants = set(wish.wants)
    money = bool(wants & {"refund", "return", "faulty", "cancel"})
    if refunded:
        return Ruling("decline", "refunded") if money or "missing" in wants else Ruling("nothing", "nothing")
    if case.order.status in ("processing", "cancelled"):
        return Ruling("pay", "cancelled") if wants & {"cancel", "refund"} else Ruling("nothing", "nothing")
    if is_lost(case, today):
        return Ruling("pay", "lost")
    if not (money or "missing" in wants):
        return Ruling("nothing", "nothing")
    day = delivery_day(case)
    if day is None:
        return _not_here(wants, case)
    if "missing" in wants and not wants & {"return", "faulty"}:
        return Ruling("decline", "unreachable" if case.unreachable else "delivered")
    if wants & {"return", "faulty"} or "cancel" not in wants:
        return _send_back("faulty" in wants, (today - day).days, case.order.final_sale)
    return Ruling("decline", "shipped")


def is_lost(case: Case, today: date) -> bool:
    """Says whether the carrier lost the parcel, or has not seen it for so long that it counts as lost."""
    parcel = case.parcel
    if parcel is None:
        return False
    unseen = (today - parcel.last_scan).days
    return parcel.status == "lost" or (parcel.status == "in_transit" and unseen >= LOST_AFTER_DAYS)


def delivery_day(case: Case) -> date | None:
    """The day the customer got it; the carrier's last scan where only the carrier knows of the delivery."""
    if case.parcel is None:
        return case.order.delivered
    if case.parcel.status != "delivered":
        return None
    return case.order.delivered or case.parcel.last_scan


def _not_here(wants: set[Want], case: Case) -> Ruling:
    """Not delivered, and not lost either."""
    if case.unreachable:
        return Ruling("decline", "unreachable")
    if case.parcel is not None and case.parcel.status == "returning":
        return Ruling("decline", "returning")
    return Ruling("decline", "shipped" if "cancel" in wants else "on_its_way")


def _send_back(faulty: bool, days: int, final_sale: bool) -> Ruling:
    """A return, so many days after delivery."""
    if faulty:
        return Ruling("pay", "faulty") if days <= FAULTY_DAYS else Ruling("decline", "late_faulty")
    if final_sale:
        return Ruling("decline", "final_sale")
    return Ruling("pay", "return", label=True) if days <= RETURN_DAYS else Ruling("decline", "late")
