"""The `escalation` specialist: hands a whole ticket to the person who is there for its matter."""

from agents.ticket import Handover, Ticket
from interlock import Agent, Doors
from tools.helpdesk import assign, people_for


async def hand_over(ticket: Ticket, topic: str, doors: Doors) -> Handover:
    """Finds the person for the topic and puts the ticket into their hands."""
    person = await doors.call(people_for, topic=topic)
    reason = f"the ticket is about {topic}"
    done = await doors.call(assign, ticket_id=ticket.id, person=person.name, reason=reason)
    return Handover(person=done.person, topic=topic)


escalation = Agent(
    "escalation",
    "Hands a ticket that no machine should answer to a person: legal threats, press, injuries, safety.",
    run=hand_over,
    tools=[people_for, assign],
    escalates=True,
)
