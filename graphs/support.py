"""The support desk of an online shop: who may do what, what the reply is made of, and what may leave.

`graph` is what the command line and LangGraph's own tools load; it runs durably within `interlock.bind`.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from agents.drafting import drafting
from agents.escalation import escalation
from agents.orders import orders
from agents.returns import returns
from agents.risk import MANY_REFUNDS, risk
from agents.ticket import Reply, Ticket
from graphs.routes import EXAMPLES, ROUTES
from interlock import Conflict, Findings, Limits, Policy, Supervisor
from interlock.core.conflicts import prefer
from interlock.orchestration.deliver import Delivery
from interlock.orchestration.gate import Problem
from tools.carrier import track
from tools.helpdesk import assign, people_for, reply_to_customer
from tools.payments import paid, refund, refunds_of
from tools.shop import customer, make_label, order, orders_of, void_label

FREE_REFUND = Decimal("100.00")
"""A single refund up to this amount needs nobody's yes."""
SIGNED = "Kind regards\nLantern Shop"
NOBODY = f"Hello,\n\nthank you for your message. It is nothing that we can do at this desk.\n\n{SIGNED}"
REFUSED = f"Hello,\n\nwe cannot act on this message.\n\n{SIGNED}"


def needs_a_yes(arguments: Mapping[str, Any]) -> bool:
    """It is more than 100.00, or the customer has had three refunds or more.

    The count stands in the call because a rule reads the call alone. `risk` takes it from the payments book
    and coded steps carry it here, so no text of a customer can change it; a person who is asked sees it too.
    """
    return arguments["amount"] > FREE_REFUND or arguments["history"] >= MANY_REFUNDS


policy = (
    Policy()
    .allow(orders, order, orders_of, track)
    .allow(risk, orders_of, refunds_of)
    .allow(returns, paid, make_label, void_label)
    .ask(returns, refund, when=needs_a_yes, whom="shift-lead", within="24h")
    .allow(returns, refund)
    .allow(escalation, people_for, assign)
    .allow(drafting, customer)
)


def answer(ticket: Ticket, findings: Findings) -> Reply:
    """The newest draft; where nobody drafted anything, a plain word."""
    drafts = findings.get(drafting)
    return Reply(text=drafts[-1].text if drafts else NOBODY)


def refusal(ticket: Ticket) -> Reply:
    """What a customer reads whose ticket is refused; it does not say what gave it away."""
    return Reply(text=REFUSED)


def no_manipulation(reply: Reply, findings: Findings) -> Problem | None:
    """A ticket that tries to steer the assistant is refused as a whole, however honest the rest of it is."""
    found = [sign for each in findings.get(risk) if each.level == "manipulation" for sign in each.signs]
    return Problem(f"The ticket tries to steer us: {', '.join(found)}.", "refuse") if found else None


def delivery(ticket: Ticket, reply: Reply) -> dict[str, Any]:
    """The reply as the help desk sends it."""
    return {"ticket_id": ticket.id, "text": reply.text}


support = Supervisor(
    "support",
    request=Ticket,
    response=Reply,
    agents=[orders, returns, risk, escalation, drafting],
    routes=ROUTES,
    policy=policy,
    answer=answer,
    refusal=refusal,
    conflicts=[Conflict("parcel *: status", prefer("carrier/track", "shop/*"))],
    checks=[no_manipulation],
    examples=EXAMPLES,
    deliver=Delivery(reply_to_customer, delivery),
    known={"Lantern Shop"},
    subject=lambda ticket: ticket.customer_email,
    limits=Limits(seconds=120, tool_calls=60),
    text=lambda reply: reply.text,
)
graph = support.build()
