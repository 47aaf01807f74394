"""Agents: primitives that do not know who triggered them."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import (
    Any,
    Generic,
    TypeAlias,
    TypeVar,
    TypeVarTuple,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import TypeAdapter

from interlock.core.bodies import Remote, Thinking
from interlock.core.canonical import digest
from interlock.core.fingerprints import fingerprint
from interlock.core.limits import AGENT_LIMITS, Limits
from interlock.core.policy import Policy
from interlock.core.prompts import beside_caller, places
from interlock.core.results import Completed, Degraded, GaveUp
from interlock.core.shapes import produced
from interlock.core.tools import Granted, Tool, named
from interlock.errors import BuildError, PlanInvalid

Ins = TypeVarTuple("Ins")
Out = TypeVar("Out")

_NAME = re.compile(r"^[a-z][a-z0-9_-]{0,39}$")
_RESULTS = (Completed, Degraded, GaveUp)

NotFor: TypeAlias = str | Callable[[Any], bool]
"""A topic in words, or a rule over the request whose docstring is the reason."""


class Agent(Generic[*Ins, Out]):
    """A specialist: what it takes, what it returns, what it may use, and how it works.

    Immutable once made. `version` is the digest of its definition and stands in every event. Programs use
    `interlock.Agent`, whose signatures say which body takes what.
    """

    def __init__(
        self,
        name: str,
        description: str,
        *,
        run: Callable[..., Awaitable[Any]] | None = None,
        input: type[Any] | None = None,
        output: type[Any] | None = None,
        prompt: str | Path | None = None,
        model: str = "default",
        skills: Sequence[str | Path] = (),
        reasoning: str = "",
        remote: Remote | None = None,
        graph: object | None = None,
        write: Callable[..., Mapping[str, Any]] | None = None,
        read: Callable[[Mapping[str, Any]], Any] | None = None,
        tools: Sequence[Granted] = (),
        not_for: Sequence[NotFor] = (),
        limits: Limits = AGENT_LIMITS,
        max_steps: int | None = None,
        attempts: int = 2,
        fallback: "AnyAgent | None" = None,
        escalates: bool = False,
        max_activations: int = 10,
    ) -> None:
        """Makes an agent of a coded body (`run`), a prompt, or a compiled graph (`graph`, `write`, `read`).

        Args:
            name: Lower-case letters, digits, `-` and `_`; unique in a supervisor.
            description: What it is for, in a sentence; routes and people read it.
            run: `async def body(*inputs, doors) -> output`; the annotations are its schema.
            input: The type of the one input, where a prompt or a URL has no annotations.
            output: The type of the output, likewise.
            prompt: A Markdown file that says what a model is to do; a relative path starts in the
                folder of the file that makes the agent. Its content is part of `version`.
            model: The route that the prompt's model is behind.
            skills: Folders with a SKILL.md, which the model may read up.
            reasoning: How hard the model is to think, where it can be told: `low`, `medium`, `high`.
            remote: For `RemoteAgent`.
            graph: A compiled LangGraph graph; its nodes reach the doors as `runtime.context`.
            write: Makes the graph's input from the task's inputs.
            read: Makes the output from the graph's final state.
            tools: What it may call, as tools or patterns; the policy decides each call.
            not_for: What it must not be used for, as topics in words or rules over the request.
            limits: Caps on its time and spend; the run's own caps hold as well.
            max_steps: Bound on the supersteps of `graph`; needed where the graph has a cycle. A model
                takes two with every turn in which it uses tools.
            attempts: How often a task is tried before the fallback or `Failed`.
            fallback: A simpler agent of the same shape; its answer is `Degraded`.
            escalates: Its completed work hands the request to a person.
            max_activations: How many tasks of one plan may be its.

        Raises:
            BuildError: if the name, annotations or bounds are wrong.
        """
        if not _NAME.match(name):
            raise BuildError(f"{name!r} is not an agent's name: use lower-case letters, digits, '-' and '_'.")
        self.name = name
        self.description = description
        self.run = run
        self.thinking: Thinking | None = (
            None
            if prompt is None
            else Thinking.read(beside_caller(prompt), model, [beside_caller(s) for s in skills], reasoning)
        )
        self.remote = remote
        self.graph = graph
        self.write = write
        self.read = read
        self.tools: tuple[Granted, ...] = tuple(tools)
        self.not_for: tuple[NotFor, ...] = tuple(not_for)
        self.limits: Limits = limits.within(AGENT_LIMITS) if limits.seconds is None else limits
        self.max_steps = max_steps
        self.attempts = attempts
        self.fallback = fallback
        self.escalates = escalates
        self.max_activations = max_activations
        self.inputs: dict[str, Any]
        self.returns: Any
        self.inputs, self.returns = self._shape(input, output)
        self.takes: dict[str, TypeAdapter[Any]] = {n: TypeAdapter(t) for n, t in self.inputs.items()}
        self.output: TypeAdapter[Any] = TypeAdapter(self.returns)
        self._bounded()
        self._placed()

    @property
    def effects(self) -> tuple[Tool[..., Any], ...]:
        """The tools it was granted that change the world."""
        return tuple(t for t in self.reaches if isinstance(t, Tool) and t.effect == "once")

    @property
    def governed(self) -> "tuple[Policy, str] | None":
        """Policy and version of the supervisor that is its body; None for every other body."""
        return None

    @property
    def reaches(self) -> "tuple[Granted, ...]":
        """What it may call, with what the agents inside it may call."""
        return self.tools

    @property
    def hops(self) -> int:
        """The most activations that one activation of it causes, itself included."""
        return 1

    @cached_property
    def version(self) -> str:
        """Digest of the definition: words, schema, grants, limits and the body's code."""
        return digest(
            {
                "name": self.name,
                "description": self.description,
                "inputs": {name: taken.json_schema() for name, taken in self.takes.items()},
                "output": self.output.json_schema(),
                "tools": [t.definition if isinstance(t, Tool) else t for t in self.tools],
                "not_for": [t if isinstance(t, str) else fingerprint(t) for t in self.not_for],
                "limits": self.limits,
                "body": [fingerprint(part) for part in (self.run, self.write, self.read)],
                **({"thinking": self.thinking.definition} if self.thinking else {}),
                **({"remote": self.remote.definition} if self.remote else {}),
            },
            "agent",
        )[:12]

    def refuses(self, request: object, text: str) -> str | None:
        """Says what about a request this agent is not for, or None.

        Args:
            request: The request itself, for rules.
            text: All words of the request, for topics; singular and plural count as the same.
        """
        words = _words(text)
        for topic in self.not_for:
            if callable(topic):
                if topic(request):
                    return (inspect.getdoc(topic) or topic.__name__).splitlines()[0]
            elif f" {_words(topic)} " in f" {words} ":
                return topic
        return None

    def __repr__(self) -> str:
        """The agent's name and shape."""
        takes = ", ".join(getattr(t, "__name__", str(t)) for t in self.inputs.values())
        return f"<agent {self.name}({takes})>"

    def _shape(self, takes: object, makes: object) -> tuple[dict[str, Any], Any]:
        """Input types by parameter name, and the output type without the result wrappers."""
        if self.run is not None:
            names = list(inspect.signature(self.run).parameters)
            hints = _hints(self.name, self.run, names)
            if not names or not inspect.iscoroutinefunction(self.run):
                raise BuildError(f"agent {self.name}: `run` must be `async def body(*inputs, doors)`.")
            return {n: hints[n] for n in names[:-1]}, _unwrapped(hints["return"])
        if self.thinking is not None or self.remote is not None:
            if takes is None or makes is None:
                raise BuildError(
                    f"agent {self.name}: a prompt or a URL has no annotations: give `input=` and `output=`."
                )
            return {"input": takes}, _unwrapped(makes)
        if self.graph is None or self.write is None or self.read is None:
            raise BuildError(
                f"agent {self.name} needs a body: `run=`, `prompt=`, or `graph=` with `write=` and `read=`."
            )
        names = list(inspect.signature(self.write).parameters)
        hints = _hints(self.name, self.write, names)
        return {n: hints[n] for n in names}, _unwrapped(_hints(self.name, self.read, [])["return"])

    def _placed(self) -> None:
        """Refuses a prompt that names a field which its input does not have."""
        told = self.misplaced(self.thinking.words.text) if self.thinking else ""
        if told:
            raise BuildError(
                f"agent {self.name}: its prompt names {{{told}}}, which its input does not have."
            )

    def misplaced(self, text: str) -> str:
        """The first place in a prompt's text that the input has nothing for; empty if all is there."""
        for path in places(text):
            try:
                produced(f"agent {self.name}", self.inputs["input"], path)
            except PlanInvalid:
                return ".".join(("input", *path))
        return ""

    def _bounded(self) -> None:
        if self.attempts < 1 or self.max_activations < 1:
            raise BuildError(f"agent {self.name}: `attempts` and `max_activations` are at least 1.")
        other = self.fallback
        if other is not None:
            if other.fallback is not None:
                raise BuildError(
                    f"agent {self.name}: its fallback {other.name} has a fallback; one step is the bound."
                )
            if list(other.inputs.values()) != list(self.inputs.values()) or other.returns != self.returns:
                raise BuildError(
                    f"agent {self.name}: its fallback {other.name} takes or returns something else."
                )
            for each in (self, other):
                told = ", ".join(named(t) for t in each.effects)
                if told:
                    raise BuildError(
                        f"agent {each.name} has effects ({told}) and cannot "
                        "take part in a fallback: an effect that may have happened must not be tried another "
                        "way."
                    )


AnyAgent: TypeAlias = Agent[*tuple[Any, ...], Any]
"""An agent of any shape."""


def _hints(name: str, function: Callable[..., Any], parameters: list[str]) -> dict[str, Any]:
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise BuildError(
            f"agent {name}: an annotation of {function.__name__} names nothing: {error}."
        ) from error
    missing = [p for p in (*parameters, "return") if p not in hints]
    if missing:
        raise BuildError(
            f"agent {name}: {function.__name__} needs a type annotation for {', '.join(missing)}."
        )
    return hints


def _unwrapped(annotation: Any) -> Any:  # noqa: ANN401
    """`Order` for `Order | Degraded[Order] | GaveUp`."""
    members = get_args(annotation) if _is_union(annotation) else (annotation,)
    kept: list[Any] = []
    for member in members:
        if member is GaveUp:
            continue
        generic = getattr(member, "__pydantic_generic_metadata__", {})
        inner = generic["args"][0] if generic.get("origin") in _RESULTS and generic["args"] else member
        if inner not in kept:
            kept.append(inner)
    return Union[tuple(kept)] if kept else GaveUp  # noqa: UP007


def _is_union(annotation: Any) -> bool:  # noqa: ANN401
    return get_origin(annotation) is Union or type(annotation).__name__ == "UnionType"


def _words(text: str) -> str:
    """The words of a text in small letters, without a plural's ending."""
    found = re.findall(r"\w+", text.casefold())
    return " ".join(_singular(word) for word in found)


def _singular(word: str) -> str:
    """The word without the ending that English, roughly, gives a plural."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "zes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
