"""The same desk as one agent: every tool, one prompt. What the parts of the real desk are measured against.

`interlock eval compare support` plays both. Policy, gate and delivery are the desk's own.
"""

from agents.ticket import Reply, Ticket
from graphs.support import delivery, needs_a_yes
from interlock import Agent, Findings, Limits, Plan, Policy, Supervisor, Task
from interlock.orchestration.assembly import NothingToSay
from interlock.orchestration.deliver import Delivery
from tools.carrier import track
from tools.helpdesk import assign, people_for, reply_to_customer
from tools.payments import paid, refund, refunds_of
from tools.shop import customer, make_label, order, orders_of, void_label

READS = [customer, order, orders_of, track, paid, refunds_of, people_for]
one = Agent(
    "one",
    "Answers a customer's ticket from the first look to the reply, refunds included.",
    input=Ticket,
    output=Reply,
    prompt="prompts/one.md",
    model="one",
    tools=[*READS, make_label, void_label, refund, assign],
    max_steps=40,
)

policy = (
    Policy()
    .allow(one, *READS, make_label, void_label, assign)
    .ask(one, refund, when=needs_a_yes, whom="shift-lead", within="24h")
    .allow(one, refund)
)


def everything(ticket: Ticket) -> Plan:
    """Whatever it is, the one agent does it."""
    return Plan(Task(one, ticket))


def answer(ticket: Ticket, findings: Findings) -> Reply:
    """What the agent wrote."""
    written = findings.get(one)
    if not written:
        raise NothingToSay
    return written[-1]


graph = Supervisor(
    "one-agent",
    request=Ticket,
    response=Reply,
    agents=[one],
    routes=[everything],
    policy=policy,
    answer=answer,
    examples=[Ticket(id="X-1", customer_email="a@example.org", text="Where is my order A-1001?")],
    deliver=Delivery(reply_to_customer, delivery),
    known={"Lantern Shop"},
    subject=lambda ticket: ticket.customer_email,
    limits=Limits(seconds=120, tool_calls=60),
    text=lambda reply: reply.text,
).build()
