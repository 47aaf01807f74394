"""Finds a peer's card, and refuses one that points to a host nobody named."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from a2a.client.card_resolver import parse_agent_card
from a2a.types import AgentCard, AgentInterface
from a2a.utils.constants import TransportProtocol

from interlock.a2a.envelope import EXTENSION
from interlock.a2a.place import PORTS, Place, origin, port
from interlock.core.redaction import redact_text
from interlock.errors import RemoteFailed

WELL_KNOWN = ("/.well-known/agent-card.json", "/.well-known/agent.json")
MOST_CARD_BYTES = 256 * 1024
BINDINGS: tuple[str, ...] = (TransportProtocol.JSONRPC, TransportProtocol.HTTP_JSON)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})
_MOST_NAME = 80


class Unreached(RemoteFailed):
    """The remote agent could not be reached; nothing was sent to it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A peer's card, and what of it matters here."""

    card: AgentCard
    name: str
    version: str
    streaming: bool
    keyed: bool
    """It promises that a message id sent twice is one task."""
    listing: bool
    """Its protocol knows how to list tasks."""

    @property
    def label(self) -> str:
        """Name and version, as events tell it."""
        return f"{self.name} {self.version}".strip()


async def resolve(http: httpx.AsyncClient, place: Place) -> Found:
    """Reads the card: at the URL itself, or where cards are kept below it or at its host's root.

    Raises:
        httpx.HTTPError: nothing answers there.
        Unreached: what answers has no card, an unreadable one, or one that points to another host.
    """
    refused: list[str] = []
    for number, url in enumerate(_candidates(place.url)):
        response = await http.get(url)
        if response.status_code in (401, 403):
            raise Unreached(
                f"{place.url} does not let us in (HTTP {response.status_code}): name a token in "
                "[tool.interlock.remotes] `token_env`."
            )
        card = await asyncio.to_thread(_card, response) if response.status_code == 200 else None
        # A root's card may be another agent's: it counts only where it names this very URL.
        if card is None or (number >= _OWN and not _names(card, place.url)):
            refused.append(str(response.status_code))
            continue
        return _found(card, place)
    raise Unreached(f"there is no agent card at {place.url} (answers: HTTP {', '.join(refused)}).")


_OWN = 3
"""How many of the candidates are the URL's own."""


def _candidates(url: str) -> list[str]:
    parts = urlsplit(url)
    if parts.path.endswith(".json"):
        return [url]
    base = parts.path.rstrip("/")
    paths = [*(base + each for each in WELL_KNOWN), parts.path or "/"]
    if base:
        paths += WELL_KNOWN
    return [parts._replace(path=path).geturl() for path in paths]


def _card(response: httpx.Response) -> AgentCard | None:
    """The card in a response; None where there is none."""
    if len(response.content) > MOST_CARD_BYTES:
        return None
    try:
        card = parse_agent_card(response.json())
    except Exception:  # whatever a foreign document makes its reader raise
        return None
    return card if card.supported_interfaces else None


def _names(card: AgentCard, url: str) -> bool:
    return any(each.url.rstrip("/") == url.rstrip("/") for each in card.supported_interfaces)


def _found(card: AgentCard, place: Place) -> Found:
    kept: list[AgentInterface] = []
    strange: list[str] = []
    for each in card.supported_interfaces:
        if each.protocol_binding not in BINDINGS:
            continue
        url = _reachable(each.url, place)
        if url is None:
            strange.append(urlsplit(each.url).netloc[:_MOST_NAME])
            continue
        each.url = url
        kept.append(each)
    if not kept:
        where = f" and points to {', '.join(strange)}" if strange else " and names no JSON-RPC or REST"
        raise Unreached(
            f"the card at {place.url} cannot be used{where}: a host that may be called is named by `url`, or "
            "in [tool.interlock.remotes] `hosts`."
        )
    del card.supported_interfaces[:]
    card.supported_interfaces.extend(kept)
    return Found(
        card=card,
        name=_told(card.name),
        version=_told(card.version),
        streaming=card.capabilities.streaming,
        keyed=any(each.uri == EXTENSION for each in card.capabilities.extensions),
        listing=any(not each.protocol_version.startswith("0.") for each in kept),
    )


def _reachable(url: str, place: Place) -> str | None:
    """The endpoint, if it is at a host that was named; a card's idea of loopback is the caller's."""
    there, here = urlsplit(url), urlsplit(place.url)
    if there.username or there.password or there.scheme not in PORTS:
        return None
    if origin(there) == origin(here):
        return url
    if f"{there.hostname}:{port(there)}" in place.hosts or there.hostname in place.hosts:
        return url
    both = there.hostname in _LOOPBACK and here.hostname in _LOOPBACK
    if both and (there.scheme, port(there)) == (here.scheme, port(here)):
        return there._replace(netloc=here.netloc).geturl()
    return None


def _told(name: str) -> str:
    """A card's own word about itself: one short line without secrets."""
    return redact_text(" ".join(name.split()))[:_MOST_NAME]
