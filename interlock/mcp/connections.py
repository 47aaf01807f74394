"""Long-lived MCP connections, one per server, each owned by a task that outlives its calls.

A cut connection kills every call on its client with a `CancelledError` that looks like our own
cancellation; here the two are told apart, and the next call gets a new connection.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from interlock.core.canonical import Json
from interlock.errors import ToolUnavailable
from interlock.mcp.replies import Reply, failure

if TYPE_CHECKING:
    from mcp import Client


CONNECT_S = 30.0
"""Seconds a server may take to be there; whoever waits for it may have no time limit of their own."""


class ConnectionLost(Exception):
    """The connection died while a call was on its way; whether it arrived is not known."""


class Target(Protocol):
    """What can be connected to: a `ToolServer`."""

    name: str

    def target(self) -> Any:  # noqa: ANN401
        """A server object, a command, or a URL, as the mcp package's client takes it."""
        ...


class Connection:
    """One supervised client of one server."""

    def __init__(self, server: Target) -> None:
        """Connects with the first call."""
        self._server = server
        self._owner: asyncio.Task[None] | None = None
        self._client: Client | None = None
        self._stop = asyncio.Event()
        self._lock = asyncio.Lock()

    async def ready(self) -> "Client":
        """The connected client.

        Raises:
            ToolUnavailable: if the server cannot be reached; nothing was sent.
        """
        async with self._lock:
            if self._client is None or self._owner is None or self._owner.done():
                await self._start()
            assert self._client is not None
            return self._client

    async def call(self, name: str, arguments: Mapping[str, Json], meta: Mapping[str, Json]) -> Reply:
        """Calls one tool.

        Raises:
            ToolUnavailable: the server could not be reached; nothing was sent.
            ConnectionLost: it is not known whether the call arrived.
        """
        from mcp import MCPError
        from mcp.types import CONNECTION_CLOSED

        client = await self.ready()
        try:
            result = await client.call_tool(name, dict(arguments), meta=dict(meta))  # pyright: ignore[reportArgumentType]
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                self._drop()
            raise ConnectionLost(f"{self._server.name} answered with protocol error {error.code}") from error
        except asyncio.CancelledError as error:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            self._drop()
            raise ConnectionLost(f"the connection to {self._server.name} was cut") from error
        except (OSError, RuntimeError, ExceptionGroup) as error:
            self._drop()
            raise ConnectionLost(f"the connection to {self._server.name} broke") from error
        text = "\n".join(getattr(block, "text", "") for block in result.content)
        if result.is_error:
            return failure(name, text)
        return Reply(text if result.structured_content is None else result.structured_content)

    async def close(self) -> None:
        """Disconnects; a server that was started is stopped."""
        self._stop.set()
        if self._owner is not None:
            await asyncio.gather(self._owner, return_exceptions=True)
        self._owner = self._client = None

    def _drop(self) -> None:
        """Gives a dead connection up; the next call makes a new one."""
        self._client = None
        self._stop.set()

    async def _start(self) -> None:
        ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()
        self._owner = asyncio.create_task(self._own(ready), name=f"connection {self._server.name}")
        try:
            async with asyncio.timeout(CONNECT_S):
                self._client = await ready
        except Exception as error:
            self._owner.cancel()
            raise ToolUnavailable(
                f"tool server {self._server.name} cannot be reached ({type(error).__name__}); "
                "nothing was sent."
            ) from error

    async def _own(self, ready: "asyncio.Future[Client]") -> None:
        """Enters and leaves the client in one task, as its cancel scopes demand."""
        from mcp import Client

        try:
            async with Client(self._server.target()) as client:
                ready.set_result(client)
                await self._stop.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error if isinstance(error, Exception) else ConnectionError(str(error)))
            if not isinstance(error, Exception):
                raise
        finally:
            if asyncio.current_task() is self._owner:
                self._client = None
