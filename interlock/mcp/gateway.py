"""The gateway: every tool call is granted, allowed, limited, journaled, bounded in time and recorded.

This module holds the order of the steps and the reading calls; effects are in `effects`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from interlock.core.canonical import Json
from interlock.core.policy import Policy
from interlock.core.ports import Clock
from interlock.core.scope import TaskScope
from interlock.core.tools import Tool, matches
from interlock.errors import InterlockError, NotFound, ToolDenied, ToolUnavailable
from interlock.mcp.approvals import approved, decide
from interlock.mcp.calls import Call, raise_recorded, shown, told, typed
from interlock.mcp.connections import ConnectionLost
from interlock.mcp.effects import Effects
from interlock.mcp.remote import remote_tool
from interlock.mcp.replies import read_answer
from interlock.mcp.servers import ToolServer
from interlock.mcp.wire import Wire


class Gateway:
    """The one door to tools of one bound graph; implements the `Tools` port."""

    def __init__(
        self, policy: Policy, clock: Clock, servers: Sequence[ToolServer] = (), wire: Wire | None = None
    ) -> None:
        """Takes the policy and the servers whose tools are called by name."""
        self.policy = policy
        self._clock = clock
        self._wire = wire or Wire()
        self._servers = {server.name: server for server in servers}
        self._effects = Effects(policy, self._wire)

    async def call(
        self,
        scope: TaskScope,
        tool: Tool[..., Any] | str,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> Any:  # noqa: ANN401
        """Makes one governed call; see the `Tools` port."""
        scope.check_open()
        found = self._find(tool)
        if not any(matches(granted, found.name) for granted in scope.tools):
            scope.note("tool.denied", {"tool": found.name, "reason": "not granted to this task"}, found.name)
            raise ToolDenied(f"{scope.agent} was not granted {found.name}: add it to the agent's `tools=`.")
        call = Call.of(scope, found, args, kwargs)
        if found.effect == "none":
            return typed(found, await self._read(call))
        return await self._effects.perform(call)

    async def compensate(self, scope: TaskScope, tool: Tool[..., Any], entry: Any) -> None:  # noqa: ANN401
        """Takes a confirmed effect back; see `Effects.compensate`."""
        await self._effects.compensate(scope, tool, entry)

    def under(self, policy: Policy) -> "Gateway":
        """The same door over the same connections, governed by another policy."""
        return Gateway(policy, self._clock, tuple(self._servers.values()), self._wire)

    async def close(self) -> None:
        """Closes every connection."""
        await self._wire.close()

    async def _read(self, call: Call) -> Json:
        scope, tool = call.scope, call.tool
        recorded = scope.journal.recorded(call.slot)
        if recorded is not None:
            if recorded.error is not None:
                raise_recorded(recorded.error)
            scope.tell(tool.name, call.digest, recorded.answer)
            return recorded.answer
        verdict = decide(self.policy, call)
        if verdict.decision == "ask":
            await approved(call, verdict)
        scope.budget.take(tool_calls=1)
        begun = self._clock.monotonic()
        try:
            answer = await self._ask_server(call)
        except InterlockError as error:
            scope.journal.put(call.entry("read", "answered", error=told(error)))
            seconds = round(self._clock.monotonic() - begun, 6)
            scope.note("tool.read", call.facts(verdict, seconds=seconds, error=told(error)), call.tag)
            raise
        seconds = round(self._clock.monotonic() - begun, 6)
        scope.journal.put(call.entry("read", "answered", answer=answer))
        scope.note("tool.read", call.facts(verdict, seconds=seconds, **shown(answer)), call.tag)
        scope.tell(tool.name, call.digest, answer)
        return answer

    async def _ask_server(self, call: Call) -> Json:
        tool = call.tool
        await self._wire.ready(tool)  # a server that has yet to start takes nothing from the tool's own time
        try:
            reply = await self._wire.reply(tool, call.sent(None), call.meta(None), call.scope.deadline.left())
        except TimeoutError:
            raise ToolUnavailable(f"{tool.name} did not answer within {tool.timeout_s:g} s.") from None
        except ConnectionLost as lost:
            raise ToolUnavailable(f"{tool.name} could not be asked: {lost}.") from lost
        return read_answer(tool, reply)

    def _find(self, tool: Tool[..., Any] | str) -> Tool[..., Any]:
        if isinstance(tool, Tool):
            return tool
        server = self._servers.get(tool.partition("/")[0])
        if server is None:
            known = ", ".join(sorted(self._servers)) or "none"
            raise NotFound(f"no tool server for {tool!r} is configured (known: {known}).")
        return server.tools.get(tool) or remote_tool(server, tool)
