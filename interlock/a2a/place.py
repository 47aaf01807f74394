"""Where a remote agent is. Imports nothing heavy: it is read from the settings before anything is called."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

PORTS: dict[str, int] = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an agent is, as code or configuration says, and what it takes to be let in."""

    url: str
    token: str = ""
    """A bearer token, sent to this host alone; never stored, never told."""
    hosts: tuple[str, ...] = ()
    """Other hosts (`name` or `name:port`) that its card may point to."""

    def __repr__(self) -> str:
        """Without the token."""
        return f"<place {self.url}>"


def checked(url: str) -> str:
    """Why a URL cannot be called; empty if it can."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname or port(parts) is None:
        return "give an http or https URL"
    return "name the token in `token_env`" if parts.username or parts.password else ""


def same_host(url: str, place: Place) -> bool:
    """Says whether a URL is at the very host that the agent was declared at."""
    return origin(urlsplit(url)) == origin(urlsplit(place.url))


def origin(parts: SplitResult) -> tuple[Any, ...]:
    """Scheme, host and port."""
    return parts.scheme, (parts.hostname or "").lower(), port(parts)


def port(parts: SplitResult) -> int | None:
    """The port, also where the scheme implies it; None where it is none."""
    try:
        return parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
