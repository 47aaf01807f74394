"""Tools that are called by name, on servers that declare them nowhere in Python."""

import inspect
from typing import Any

from pydantic import ConfigDict, JsonValue, TypeAdapter, create_model

from interlock.core.tools import Tool
from interlock.mcp.servers import ToolServer


def remote_tool(server: ToolServer, name: str) -> Tool[..., Any]:
    """A tool known by its name alone: any arguments, any answer, and assumed to change the world.

    A server's own word that a tool only reads is not trusted; declare the tool to say so.
    """
    return Tool(
        name=name,
        description=f"{name}, not declared here",
        signature=inspect.Signature([inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)]),
        arguments_model=create_model("arguments", __config__=ConfigDict(extra="allow")),
        returns=TypeAdapter(JsonValue),
        effect="once",
        origin=server,
    )
