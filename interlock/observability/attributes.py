"""The names under which spans say what they say, and how much of a run's content they carry.

Two vocabularies at once: OpenTelemetry's `gen_ai.*` (which is not stable, so its names stand here and
nowhere else) and Langfuse's `langfuse.*`. With both, Langfuse, MLflow and Phoenix type a span alike.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from interlock.core.canonical import Json
from interlock.core.redaction import redact_text

Value: TypeAlias = str | int | float | bool | list[str]
Attributes: TypeAlias = dict[str, Value]
Kind: TypeAlias = Literal["agent", "tool", "generation", "guardrail", "evaluator", "chain", "span"]
"""Types of observations, as Langfuse names them."""
Level: TypeAlias = Literal["DEFAULT", "WARNING", "ERROR"]
Mode: TypeAlias = Literal["none", "redacted", "full"]

TYPE = "langfuse.observation.type"
LEVEL = "langfuse.observation.level"
STATUS = "langfuse.observation.status_message"
INPUT = "langfuse.observation.input"
OUTPUT = "langfuse.observation.output"
METADATA = "langfuse.observation.metadata."
MODEL = "langfuse.observation.model.name"
MODEL_PARAMETERS = "langfuse.observation.model.parameters"
USAGE = "langfuse.observation.usage_details"
COST = "langfuse.observation.cost_details"
PROMPT_NAME = "langfuse.observation.prompt.name"
PROMPT_VERSION = "langfuse.observation.prompt.version"
TRACE_NAME = "langfuse.trace.name"
TRACE_TAGS = "langfuse.trace.tags"
TRACE_METADATA = "langfuse.trace.metadata."
ENVIRONMENT = "langfuse.environment"
RELEASE = "langfuse.release"
VERSION = "langfuse.version"
APP_ROOT = "langfuse.internal.is_app_root"
USER = "user.id"
SESSION = "session.id"

OPERATION = "gen_ai.operation.name"
CONVERSATION = "gen_ai.conversation.id"
AGENT_NAME = "gen_ai.agent.name"
AGENT_VERSION = "gen_ai.agent.version"
TOOL_NAME = "gen_ai.tool.name"
TOOL_CALL = "gen_ai.tool.call.id"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
PROVIDER = "gen_ai.provider.name"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
FINISH = "gen_ai.response.finish_reasons"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
GEN_PROMPT_NAME = "gen_ai.prompt.name"
MCP_METHOD = "mcp.method.name"
ERROR_TYPE = "error.type"

RUN = "interlock.run.id"
TASK = "interlock.task.id"
ATTEMPT = "interlock.task.attempt"
EVENT = "interlock.event.seq"
"""Which event of the record a span ended with: `interlock audit export` shows it."""
INPUT_BYTES = "interlock.input.bytes"
OUTPUT_BYTES = "interlock.output.bytes"

OPERATIONS: dict[Kind, str] = {"agent": "invoke_agent", "tool": "execute_tool", "generation": "chat"}
"""What OpenTelemetry calls the types that it has a word for."""

_MOST = 2_000
"""Characters of one value in the mode `redacted`."""


@dataclass(frozen=True, slots=True)
class Content:
    """How much of what was said and done leaves with the spans.

    `none`: names, codes, sizes and figures. `redacted`: also inputs, outputs, prompts and reasons as
    the record has them, each cut to 2,000 characters. `full`: the same, not cut. The record itself
    is redacted before it is stored, so no mode can send a secret that was recognised.
    """

    mode: Mode = "redacted"

    def words(self, text: str) -> str:
        """A text as it may leave; empty where nothing may."""
        if self.mode == "none":
            return ""
        cleaned = redact_text(text)
        if self.mode == "full" or len(cleaned) <= _MOST:
            return cleaned
        return f"{cleaned[:_MOST]} ... ({len(cleaned)} characters)"

    def url(self, url: str) -> str:
        """Where something is: without credentials or a query, and without the path in the mode `none`."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return ""
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}{parts.path if self.mode != 'none' else ''}" if host else ""

    def value(self, value: Json) -> str:
        """A value as it may leave: text as it is, anything else as JSON."""
        return "" if value is None or self.mode == "none" else self.words(as_text(value))


def as_text(value: Json) -> str:
    """Text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def size(value: Json) -> int:
    """Bytes of a value as text."""
    return len(as_text(value).encode(errors="replace"))


def kept(values: Mapping[str, Value | None]) -> Attributes:
    """What has something to say: no empty texts, lists and absent values."""
    return {name: value for name, value in values.items() if value is not None and value not in ("", [])}


def observed(kind: Kind, level: Level = "DEFAULT", status: str = "") -> Attributes:
    """What every span says of itself, in both vocabularies."""
    return kept(
        {
            TYPE: kind,
            OPERATION: OPERATIONS.get(kind),
            LEVEL: level if level != "DEFAULT" else None,
            STATUS: status,
        }
    )


def metadata(values: Mapping[str, Json]) -> Attributes:
    """Facts as Langfuse's metadata: plain values as they are, anything else as JSON."""
    told = {
        METADATA + name: value if isinstance(value, str | int | float | bool) else json.dumps(value)
        for name, value in values.items()
        if value is not None and value not in ("", [], {})
    }
    return {**told}


def messages(speaker: str, text: str) -> str:
    """One message, as OpenTelemetry writes conversations; empty where there is no text."""
    said = {"role": speaker, "parts": [{"type": "text", "content": text}]}
    return json.dumps([said], ensure_ascii=False) if text else ""
