"""`interlock mcp`: offers graphs and agents as tools to one MCP client, on standard input and output."""

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli import options, project
from interlock.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from interlock.bootstrap import Bound
    from interlock.core.principal import Principal
    from interlock.settings import Settings


def mcp(
    graphs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="GRAPH",
            help="Graphs that langgraph.json names, or agents by their place; by default all its graphs.",
        ),
    ] = None,
    approvals: Annotated[
        bool,
        typer.Option(
            "--approvals", help="Also ask for approvals there; only where a person sees the client's forms."
        ),
    ] = False,
    user: options.As = None,
    role: options.Role = None,
) -> None:
    """Offer graphs and agents as tools of an MCP client.

    It speaks on standard input and output until the client hangs up. A tool returns what the gate
    accepted. Where a person has to answer first it returns `waiting` with the run's id, and `run_result`
    tells the result later.
    """
    settings = project.settings()
    who = options.principal(settings, user, role)
    bound = [project.load(name) for name in graphs or project.names()]
    # Not `project.play`: standard output is the client's, and the server keeps it to itself.
    asyncio.run(_serve(bound, settings, who, approvals))


async def _serve(
    bound: "list[Callable[[Settings], Bound]]", settings: "Settings", who: "Principal", approvals: bool
) -> None:
    from interlock.mcp.serving import McpFace
    from interlock.server.host import Host

    async with AsyncExitStack() as stack:
        hosts: dict[str, Host] = {}
        for made in bound:
            app = await stack.enter_async_context(made(settings))
            name = app.offer.name
            if name in hosts:
                raise BadInput(f"two graphs have the name {name!r}: serve one of them alone.")
            hosts[name] = await stack.enter_async_context(Host(app, at_once=settings.serve.at_once))
        await McpFace(hosts, approvals=approvals).stdio(who)
