"""The `reading` specialist: reads a ticket in words that no rule knows. A model reads; rules decide."""

from pathlib import Path

from agents.ticket import Ticket, Wish
from interlock import Agent, Limits

reading = Agent(
    "reading",
    "Reads what a customer wants with an order from words that no rule knows.",
    input=Ticket,
    output=Wish,
    prompt=Path(__file__).parent / "prompts" / "reading.md",
    model="reading",
    limits=Limits(seconds=30, model_calls=4, tokens=8_000),
)
