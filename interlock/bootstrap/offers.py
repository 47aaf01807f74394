"""What a graph offers to callers: its name, what it is for, and the shapes of what goes in and comes out."""

from typing import Any

from interlock.core.canonical import plain
from interlock.core.hosting import Offer
from interlock.orchestration.supervisor import Supervisor
from interlock.runs.program import Program


def offer_of(program: Program, supervisor: Supervisor[Any, Any] | None) -> Offer:
    """What a program offers; of a hand-written graph only its name is known."""
    if supervisor is None:
        return Offer(program.name, f"The graph {program.name}.", program.version, {}, {})
    agents = list(supervisor.agents.values())
    told = [f"{agent.name}: {agent.description.rstrip('.')}" for agent in agents]
    topics = agents[0].not_for if len(agents) == 1 else ()
    not_for = [topic for topic in topics if isinstance(topic, str)]
    description = agents[0].description if len(agents) == 1 else f"Answers requests with {'; '.join(told)}."
    return Offer(
        name=supervisor.name,
        description=description + (f" Not for {', '.join(not_for)}." if not_for else ""),
        version=supervisor.version,
        request=supervisor.request.model_json_schema(),
        response=supervisor.response.model_json_schema(),
        examples=tuple(plain(example) for example in supervisor.examples),
        tags=tuple(agent.name for agent in agents),
    )
