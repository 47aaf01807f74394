"""What a project is set up to reach, in a line each: models, remote agents, traces. Calls nobody."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from interlock.errors import InterlockError

if TYPE_CHECKING:
    from interlock.core.agents import AnyAgent
    from interlock.settings import ModelSettings, Settings


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at."""

    verdict: Literal["ok", "note", "problem"]
    what: str
    told: str
    """What was found, and for a problem what to do."""


async def models(settings: "Settings", agents: "Sequence[AnyAgent]") -> AsyncIterator[Line]:
    """Who is asked for each model route; what answers where no model is configured."""
    from interlock.bootstrap.models import unready

    listed = dict(settings.models)
    if settings.model:
        from interlock.settings import ModelSettings

        listed["default"] = (ModelSettings(model=settings.model, url=settings.model_url),)
    if not listed:
        yield _no_model(settings, agents)
        return
    faults = await unready(settings)
    for route, asked in listed.items():
        bad = [f"{model}: {why.rstrip('.')}" for (at, model), why in faults.items() if at == route]
        told = ", then ".join(map(_model, asked))
        what = "model route default" if route == "default" else f"model route {route}"
        if bad:
            told = f"{told}. Not usable: {'; '.join(bad)}. Set the key, or correct the setting"
            yield Line("problem", what, told)
        else:
            yield Line("ok", what, f"{told}{', and every other route' if route == 'default' else ''}")
    if "default" not in listed:
        absent = sorted({each.thinking.model for each in agents if each.thinking} - set(listed))
        if absent:
            told = f"no model stands behind {', '.join(absent)}: name one there or as default"
            yield Line("problem", "model routes", told)


def remotes(settings: "Settings", agents: "Sequence[AnyAgent]") -> Iterator[Line]:
    """Which agents work elsewhere, and where; nobody is called."""
    from interlock.bootstrap.peers import place_of

    known = {each.name: each.remote.url for each in agents if each.remote}
    named = {each.name for each in agents}
    if not known and not settings.remotes:
        yield Line("ok", "remote agents", "none: every agent works here")
    for name in sorted({*known, *settings.remotes}):
        what, given = f"remote agent {name}", settings.remotes.get(name)
        if given is None:
            yield Line("ok", what, f"{known[name]}  (in its code)")
            continue
        told = f"{given.url or known.get(name, 'no address')}  (setting remotes)"
        try:
            place_of(name, given)
        except InterlockError as error:
            yield Line("problem", what, error.message)
        else:
            here = name in named
            unknown = "; no graph of langgraph.json has an agent of this name"
            yield Line("ok" if here else "note", what, told if here else f"{told}{unknown}")


def tracing(settings: "Settings") -> Line:
    """Where traces go, and how much of the content with them."""
    from interlock.observability.langfuse import configured

    keys = {
        "LANGFUSE_PUBLIC_KEY": settings.langfuse_public_key,
        "LANGFUSE_SECRET_KEY": settings.langfuse_secret_key.get_secret_value(),
    }
    absent = [name for name, value in keys.items() if not value]
    if len(absent) == 1:
        told = f"nothing is sent to Langfuse: {absent[0]} is missing, and it takes both keys"
        return Line("problem", "tracing", told)
    places = [f"Langfuse at {settings.langfuse_base_url}"] if configured(settings) else []
    places += [settings.otlp_endpoint] if settings.otlp_endpoint else []
    if not places:
        told = "off: it takes the two keys of Langfuse, or `otlp_endpoint`"
        return Line("ok", "tracing", told)
    return Line("ok", "tracing", f"to {' and '.join(places)}, content: {settings.trace_content}")


def agents_of(made: Any) -> "list[AnyAgent]":  # noqa: ANN401
    """The agents of a graph; none where it was written by hand."""
    supervisor = getattr(made, "supervisor", None)
    return list(supervisor.agents.values()) if supervisor is not None else []


def _no_model(settings: "Settings", agents: "Sequence[AnyAgent]") -> Line:
    how = "set INTERLOCK_MODEL, or name one in [tool.interlock.models]"
    if settings.model_script:
        return Line("ok", "models", f"none; the script {settings.model_script} answers. For a real one {how}")
    asking = sorted(each.name for each in agents if each.thinking)
    if asking:
        told = f"none, so agents that work by a prompt give up ({', '.join(asking)}): {how}"
        return Line("note", "models", told)
    return Line("ok", "models", f"none; to think, {how}")


def _model(each: "ModelSettings") -> str:
    return f"{each.model} at {each.url}" if each.url else each.model
