"""What a tool server answers, and how it is read."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from interlock.core.canonical import Json, canonical, plain
from interlock.core.redaction import redact, redact_text
from interlock.core.tools import Tool
from interlock.errors import ToolFailed

_FAILED = "Error executing tool"
"""How the mcp package's server begins every error text; for exceptions nobody foresaw it stops there."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer to one call."""

    value: Json
    """The structured answer, or the text where there is none."""
    error: str | None = None
    """The text of an error answer."""
    crashed: bool = False
    """True when the error was not foreseen by the tool: it may have happened half way."""


def failure(name: str, text: str) -> Reply:
    """An error answer: foreseen by the tool, with its words (secrets masked), or a crash without any."""
    prefix = f"{_FAILED} {name}"
    words = text.removeprefix(prefix).removeprefix(":").strip() if text.startswith(prefix) else text
    crashed = not words or words.startswith(_FAILED)
    return Reply(None, error="it broke" if crashed else redact_text(words), crashed=crashed)


def read_answer(tool: Tool[..., Any], reply: Reply) -> Json:
    """The answer as JSON, checked against the tool's schema, with secrets masked.

    Raises:
        ToolFailed: if it is an error, or does not have its schema.
    """
    if reply.error is not None:
        raise ToolFailed(f"{tool.name} answered with an error: {reply.error}")
    for candidate in _readings(reply.value):
        try:
            answer = redact(plain(tool.returns.validate_python(candidate)))
            canonical(answer)
            return answer
        except ValidationError:
            continue
        except ValueError as error:
            raise ToolFailed(
                f"{tool.name} answered with something the record cannot keep as JSON."
            ) from error
    raise ToolFailed(f"{tool.name} answered with something that does not have its schema.")


def _readings(value: Json) -> list[Json]:
    """The answer as it may be meant: wrapped as `result`, or as JSON in the text of an unstructured one."""
    if isinstance(value, dict) and set(value) == {"result"}:
        return [value["result"], value]
    if isinstance(value, str):
        try:
            return [value, json.loads(value)]
        except (ValueError, RecursionError):
            return [value]
    return [value]
