"""Runs a server until it is told to stop: the graphs, their hosts, HTTP and gRPC."""

import asyncio
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

import uvicorn

from interlock.a2a.pushes import Pushes
from interlock.a2a.screening import Screen
from interlock.bootstrap import Bound
from interlock.core.hosting import Hosting, Identify
from interlock.errors import BadInput
from interlock.mcp.serving import McpFace
from interlock.persistence.pushes import SqlNotifications
from interlock.server.app import Site, build
from interlock.server.host import Host
from interlock.settings import Settings

_GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class Wish:
    """Where to listen, and for whom."""

    identify: Identify
    host: str = "127.0.0.1"
    port: int = 0
    """0 is any free port."""
    grpc_port: int | None = None
    """0 is any free port; None is no gRPC."""
    local: bool = False
    """True where everybody on this machine is let in without a token."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that takes requests."""

    url: str
    """As callers use it."""
    port: int
    grpc: str | None
    names: tuple[str, ...]
    """What is served; the first is at the root."""
    hosts: dict[str, Host]
    pushes: Pushes


@asynccontextmanager
async def serving(apps: Sequence[Bound], settings: Settings, wish: Wish) -> AsyncGenerator[Served]:
    """Serves bound graphs while the block lasts; on leaving, runs under way are left resumable.

    Raises:
        BadInput: if an address cannot be listened on, or two graphs have the same name.
    """
    async with AsyncExitStack() as stack:
        listening = _listen(wish.host, wish.port)
        stack.callback(listening.close)
        hosts: dict[str, Host] = {}
        for app in apps:
            await stack.enter_async_context(app)
            name = app.offer.name
            if name in hosts:
                raise BadInput(f"two graphs have the name {name!r}: serve one of them alone.")
            hosts[name] = await stack.enter_async_context(Host(app, at_once=settings.serve.at_once))
        pushes = _pushes(apps[0], hosts, settings)
        await stack.enter_async_context(pushes.running())
        site = _site(hosts, settings, wish, listening, pushes)
        grpc = await stack.enter_async_context(_grpc(site, wish)) if wish.grpc_port is not None else None
        if grpc is not None and settings.serve.grpc_on_card:
            site = replace(site, grpc=grpc)
        # Last: what fails inside it comes out as a group of errors, and no longer as a sentence.
        face = McpFace(dict[str, Hosting](hosts))
        await stack.enter_async_context(face.running())
        site = replace(site, mcp=face)
        await stack.enter_async_context(_http(site, listening, hosts))
        stack.callback(lambda: [host.closing() for host in hosts.values()])
        yield Served(site.url, listening.getsockname()[1], grpc, tuple(hosts), hosts, pushes)


def _pushes(app: Bound, hosts: Mapping[str, Host], settings: Settings) -> Pushes:
    screen = Screen(frozenset(settings.serve.push_hosts), settings.serve.push_http)
    stored = SqlNotifications(app.stores.database, app.stores.clock)
    return Pushes(hosts, stored, sign=app.stores.signer.sign, screen=screen, clock=app.stores.clock)


def _site(
    hosts: dict[str, Host], settings: Settings, wish: Wish, listening: socket.socket, pushes: Pushes
) -> Site:
    signer = next(iter(hosts.values())).app.stores.signer

    async def ready() -> bool:
        return all([await host.ready() for host in hosts.values()])

    port = listening.getsockname()[1]
    host = _bracketed(wish.host)
    named: dict[str, Hosting] = dict(hosts)
    return Site(
        hosts=named,
        identify=wish.identify,
        url=(settings.serve.url or f"http://{host}:{port}").rstrip("/"),
        local=wish.local,
        serve=settings.serve,
        pushes=pushes,
        signer=signer,
        ready=ready,
    )


@asynccontextmanager
async def _grpc(site: Site, wish: Wish) -> AsyncGenerator[str]:
    from interlock.a2a.grpc import GrpcServer

    host = _bracketed(wish.host)
    address = f"{host}:{wish.grpc_port}"
    if wish.grpc_port:
        _listen(wish.host, wish.grpc_port).close()  # gRPC prints its own words where it cannot
    try:
        server = GrpcServer(site.handler(site.default), site.identify, address, _GRACE_S)
    except RuntimeError:
        raise BadInput(f"gRPC cannot listen on {address}: the port is taken or not allowed.") from None
    async with server:
        yield f"{host}:{server.port}"


@asynccontextmanager
async def _http(site: Site, listening: socket.socket, hosts: dict[str, Host]) -> AsyncGenerator[None]:
    config = uvicorn.Config(
        build(site),
        log_config=None,
        lifespan="off",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(_GRACE_S) + 1,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listening]), name="http")
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    try:
        yield
    finally:
        server.should_exit = True
        await running


class _Server(uvicorn.Server):
    """A server whose signals are somebody else's, and that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        why = error.strerror if isinstance(error, OSError) else "no such port"
        told = f"{_bracketed(host)}:{port} cannot be listened on ({(why or 'no such address').lower()})"
        raise BadInput(f"{told}: choose another address or port; port 0 is any free one.") from None
    return listening


@asynccontextmanager
async def stopped_by_signals(stop: Callable[[], None]) -> AsyncGenerator[None]:
    """Calls `stop` on SIGTERM and SIGINT while the block lasts."""
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)
    try:
        yield
    finally:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
