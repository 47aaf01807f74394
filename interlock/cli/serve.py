"""`interlock serve`: offers graphs and agents to callers until it is stopped."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli import options, project, terminal
from interlock.errors import BadInput

if TYPE_CHECKING:
    from interlock.core.hosting import Identify
    from interlock.settings import Settings, TokenSettings


def serve(
    graphs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="GRAPH",
            help="Graphs that langgraph.json names, or agents by their place; by default all its graphs.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", help="0 takes any free port.")] = 8000,
    grpc_port: Annotated[
        int | None,
        typer.Option("--grpc-port", metavar="PORT", help="Also serve gRPC; 0 is any free port."),
    ] = None,
    token_file: Annotated[
        str | None, typer.Option("--token-file", metavar="FILE", help="Who may call, as TOML.")
    ] = None,
    insecure_local: Annotated[
        bool,
        typer.Option("--insecure-local", help="Let every program of this machine in, as you; loopback only."),
    ] = False,
    json: options.Json = False,
) -> None:
    """Offer graphs and agents over A2A, until it is stopped.

    The first one is at the root, and each at /agents/NAME. Callers need a bearer token of the settings
    or the token file.
    """
    settings = project.settings()
    identify = _identify(settings, host, token_file, insecure_local)
    names = graphs or project.names()
    project.play(_serve(names, settings, identify, host, port, grpc_port, insecure_local, json))


async def _serve(
    names: list[str],
    settings: "Settings",
    identify: "Identify",
    host: str,
    port: int,
    grpc_port: int | None,
    local: bool,
    json: bool,
) -> None:
    from interlock.server.serving import Wish, serving, stopped_by_signals

    wish = Wish(identify, host, port, grpc_port, local)
    apps = [project.load(name)(settings) for name in names]
    stop = asyncio.Event()
    async with stopped_by_signals(stop.set), serving(apps, settings, wish) as served:
        if json:
            terminal.emit({"url": served.url, "grpc": served.grpc, "graphs": list(served.names)})
        else:
            terminal.say(f"Serving {', '.join(served.names)} at {served.url}/ (A2A; MCP at /mcp)")
            if served.grpc:
                terminal.say(f"gRPC at {served.grpc}")
        await stop.wait()
    terminal.tell("Stopped; runs that were under way go on when the server is started again.")


def _identify(settings: "Settings", host: str, token_file: str | None, local: bool) -> "Identify":
    from interlock.bootstrap import local_user
    from interlock.server.identity import Anybody, Tokens, is_local

    if local:
        if not is_local(host):
            raise BadInput(f"--insecure-local lets everybody in, so it takes a loopback address, not {host}.")
        return Anybody(local_user(settings))
    tokens = [*settings.tokens.values(), *(_read(token_file) if token_file else ())]
    if not tokens:
        raise BadInput(
            "nobody could call this server: name people in [tool.interlock.tokens] or a --token-file, or let "
            "every program of this machine in with --insecure-local."
        )
    return Tokens(tokens)


def _read(token_file: str) -> "list[TokenSettings]":
    import tomllib
    from pathlib import Path

    from pydantic import TypeAdapter, ValidationError

    from interlock.settings import TokenSettings

    try:
        found = tomllib.loads(Path(token_file).read_text(encoding="utf-8"))
        return list(TypeAdapter(dict[str, TokenSettings]).validate_python(found).values())
    except OSError as error:
        raise BadInput(f"the token file {token_file!r} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        told = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise BadInput(f"the token file {token_file!r} cannot be used: {told}.") from None
    except ValueError as error:
        raise BadInput(f"the token file {token_file!r} is not TOML: {error}.") from None
