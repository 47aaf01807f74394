"""The HTTP routes of one hosted graph: its card, JSON-RPC, and REST beside it."""

from collections.abc import Iterable

from a2a.server.context import ServerCallContext
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.routes.common import DefaultServerCallContextBuilder
from a2a.types import a2a_pb2 as pb
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount

from interlock.a2a.handler import TaskHandler
from interlock.core.hosting import CALLER

CARD = "/.well-known/agent-card.json"
"""Where a card is, below the address of what it describes; everybody may read it."""
KEYS = "/.well-known/jwks.json"
"""Where the public key is that verifies cards and notifications."""
_CACHE = "public, max-age=300"


class _Caller(DefaultServerCallContextBuilder):
    """Takes the caller from where the identity door left them."""

    def build(self, request: Request) -> ServerCallContext:
        context = super().build(request)
        context.state[CALLER] = request.scope.get(CALLER)
        return context


def card_routes(card: pb.AgentCard, prefix: str = "") -> Iterable[BaseRoute]:
    """The route of a card."""
    return create_agent_card_routes(card, card_url=f"{prefix}{CARD}", cache_control=_CACHE)


def task_routes(
    handler: TaskHandler, prefix: str = "", *, compat: bool, grace_s: float
) -> Iterable[BaseRoute]:
    """The routes of tasks; those of REST end with one that takes every path, so they come last.

    Args:
        handler: What answers.
        prefix: Where it is; empty for the root.
        compat: Also speaks protocol 0.3.
        grace_s: Seconds that open streams get when the server stops.
    """
    caller = _Caller()
    for url in ("/",) if not prefix else (prefix, f"{prefix}/"):
        yield from create_jsonrpc_routes(
            handler, url, context_builder=caller, enable_v0_3_compat=compat, shutdown_grace_period=grace_s
        )
    rest = create_rest_routes(
        handler,
        context_builder=caller,
        enable_v0_3_compat=compat,
        path_prefix=prefix,
        shutdown_grace_period=grace_s,
    )
    # The SDK mounts tenants at the root whatever the prefix is: that mount would hide what comes after it.
    yield from (route for route in rest if not (prefix and isinstance(route, Mount)))
