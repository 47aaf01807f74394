"""Sends calls to servers over long-lived connections, bounded in time."""

import asyncio
from collections.abc import Mapping
from typing import Any

from interlock.core.canonical import Json
from interlock.core.tools import Tool
from interlock.errors import BuildError
from interlock.mcp.connections import Connection
from interlock.mcp.replies import Reply
from interlock.mcp.servers import ToolServer


class Wire:
    """The connections of one gateway."""

    def __init__(self) -> None:
        """Connects to a server with the first call of one of its tools."""
        self._open: dict[int, Connection] = {}

    async def ready(self, tool: Tool[..., Any]) -> None:
        """Connects, so that a failure to do so is known before anything is sent.

        Raises:
            ToolUnavailable: if the server cannot be reached.
        """
        await self._to(tool).ready()

    async def reply(
        self, tool: Tool[..., Any], arguments: Mapping[str, Json], meta: Mapping[str, Json], left_s: float
    ) -> Reply:
        """Sends one call and waits for the answer, no longer than the tool and the task allow.

        Raises:
            TimeoutError, ConnectionLost: it is not known whether the call arrived.
            ToolUnavailable: it did not; the server cannot be reached.
        """
        async with asyncio.timeout(min(tool.timeout_s, left_s)):
            return await self._to(tool).call(tool.name.partition("/")[2], arguments, meta)

    async def close(self) -> None:
        """Closes every connection; servers that were started as commands are stopped."""
        await asyncio.gather(*(connection.close() for connection in self._open.values()))
        self._open.clear()

    def _to(self, tool: Tool[..., Any]) -> Connection:
        server = tool.origin
        if not isinstance(server, ToolServer):
            raise BuildError(f"tool {tool.name} has no server: make it with `ToolServer(...).tool`.")
        if id(server) not in self._open:
            self._open[id(server)] = Connection(server)
        return self._open[id(server)]
