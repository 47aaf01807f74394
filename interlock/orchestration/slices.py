"""Slices: what one task is given, and nothing else. References where outputs are large."""

import json
from typing import Any, Literal, cast

from pydantic import BaseModel, TypeAdapter

from interlock.core.canonical import Json, canonical
from interlock.core.plans import Finding, Findings, Input, PlannedTask
from interlock.core.ports import Artifacts
from interlock.core.results import INLINE_BYTES, Stored
from interlock.core.shapes import follow


class Given(BaseModel, frozen=True, extra="forbid"):
    """One input of a task: a value, or a stored output by reference."""

    kind: Literal["value", "request", "output", "findings"]
    value: Json = None
    artifact: str | None = None
    """Digest of the stored value, where it is larger than 8 KiB."""
    path: tuple[str, ...] = ()
    """Fields to follow in the stored value."""
    sources: tuple[str, ...] = ()
    """The tasks it comes from."""


class Slice(BaseModel, frozen=True, extra="forbid"):
    """What dispatch sends to a specialist node."""

    v: Literal[1] = 1
    """Format version."""
    task: str
    agent: str
    """The agent that works: the fallback, where the task's own agent has failed."""
    attempt: int
    round: int = 0
    feedback: str = ""
    stands_in: str = ""
    """The error of the task's own agent, when this is its fallback."""
    inputs: dict[str, Given]
    omitted: dict[str, str] = {}
    """What else exists in the run and was not given: task, and the rule that left it out."""


def give(task: PlannedTask, request: Json, results: dict[str, Stored], resolutions: Json) -> dict[str, Given]:
    """The inputs of a task whose needs have ended."""
    return {wanted.name: _given(wanted, request, results, resolutions) for wanted in task.inputs}


def _given(wanted: Input, request: Json, results: dict[str, Stored], resolutions: Json) -> Given:
    if wanted.kind == "value":
        return Given(kind="value", value=wanted.value)
    if wanted.kind == "request":
        return _part_of(_held(request), wanted.path)
    if wanted.kind == "output":
        stored = results[wanted.task]
        if stored.artifact:
            return Given(kind="output", artifact=stored.artifact, path=wanted.path, sources=(wanted.task,))
        return Given(kind="output", value=follow(stored.output, wanted.path), sources=(wanted.task,))
    items: list[Json] = [finding(results[t]).model_dump(mode="json") for t in wanted.tasks if t in results]
    return Given(kind="findings", value={"items": items, "resolutions": resolutions}, sources=wanted.tasks)


def finding(stored: Stored) -> Finding:
    """What a task came to, for closing tasks and the aggregator; a large output stays a reference."""
    return Finding(
        task=stored.task,
        agent=stored.agent,
        status=stored.status,
        output={"$artifact": stored.artifact} if stored.artifact else stored.output,
        why=stored.why,
        needs=stored.needs,
        artifacts=stored.artifacts,
    )


async def hold(value: Json, run: str, name: str, artifacts: Artifacts) -> dict[str, Json]:
    """A value as graph state keeps it: itself, or a reference to an artifact when it is large."""
    data = canonical(value)
    if len(data) <= INLINE_BYTES:
        return {"value": value}
    return {"artifact": await artifacts.put(run, name, "application/json", data)}


async def load(held: Given, artifacts: Artifacts) -> Json:
    """The value itself."""
    if held.artifact:
        return follow(json.loads(await artifacts.get(held.artifact)), held.path)
    return await _loaded(held.value, artifacts) if held.kind == "findings" else held.value


async def findings_of(results: dict[str, Stored], resolutions: Json, artifacts: Artifacts) -> Findings:
    """The findings of all tasks, with large outputs loaded."""
    items: list[Json] = [finding(stored).model_dump(mode="json") for stored in results.values()]
    return Findings.model_validate(await _loaded({"items": items, "resolutions": resolutions}, artifacts))


async def typed_inputs(
    given: dict[str, Given], takes: dict[str, TypeAdapter[Any]], artifacts: Artifacts
) -> list[Any]:
    """The inputs as the body's parameter types, in its order.

    Raises:
        pydantic.ValidationError: if stored data no longer has the type the body wants.
    """
    # A fallback takes the same types in the same order, and may name them otherwise.
    named = [given[name] for name in takes] if takes.keys() == given.keys() else list(given.values())
    pairs = zip(takes.values(), named, strict=True)
    return [taken.validate_python(await load(each, artifacts)) for taken, each in pairs]


def _part_of(held: dict[str, Any], path: tuple[str, ...]) -> Given:
    """The request, or the part of it that a task is given."""
    if held.get("artifact"):
        return Given(kind="request", artifact=str(held["artifact"]), path=path)
    return Given(kind="request", value=follow(held.get("value"), path))


def _held(held: Json) -> dict[str, Any]:
    return held if isinstance(held, dict) else {"value": held}


async def _loaded(value: Json, artifacts: Artifacts) -> Json:
    """Findings with the outputs that are references to artifacts; what stands inside an output is data."""
    given = value if isinstance(value, dict) else {}
    items: list[Json] = []
    for item in cast("list[dict[str, Json]]", given.get("items") or []):
        output = item.get("output")
        if isinstance(output, dict) and set(output) == {"$artifact"}:
            item = {**item, "output": json.loads(await artifacts.get(str(output["$artifact"])))}
        items.append(item)
    return {**given, "items": items}
