"""The desk's sentences. Facts come from what the tools said; nothing here knows where they come from."""

from agents.returns_policy import FAULTY_DAYS, LOST_AFTER_DAYS, RETURN_DAYS
from agents.ticket import Case, Handover, Reason, Settlement

PAID: dict[Reason, str] = {
    "lost": "The carrier has lost track of it, so we have refunded {money} to your original payment method.",
    "cancelled": "The order is cancelled, and we have refunded {money} to your original payment method.",
    "faulty": "We are sorry about that. We have refunded {money}; you need not send anything back.",
    "return": "We have refunded {money}. Please send the item back with the attached return label {label}.",
}
DECLINED: dict[Reason, str] = {
    "refunded": "This order was refunded before, so there is no second refund.",
    "taken": "This order is being refunded already, so there is no second refund.",
    "refused": "The payment service did not accept a refund for this order, so nothing was paid back.",
    "shift_lead": "We looked at your request with care and cannot grant a refund. Nothing was paid back.",
    "suspicious": "We cannot pay anything back on this request.",
    "late": f"We are sorry: items can be returned within {RETURN_DAYS} days of delivery, and these are over.",
    "late_faulty": f"We are sorry: even faulty items can be returned within {FAULTY_DAYS} days of delivery,"
    " and these are over.",
    "final_sale": "We are sorry: it was a final sale, and such items can be returned only if damaged.",
    "shipped": "It was shipped already, so it cannot be cancelled any more. Once it is with you, you may"
    f" return it within {RETURN_DAYS} days.",
    "on_its_way": f"The parcel is on its way and counts as lost only after {LOST_AFTER_DAYS} days without a"
    f" scan, so we cannot refund it now. Once it is with you, you may return it within {RETURN_DAYS} days.",
    "returning": "As the parcel is returning to us, we cannot refund it now.",
    "delivered": "As it was delivered, we cannot refund it as lost. Please ask at home and next door.",
    "unreachable": "Without the carrier's word we cannot decide on a refund. Please write again in a day.",
}
UNDONE: dict[str, str] = {
    "gave_up": "It did not become clear which order you mean. Please write to us again with its number.",
    "failed": "We could not work on all of your request just now. Please write to us again.",
}
UNMET = {
    "exchange": "We are sorry that we cannot exchange items here. You may return yours and order anew.",
    "billing": "Questions about the bill are for a colleague; please write to us about them alone.",
    "other": "There is a wish in your message that we cannot fulfil at this desk.",
}
SAYS = {
    "in_transit": "in transit",
    "delivered": "delivered",
    "returning": "returning to us",
    "lost": "lost",
}


def status(case: Case, corrected: str = "") -> str:
    """Where an order is.

    Args:
        case: The order and its parcel.
        corrected: What the shop's own book says, where the carrier contradicted it and won.
    """
    order = case.order
    name = f"Your order {order.id} ({order.item})"
    if case.unreachable:
        told = f"{name} is {order.status} as far as our own book goes, tracking number {order.tracking}."
        return f"{told} The carrier cannot be reached at the moment, so we cannot say where the parcel is."
    if case.parcel is None:
        return (
            f"{name} is {order.status}{' and has not been sent yet' if order.status == 'processing' else ''}."
        )
    parcel = case.parcel
    told = f"{name} is {SAYS[parcel.status]}, tracking number {parcel.tracking}."
    told += f" It was last scanned in {parcel.place} on {parcel.last_scan.isoformat()}."
    if corrected:
        told += f" Our own book says '{corrected}'; the carrier knows better."
    return told


def settlement(done: Settlement, currency: str) -> str:
    """What became of the wish for money; empty where there was nothing to decide."""
    if done.outcome == "nothing":
        return ""
    if done.outcome == "declined":
        return DECLINED[done.reason]
    return PAID[done.reason].format(money=f"{done.amount} {currency}", label=done.label)


def handover(done: Handover) -> str:
    """Who has the ticket now."""
    return f"Thank you for telling us. {done.person} has taken over your whole ticket and will answer you."
