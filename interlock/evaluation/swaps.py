"""Puts another model or another prompt in the place of a graph's own, for as long as one case is played."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from interlock.core.agents import AnyAgent
from interlock.core.bodies import Thinking
from interlock.core.prompts import parse
from interlock.errors import BadInput
from interlock.orchestration.supervisor import SupervisorGraph
from interlock.settings import ModelSettings, Settings


def rerouted(settings: Settings, model: str) -> Settings:
    """The settings in which every model route stands for one model; as they are where none is given.

    Args:
        settings: As configured.
        model: A route that has models, or a model as `INTERLOCK_MODEL` names one.
    """
    if not model:
        return settings
    chosen = settings.models.get(model) or (ModelSettings(model=model),)
    routes = {name: chosen for name in (*settings.models, "default")}
    return settings.model_copy(update={"model": "", "models": routes})


def scripted(settings: Settings, script: str) -> Settings:
    """The settings in which a script answers, where no model is configured."""
    takes = script and not (settings.model or settings.models)
    return settings.model_copy(update={"model_script": script}) if takes else settings


def agents_of(graph: object) -> dict[str, AnyAgent]:
    """The agents of a graph by name, fallbacks included; none of a graph written by hand."""
    if not isinstance(graph, SupervisorGraph):
        return {}
    agents = dict(graph.supervisor.agents)
    return agents | {each.fallback.name: each.fallback for each in agents.values() if each.fallback}


@contextmanager
def prompted(graph: object, prompts: Mapping[str, str]) -> Generator[None]:
    """Gives agents other prompts; what stands in the record is the version of what they were told.

    Args:
        graph: The agents are its own.
        prompts: Agent -> what would stand in its prompt's file, head included.

    Raises:
        BadInput: if there is no such agent, or it does not work by a prompt.
        BuildError: if a prompt cannot be used.
    """
    agents = agents_of(graph)
    before = {name: thinking_of(agents, name) for name in prompts}
    try:
        for name, written in prompts.items():
            file = before[name].prompt
            words = parse(file.stem, written, f"of {name}")
            _think(agents[name], replace(before[name], words=words))
        yield
    finally:
        for name, thinking in before.items():
            _think(agents[name], thinking)


def thinking_of(agents: Mapping[str, AnyAgent], name: str) -> Thinking:
    """How an agent thinks that works by a prompt.

    Raises:
        BadInput: if there is no such agent, or it does not work by a prompt.
    """
    if name not in agents:
        known = ", ".join(sorted(agents)) or "none"
        raise BadInput(f"there is no agent {name!r} in this graph; there are: {known}.")
    thinking = agents[name].thinking
    if thinking is None:
        able = ", ".join(sorted(each for each, agent in agents.items() if agent.thinking)) or "none does"
        raise BadInput(f"agent {name!r} does not work by a prompt; of this graph's agents: {able}.")
    return thinking


def _think(agent: AnyAgent, thinking: Thinking) -> None:
    """Agents are not changed once made; this one is its process's own, and is put back."""
    agent.thinking = thinking
    vars(agent).pop("version", None)
