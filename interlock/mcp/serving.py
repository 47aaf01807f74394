"""The MCP face: hosted graphs and agents as tools, on standard input and output or over streamable HTTP.

A call starts a run and returns what the gate accepted. A question to a person ends the call with
`waiting`; a client that can show forms to a person shows those to its user. A model never approves.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
)

from interlock.core.canonical import Json
from interlock.core.hosting import CALLER, Hosting, View
from interlock.core.limits import Limits
from interlock.core.principal import Principal
from interlock.core.questions import Question
from interlock.errors import AnswerRefused, BadInput, InterlockError, NotFound, SchemaViolation
from interlock.mcp.answers import FOLLOW, answer, follow_tool, form, refused, result, tool_of

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel.server import Server

_log = logging.getLogger("interlock")
_OURS = (AnswerRefused, BadInput, NotFound, SchemaViolation)
"""Errors whose sentences are about what the caller gave."""
_ROUNDS = "2026-07-28"
"""From this version on a form goes to the client as the call's result, and comes back with the call."""


class McpFace:
    """Hosted graphs as an MCP server; it keeps nothing between calls, so any worker can take the next."""

    def __init__(self, hosts: Mapping[str, Hosting], *, approvals: bool = False) -> None:
        """Takes the graphs by the names of their tools.

        Args:
            hosts: The graphs.
            approvals: True where the client is known to show forms to a person, never to a model: then
                also approvals are asked for there. Questions for a word are in any case.

        Raises:
            BadInput: if a graph has the name of a tool of ours.
        """
        if FOLLOW in hosts:
            raise BadInput(f"{FOLLOW!r} is a tool of the server's own: give the graph another name.")
        self._hosts = hosts
        self._approvals = approvals
        self._tools = {name: tool_of(name, host.offer) for name, host in hosts.items()}
        self._tools[FOLLOW] = follow_tool()
        self._http: Any = None

    async def stdio(self, who: Principal) -> None:
        """Serves one client on standard input and output until it hangs up; `who` is whose client it is."""
        from mcp.server.stdio import stdio_server

        server = self._server(lambda context: who)
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Serves HTTP while the block lasts; once only."""
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
        from mcp.server.transport_security import TransportSecuritySettings

        # Hosts and origins are the identity door's matter, before anything reaches this.
        door = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        manager = StreamableHTTPSessionManager(self._server(_caller), stateless=True, security_settings=door)
        async with manager.run():
            self._http = manager
            try:
                yield
            finally:
                self._http = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        """Takes one HTTP request, as an ASGI application; the identity door has left its caller beside it."""
        if self._http is None:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._http.handle_request(scope, receive, send)

    def _server(self, caller: Callable[["ServerRequestContext[Any]"], Principal]) -> "Server[Any]":
        from mcp.server.lowlevel.server import Server

        async def listed(
            context: "ServerRequestContext[Any]", params: PaginatedRequestParams | None
        ) -> ListToolsResult:
            return ListToolsResult(tools=list(self._tools.values()))

        async def called(
            context: "ServerRequestContext[Any]",
            params: CallToolRequestParams,
        ) -> CallToolResult | InputRequiredResult:
            try:
                return await self._call(context, params, caller(context))
            except _OURS as error:
                return refused(error.message)
            except InterlockError as error:
                _log.warning("an MCP call of %s was not taken: %s", params.name, error.message)
                return refused("It cannot be done just now: try again later.")
            except Exception as error:  # its text is for the operator alone
                name = uuid4().hex[:8]
                _log.error("an MCP call failed (%s): %s", name, type(error).__name__, exc_info=error)
                return refused(f"The server could not do this; its log says why under {name}.")

        return Server(
            "interlock",
            on_list_tools=listed,
            on_call_tool=called,
            # Without this the server would list all tools to itself with every call over HTTP.
            get_tool_input_schema=lambda name: _schema(self._tools.get(name)),
        )

    async def _call(
        self,
        context: "ServerRequestContext[Any]",
        params: CallToolRequestParams,
        who: Principal,
    ) -> CallToolResult | InputRequiredResult:
        given = dict(params.arguments or {})
        host, run = await self._run(context, params, given, who)
        answered = 0
        for name, reply in (params.input_responses or {}).items():
            answered += await self._answered(host, run, name, reply, who)
        await context.session.report_progress(0, message=f"run {run}")
        view = await host.settled(run, who)
        if params.input_responses and not answered:
            return result(view)  # the person closed the form: they are not asked again by this call
        return await self._asking(context, host, view, who)

    async def _run(
        self,
        context: "ServerRequestContext[Any]",
        params: CallToolRequestParams,
        given: dict[str, Any],
        who: Principal,
    ) -> tuple[Hosting, str]:
        """The run a call is about: a new one, or one it comes back to. Its id alone opens nothing."""
        if params.name == FOLLOW:
            return await self._find(str(given.get("run", "")), who)
        host = self._hosts.get(params.name)
        if host is None:
            raise NotFound(f"there is no tool {params.name!r}; there are: {', '.join(sorted(self._tools))}.")
        if params.request_state:
            await host.view(params.request_state, who)
            return host, params.request_state
        meta: Mapping[str, Any] = context.meta or {}
        key = str(meta.get("interlock/key") or f"mcp-{uuid4().hex}")
        trace = str(meta.get("traceparent") or "")
        request = cast("Json", given)
        return host, await host.start(request, who, key=key, limits=_limits(meta), trace=trace)

    async def _find(self, run: str, who: Principal) -> tuple[Hosting, str]:
        for host in self._hosts.values():
            try:
                await host.view(run, who)
            except NotFound:
                continue
            return host, run
        raise NotFound(f"{who.user} has no run {run!r} here.")

    async def _asking(
        self,
        context: "ServerRequestContext[Any]",
        host: Hosting,
        view: View,
        who: Principal,
    ) -> CallToolResult | InputRequiredResult:
        """The result, after questions that the client can show to a person as forms."""
        session = context.session
        while questions := self._forms(session, view):
            if context.protocol_version >= _ROUNDS:
                forms = {q.id: ElicitRequest(params=_shown(q)) for q in questions}
                return InputRequiredResult(input_requests=dict(forms), request_state=view.run.id)
            if not session.can_send_request:
                break
            shown = _shown(questions[0])
            reply = await session.elicit_form(
                shown.message, shown.requested_schema, related_request_id=context.request_id
            )
            if not await self._answered(host, view.run.id, questions[0].id, reply, who):
                break
            view = await host.settled(view.run.id, who)
        return result(view)

    def _forms(self, session: Any, view: View) -> list[Question]:  # noqa: ANN401
        """The questions that the client can show to a person; none where it cannot."""
        able = session.client_capabilities
        elicits = able.elicitation if able is not None else None
        if elicits is None or (elicits.form is None and elicits.url is not None):
            return []
        return [q for q in view.asked if self._asks(q) and form(q) is not None]

    def _asks(self, question: Question) -> bool:
        """Says whether a question may be asked there; a yes to a remote agent approves as well."""
        approves = question.kind in ("approve", "review")
        if question.kind == "relay":
            approves = question.answer_schema.get("type") == "boolean"
        return self._approvals if approves else question.kind in ("clarify", "relay")

    async def _answered(self, host: Hosting, run: str, name: str, reply: object, who: Principal) -> bool:
        """Takes a filled form as the answer; says whether it was one."""
        view = await host.view(run, who)
        question = next((q for q in view.asked if q.id == name and self._asks(q)), None)
        if question is None or not isinstance(reply, ElicitResult):
            return False
        given = answer(question, reply, who)
        if given is not None:
            await host.answer(given)
        return given is not None


def _caller(context: "ServerRequestContext[Any]") -> Principal:
    """Who made an HTTP request, as the identity door left it beside it."""
    request: Any = context.request
    who = request.scope.get(CALLER) if request is not None else None
    if not isinstance(who, Principal):
        raise NotFound("nobody is known to have made this call.")
    return who


def _shown(question: Question) -> ElicitRequestFormParams:
    return ElicitRequestFormParams(message=question.title, requested_schema=form(question) or {})


def _schema(tool: Any) -> Mapping[str, Any] | None:  # noqa: ANN401
    return None if tool is None else cast("Mapping[str, Any]", tool.input_schema)


def _limits(meta: Mapping[str, Any]) -> Limits | None:
    """The time the caller has left, where it says so; a run never gets more than its caller has."""
    left = meta.get("interlock/deadline-ms")
    return Limits(seconds=max(left, 1) / 1000) if isinstance(left, int | float) else None
