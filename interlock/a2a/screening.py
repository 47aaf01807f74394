"""Where notifications may go: screened by the addresses that a name has now, and sent to those only."""

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

import httpx

from interlock.errors import BadInput

_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Screen:
    """What an operator lets through."""

    hosts: frozenset[str] = frozenset()
    """Names that may have private addresses."""
    http: bool = False
    """Lets plain http through as well."""

    async def passed(self, url: str) -> str:
        """The address to connect to: one that the URL's name has now and that may be reached.

        Raises:
            BadInput: nothing may be sent there.
        """
        parts = self._parts(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise BadInput(f"notifications cannot go to {host!r:.120}: no address is known of it.") from None
        addresses = [str(info[4][0]) for info in found]
        if host not in self.hosts and not all(_is_public(address) for address in addresses):
            raise BadInput(
                f"notifications cannot go to {host!r:.120}: its address is not public. An operator can "
                "allow it in [tool.interlock.serve], push_hosts."
            )
        return addresses[0]

    def _parts(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            httpx.URL(url)  # what sends it later must be able to read it as well
            fits = bool(parts.hostname) and parts.port != 0 and len(url) <= _LONGEST and url.isprintable()
        except (ValueError, httpx.InvalidURL):
            raise BadInput("notifications need a URL that can be read.") from None
        if not fits or parts.username is not None or parts.password is not None or " " in url:
            raise BadInput("notifications need a URL with a host, and without a user or password in it.")
        if parts.scheme != "https" and not (self.http and parts.scheme == "http"):
            raise BadInput(f"notifications go to https only, not to {parts.scheme!r:.20}.")
        return parts


def _is_public(address: str) -> bool:
    """Says whether an address is a public one; an IPv4 address inside an IPv6 one counts as itself."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        if found.is_site_local:  # withdrawn long ago, but never public
            return False
        inside: IPv4Address | None = found.ipv4_mapped or found.sixtofour
        found = inside or found
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)
