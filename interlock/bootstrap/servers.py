"""Tool servers and people, as the settings name them."""

import getpass
from collections.abc import Sequence

from interlock.core.principal import Principal
from interlock.errors import BadInput, NotFound
from interlock.mcp.servers import ToolServer
from interlock.settings import Settings


def local_user(settings: Settings) -> Principal:
    """The person at the keyboard, who holds every role: the setting, or the operating system's user.

    Raises:
        BadInput: if the operating system has no name for them.
    """
    try:
        return Principal.local(settings.user or getpass.getuser())
    except (KeyError, OSError) as error:
        raise BadInput("the operating system does not say who you are: set INTERLOCK_USER.") from error


def servers_of(settings: Settings) -> tuple[ToolServer, ...]:
    """The tool servers that the settings name.

    Raises:
        NotFound, BuildError: if one is neither a command nor a URL, or has no usable name.
    """
    return tuple(_configured(name, each.command, each.env, each.url) for name, each in settings.tools.items())


def _configured(name: str, command: Sequence[str], env: dict[str, str], url: str) -> ToolServer:
    if bool(command) == bool(url):
        raise NotFound(f"tool server {name!r} in the settings needs either `command` or `url`.")
    return ToolServer.http(name, url) if url else ToolServer.stdio(name, command, env)
