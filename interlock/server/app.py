"""One ASGI application: the identity door, and behind it every protocol of every hosted graph."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from interlock.a2a.card import Address, card_of, key_set, signed
from interlock.a2a.handler import TaskHandler
from interlock.a2a.pushes import Pushes
from interlock.a2a.routes import CARD, KEYS, card_routes, task_routes
from interlock.core.hosting import Hosting, Identify
from interlock.persistence.signing import Signer
from interlock.server.identity import IdentityDoor
from interlock.settings import ServeSettings

MCP = "/mcp"
UNDER = "/agents"
"""Every hosted graph is at `/agents/NAME` as well; the first one is at the root."""


@dataclass(frozen=True, slots=True)
class Site:
    """What is served, where, and to whom."""

    hosts: Mapping[str, Hosting]
    """Graphs by the name they are addressed with; the first is at the root."""
    identify: Identify
    url: str
    """The base URL that callers use, without a slash at its end."""
    local: bool = False
    """True where everybody on this machine is let in without a token."""
    grpc: str = ""
    """`host:port` for cards; empty where gRPC is not on them."""
    pushes: Pushes | None = None
    serve: ServeSettings = field(default_factory=ServeSettings)
    signer: Signer | None = None
    """Whose public key is at `/.well-known/jwks.json`, and who signs cards where that is wanted."""
    ready: Callable[[], Awaitable[bool]] | None = None
    """Says whether requests can be answered now."""
    mcp: ASGIApp | None = None
    """The MCP face of the same graphs, at `/mcp`."""
    grace_s: float = 1.0
    """Seconds that open streams get when the server stops."""

    @property
    def default(self) -> str:
        """The graph at the root."""
        return next(iter(self.hosts))

    def handler(self, name: str) -> TaskHandler:
        """What answers where `name` is meant unless the request names another graph."""
        return TaskHandler(self.hosts, name, self.pushes)


def build(site: Site) -> ASGIApp:
    """Makes the application."""
    prefixes = [("", site.default), *((f"{UNDER}/{name}", name) for name in site.hosts)]
    cards = [route for prefix, name in prefixes for route in _card(site, prefix, name)]
    last: list[BaseRoute] = []
    for prefix, name in reversed(prefixes):  # REST at the root takes every path that is left
        compat, grace = site.serve.protocol_0_3, site.grace_s
        last += task_routes(site.handler(name), prefix, compat=compat, grace_s=grace)
    tools = [Route(MCP, endpoint=site.mcp)] if site.mcp is not None else []
    app = Starlette(routes=[*_health(site), *_keys(site), *cards, *tools, *last])
    public = ["/healthz", "/readyz", KEYS, *(f"{prefix}{CARD}" for prefix, _ in prefixes)]
    return IdentityDoor(app, identify=site.identify, public=public, local=site.local)


def _card(site: Site, prefix: str, name: str) -> Sequence[BaseRoute]:
    address = Address(f"{site.url}{prefix}/", "" if name == site.default else name, site.grpc)
    card = card_of(
        site.hosts[name].offer,
        address,
        compat=site.serve.protocol_0_3,
        pushes=site.pushes is not None,
        secured=not site.local,
    )
    if site.signer is not None and site.serve.sign_card:
        card = signed(card, site.signer.private, site.signer.key_id, f"{site.url}{KEYS}")
    return list(card_routes(card, prefix))


def _keys(site: Site) -> list[BaseRoute]:
    if site.signer is None:
        return []
    found = key_set(site.signer.public, site.signer.key_id)

    async def keys(request: Request) -> JSONResponse:
        return JSONResponse(found, headers={"Cache-Control": "public, max-age=300"})

    return [Route(KEYS, keys)]


def _health(site: Site) -> list[BaseRoute]:
    async def healthz(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> JSONResponse:
        if site.ready is None or await site.ready():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready"}, status_code=503)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
