"""Tools as values: what a call takes, returns, changes in the world, and how it can be checked.

A tool knows nothing of the server that runs it beyond the first part of its name.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Generic, Literal, ParamSpec, TypeAlias, TypedDict, TypeVar, Unpack, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

from interlock.core.canonical import Json, digest, plain
from interlock.errors import BuildError, SchemaViolation

P = ParamSpec("P")
T = TypeVar("T")

Effect: TypeAlias = Literal["none", "once"]
"""`none`: the call only reads. `once`: it changes the world and must not happen twice."""


@dataclass(frozen=True, eq=False)
class Tool(Generic[P, T]):
    """One tool of one server; made by `ToolServer.tool`."""

    name: str
    """`server/tool`, unique in a graph."""
    description: str
    signature: inspect.Signature
    arguments_model: type[BaseModel]
    """Validates the arguments; its JSON Schema is the tool's input schema."""
    returns: TypeAdapter[Any]
    """Validates the answer."""
    effect: Effect = "none"
    key: str | None = None
    """The parameter that carries the idempotency key; the gateway fills it and the server honours it."""
    lookup: "Tool[..., Any] | None" = None
    """A reading tool that takes the key and returns what the call returned, or None if it never happened."""
    compensate: "Tool[..., Any] | None" = None
    """The effect that takes this one back; it gets those fields of this one's answer that it takes."""
    effect_key: Callable[[Mapping[str, Any]], str] | None = None
    """Names the effect across runs (order and line, say): the same name happens once in all runs."""
    speaks: bool = False
    """The tool's effect is read by people outside; no specialist may have it."""
    refuses: bool = False
    """An error answer means that nothing happened; otherwise the outcome of an effect is unknown."""
    timeout_s: float = 30.0
    secret: tuple[str, ...] = ()
    """Parameters whose values are kept out of events, questions and error texts."""
    origin: object = None
    """The server object that runs it; the gateway's business alone."""

    @property
    def server(self) -> str:
        """The name of the server that runs it."""
        return self.name.partition("/")[0]

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return self.arguments_model.model_json_schema()

    @cached_property
    def definition(self) -> str:
        """Digest of everything a reviewer of this tool would read; approvals are bound to it."""
        return digest(
            {
                "name": self.name,
                "description": self.description,
                "effect": self.effect,
                "key": self.key,
                "input": self.input_schema,
                "output": self.returns.json_schema(),
            },
            "tool",
        )

    def bind(self, /, *args: object, **kwargs: object) -> dict[str, Any]:
        """Validates arguments and returns them by name, typed, without the key.

        Raises:
            SchemaViolation: if an argument is missing, unknown or of the wrong type.
        """
        try:
            named = dict(self.signature.bind_partial(*args, **kwargs).arguments)
            named.pop(self.key or "", None)
            for parameter in self.signature.parameters.values():
                if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                    named |= named.pop(parameter.name, {})
            model = self.arguments_model.model_validate(named)
        except (TypeError, ValidationError) as error:
            raise SchemaViolation(
                f"{self.name} cannot be called like this: {_told(error)}. It takes {self.signature}."
            ) from error
        return {name: getattr(model, name) for name in type(model).model_fields} | (model.model_extra or {})

    def shown(self, arguments: Mapping[str, Any]) -> dict[str, Json]:
        """Arguments as JSON for people and the record, secret ones masked."""
        return {
            name: "[secret]" if name in self.secret else plain(value) for name, value in arguments.items()
        }

    def __repr__(self) -> str:
        """The tool's name, as error texts and the record use it."""
        return f"<tool {self.name}>"


class ToolOptions(TypedDict, total=False):
    """What `describe` takes beside the function; each is a field of `Tool`."""

    effect: Effect
    key: str | None
    lookup: Tool[..., Any] | None
    compensate: Tool[..., Any] | None
    effect_key: Callable[[Mapping[str, Any]], str] | None
    speaks: bool
    refuses: bool
    timeout_s: float
    secret: tuple[str, ...]
    origin: object


def describe(
    function: Callable[P, Awaitable[T]], *, server: str, **options: Unpack[ToolOptions]
) -> Tool[P, T]:
    """Makes a tool from an async function's name, docstring and annotations.

    Raises:
        BuildError: if annotations are missing, or `key`, `lookup` or `speaks` do not fit the effect.
    """
    name = f"{server}/{function.__name__}"
    signature = inspect.signature(function)
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise BuildError(f"tool {name}: an annotation names nothing: {error}.") from error
    missing = [p for p in (*signature.parameters, "return") if p not in hints]
    if missing:
        raise BuildError(f"tool {name} needs a type annotation for {', '.join(missing)}.")
    key = options.get("key")
    if key is not None and key not in signature.parameters:
        raise BuildError(
            f"tool {name} names {key!r} as its key, but has no such parameter: add `{key}: str`."
        )
    if options.get("effect", "none") == "none" and (key or options.get("lookup") or options.get("speaks")):
        raise BuildError(f"tool {name} only reads: `key`, `lookup` and `speaks` belong to effect='once'.")
    fields: dict[str, Any] = {
        p.name: (hints[p.name], ... if p.default is inspect.Parameter.empty else p.default)
        for p in signature.parameters.values()
        if p.name != key
    }
    model: type[BaseModel] = create_model(
        f"{function.__name__}_arguments", __config__=ConfigDict(extra="forbid"), **fields
    )
    return Tool[P, T](
        name=name,
        description=inspect.getdoc(function) or "",
        signature=signature,
        arguments_model=model,
        returns=TypeAdapter(hints["return"]),
        **options,
    )


Granted: TypeAlias = Tool[..., Any] | str
"""A tool, or a pattern such as `"crm/find_*"` for servers that are not Python."""


def matches(granted: Granted, name: str) -> bool:
    """Says whether a grant or a rule's target covers the tool of that name."""
    return fnmatchcase(name, granted) if isinstance(granted, str) else granted.name == name


def named(granted: Granted) -> str:
    """The name or pattern, for people and the record."""
    return granted if isinstance(granted, str) else granted.name


def _told(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'value'}: {e['msg']}" for e in error.errors())
    return str(error)
