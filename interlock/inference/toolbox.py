"""An agent's tools as functions that a model may ask for; each call goes through the task's doors.

What the gateway refuses is told to the model as an answer, so that it can do something else. What ends the
task (no budget left, a question, a lost lease) is never told to it.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from langchain.agents.middleware.types import AgentMiddleware, ToolCallRequest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, StructuredTool

from interlock.core.canonical import digest
from interlock.core.doors import Doors
from interlock.core.tools import Granted, Tool, named
from interlock.errors import (
    EffectTaken,
    InterlockError,
    NotFound,
    OutcomeUnknown,
    Rejected,
    SchemaViolation,
    ToolDenied,
    ToolFailed,
    ToolUnavailable,
)
from interlock.inference.prompts import ANSWER, GIVE_UP, LOAD_SKILL, shown

_LEGAL = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST = 64
"""Characters of a function's name, as providers bound it."""
_TOLD: tuple[type[InterlockError], ...] = (
    EffectTaken,
    NotFound,
    Rejected,
    SchemaViolation,
    ToolDenied,
    ToolFailed,
    ToolUnavailable,
)
REFUSED = "Not done: "
"""How a refusal begins, for the model; what counts is `Told.refused`: any tool may answer these words."""


class Told(NamedTuple):
    """What the model is told of a call."""

    text: str
    refused: bool = False
    """Nothing was done, and the text says why."""
    final: bool = False
    """A person said no: the same call is not put to them again."""


def refusal(why: str, *, final: bool = False) -> Told:
    """What the model is told of a call that was not made."""
    return Told(f"{REFUSED}{why}", refused=True, final=final)


Answering: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[Told]]
"""Answers the call of a function that is no tool."""


class Toolbox:
    """The tools of one task, by the names that its model knows them by."""

    def __init__(self, granted: Sequence[Granted], doors: Doors) -> None:
        """Turns what the agent was granted into functions; nothing else can be called."""
        self._doors = doors
        self.known: dict[str, Granted] = {}
        for each in granted:
            self.known[_function_name(named(each), self.known)] = each

    def changes(self, name: str) -> bool:
        """Says whether the function of that name may change the world."""
        granted = self.known.get(name)
        return granted is not None and (not isinstance(granted, Tool) or granted.effect == "once")

    def name_of(self, tool: str) -> str | None:
        """The function for a tool's own name; None where the agent was not granted it as such."""
        return next((name for name, granted in self.known.items() if named(granted) == tool), None)

    def same(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Names a call: equal for calls that mean the same to their tool, such as `5` and `"5"` for money."""
        granted = self.known.get(name)
        try:
            known: Any = granted.bind(**arguments) if isinstance(granted, Tool) else arguments
            return digest([name, known], "call")
        except (SchemaViolation, ValueError):
            return json.dumps([name, arguments], sort_keys=True)

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Told:
        """Makes one call and returns its answer in words, a refusal included."""
        granted = self.known[name]
        try:
            if isinstance(granted, Tool):
                answer = await self._called(granted, arguments)
                return Told(shown(granted.returns.dump_python(answer, mode="json")))
            if not _is_pattern(granted):
                return Told(shown(await self._called(granted, arguments)))
            inner = _object(arguments.get("arguments"))
            return Told(shown(await self._called(str(arguments.get("tool")), inner)))
        except OutcomeUnknown as error:
            return Told(f"{error.message} Do not ask for it again.")  # no refusal: it may have happened
        except _TOLD as error:
            return refusal(error.message, final=isinstance(error, Rejected))

    async def _called(self, tool: Granted, arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401
        call: Any = self._doors.call
        return await call(tool, **arguments)

    @property
    def functions(self) -> list[BaseTool]:
        """The tools as LangChain offers them to models; `Calls` makes the calls."""
        return [function(name, _description(each), _schema(each)) for name, each in self.known.items()]


class Calls(AgentMiddleware[Any, Any, Any]):
    """Makes the calls that a model asks for.

    In LangChain's stead, which hands arguments over as Python's own, where a model's `self` or `config` would
    be taken for something else.
    """

    def __init__(self, toolbox: Toolbox, more: Mapping[str, Answering]) -> None:
        """Takes the tools, and what answers the functions that are no tools."""
        super().__init__()
        self._toolbox = toolbox
        self._more = more

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]]
    ) -> Any:  # noqa: ANN401
        """Answers one call; one of a function nobody offered is left to LangChain, which says so."""
        name, arguments = request.tool_call["name"], request.tool_call["args"]
        if name in self._more:
            told = await self._more[name](arguments)
        elif name in self._toolbox.known:
            told = await self._toolbox.call(name, arguments)
        else:
            return await handler(request)
        return as_message(told, name, request.tool_call["id"])


def as_message(told: Told, name: str, call: str | None) -> ToolMessage:
    """The answer to a call, as it stands in the conversation."""
    status = "error" if told.refused else "success"
    # The artifact stays with us: no model is sent it.
    return ToolMessage(told.text, tool_call_id=call or "", name=name, status=status, artifact=told.final)


def function(name: str, description: str, schema: dict[str, Any]) -> BaseTool:
    """Something a model may ask to be called, as LangChain offers it."""

    async def never(**arguments: Any) -> str:  # noqa: ANN401
        raise AssertionError(f"{name} is answered by `Calls`")

    return StructuredTool(name=name, description=description, args_schema=schema, coroutine=never)


def _function_name(tool: str, taken: Mapping[str, object]) -> str:
    """`payments__refund` for `payments/refund`: what every provider accepts, and no two alike."""
    name = _LEGAL.sub("_", tool.replace("/", "__"))
    if len(name) > _LONGEST or name in taken or name in (ANSWER, GIVE_UP, LOAD_SKILL):
        name = f"{name[: _LONGEST - 7]}_{digest(tool, 'function')[:6]}"
    return name


def _is_pattern(granted: str) -> bool:
    return any(sign in granted for sign in "*?[")


def _description(granted: Granted) -> str:
    if isinstance(granted, Tool):
        changes = (
            " It changes the world, and a person may have to agree first." if granted.effect == "once" else ""
        )
        return f"{granted.description}{changes}".strip() or granted.name
    if _is_pattern(granted):
        return f"Calls a tool whose name fits {granted}. A person may have to agree first."
    return f"Calls the tool {granted}. A person may have to agree first."


def _schema(granted: Granted) -> dict[str, Any]:
    if isinstance(granted, Tool):
        return {"type": "object", "properties": {}, **granted.input_schema}
    if not _is_pattern(granted):
        return {"type": "object", "properties": {}, "additionalProperties": True}
    return {
        "type": "object",
        "properties": {
            "tool": {"type": "string", "description": f"The tool's whole name; it fits {granted}."},
            "arguments": {"type": "object", "description": "Its arguments by name."},
        },
        "required": ["tool", "arguments"],
    }


def _object(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
