"""Tool servers as values: Python functions in this process, a command on stdio, or a URL."""

import asyncio
import atexit
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TextIO, TypeVar

from interlock.core.canonical import Json
from interlock.core.tools import Effect, Tool, describe
from interlock.errors import BuildError, ToolFailed, ToolUnavailable
from interlock.mcp.connections import Connection, ConnectionLost
from interlock.mcp.replies import read_answer

if TYPE_CHECKING:
    from mcp.server import MCPServer

_UNTIL_EXIT = ExitStack()
atexit.register(_UNTIL_EXIT.close)
P = ParamSpec("P")
T = TypeVar("T")


class ToolServer:
    """A server of tools.

    `ToolServer("shop")` runs decorated functions in this process, by the mcp package's own server;
    `stdio` and `http` reach servers elsewhere, for which decorated functions only declare the tools.
    """

    def __init__(self, name: str) -> None:
        """A server in this process.

        Args:
            name: The first part of its tools' names; unique in a graph.
        """
        if not name.isidentifier():
            raise BuildError(f"{name!r} is not a tool server's name: use letters, digits and '_'.")
        self.name = name
        self.command: tuple[str, ...] = ()
        self.env: dict[str, str] = {}
        self.url = ""
        self.tools: dict[str, Tool[..., Any]] = {}
        self._functions: dict[str, Callable[..., Awaitable[Any]]] = {}
        self._server: MCPServer | None = None

    @classmethod
    def stdio(cls, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> Self:
        """A server that is started as a command and spoken to over its standard input and output."""
        server = cls(name)
        if not command:
            raise BuildError(f"tool server {name!r} needs the command that starts it.")
        server.command, server.env = tuple(command), dict(env or {})
        return server

    @classmethod
    def http(cls, name: str, url: str) -> Self:
        """A server at a URL, over streamable HTTP."""
        server = cls(name)
        if not url.startswith(("http://", "https://")):
            raise BuildError(
                f"tool server {name!r}: {url!r} is not a URL; it starts with http:// or https://."
            )
        server.url = url
        return server

    @property
    def runs_here(self) -> bool:
        """Says whether its tools are functions of this process."""
        return not self.command and not self.url

    def tool(
        self,
        *,
        effect: Effect = "none",
        key: str | None = None,
        lookup: Tool[..., Any] | None = None,
        compensate: Tool[..., Any] | None = None,
        effect_key: Callable[[Mapping[str, Any]], str] | None = None,
        speaks: bool = False,
        refuses: bool = False,
        timeout_s: float = 30.0,
        secret: Sequence[str] = (),
    ) -> Callable[[Callable[P, Awaitable[T]]], Tool[P, T]]:
        """Makes a tool of an async function; for a server elsewhere the function only declares it.

        Args:
            effect: `"none"` if it only reads, `"once"` if it changes the world.
            key: The parameter for the idempotency key; the server must honour it. Give it a default
                (`key: str = ""`) so that callers can leave it out: the gateway fills it.
            lookup: A reading tool that takes the key and answers what the call answered, or None if it
                never happened.
            compensate: The effect that takes this one back.
            effect_key: Names the effect across runs: the same name happens once in all of them.
            speaks: People outside read what it sends; granted to no specialist.
            refuses: An error answer means that nothing happened. Functions of this process say so by
                raising `ToolFailed`.
            timeout_s: Seconds one call may take.
            secret: Parameters whose values stay out of the record.

        Raises:
            BuildError: if annotations are missing, the options do not fit, or the name is taken.
        """

        def declare(function: Callable[P, Awaitable[T]]) -> Tool[P, T]:
            made = describe(
                function,
                server=self.name,
                effect=effect,
                key=key,
                lookup=lookup,
                compensate=compensate,
                effect_key=effect_key,
                speaks=speaks,
                refuses=refuses,
                timeout_s=timeout_s,
                secret=tuple(secret),
                origin=self,
            )
            if made.name in self.tools:
                raise BuildError(
                    f"tool {made.name} is declared twice: give one of the functions another name."
                )
            self.tools[made.name] = made
            self._functions[made.name] = function
            return made

        return declare

    def target(self) -> Any:  # noqa: ANN401
        """What an MCP client connects to."""
        if self.url:
            return self.url
        if self.command:
            from mcp import StdioServerParameters
            from mcp.client.stdio import stdio_client

            given = StdioServerParameters(
                command=self.command[0], args=list(self.command[1:]), env=self.env or None
            )
            # What a server writes to its standard error is its own log, not something we say.
            told = logging.getLogger("interlock").isEnabledFor(logging.DEBUG)
            return stdio_client(given, errlog=sys.stderr if told else _nowhere())
        return self.mcp_server()

    def mcp_server(self) -> "MCPServer":
        """The mcp package's server that runs the functions; made once."""
        if self._server is None:
            from mcp.server import MCPServer

            root = logging.getLogger()
            handlers, level = list(root.handlers), root.level
            self._server = MCPServer(self.name)
            # It sets up logging for the whole process, which belongs to the program that uses us.
            root.handlers[:] = handlers
            root.setLevel(level)
            for name, function in self._functions.items():
                tool = self.tools[name]
                self._server.add_tool(
                    _telling(function), name=name.partition("/")[2], description=tool.description
                )
        return self._server

    async def read(self, tool: Tool[..., Any], arguments: Mapping[str, Json]) -> Json:
        """Makes one reading call on a connection of its own, for graphs that are not bound.

        Raises:
            ToolUnavailable: the server could not be reached in time.
            ToolFailed: it answered with an error, or with something that is not the tool's schema.
        """
        connection = Connection(self)
        try:
            async with asyncio.timeout(tool.timeout_s):
                reply = await connection.call(tool.name.partition("/")[2], arguments, {})
        except (TimeoutError, ConnectionLost) as error:
            raise ToolUnavailable(
                f"{tool.name} could not be asked: {error or 'no answer in time'}."
            ) from error
        finally:
            await connection.close()
        return read_answer(tool, reply)

    def __repr__(self) -> str:
        """The server's name and where it is."""
        return f"<tool server {self.name} {self.url or ' '.join(self.command) or 'in this process'}>"


def _telling(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Lets a function's `ToolFailed` reach the caller as an error answer; the server masks anything else."""

    @wraps(function)
    async def told(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        from mcp.server.mcpserver.exceptions import ToolError

        try:
            return await function(*args, **kwargs)
        except ToolFailed as failed:
            raise ToolError(failed.message) from failed

    return told


@cache
def _nowhere() -> TextIO:
    """Where the words of quiet servers go; one handle for the life of the process."""
    return _UNTIL_EXIT.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
