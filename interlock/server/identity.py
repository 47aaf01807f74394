"""The identity door: who is calling, before anything else happens."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from hmac import compare_digest
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interlock.core.hosting import CALLER, Identify
from interlock.core.principal import Principal
from interlock.settings import TokenSettings

LARGEST = 4 * 1024 * 1024
"""Bytes of the largest request that is taken; gRPC has the same bound."""
_TOO_LARGE = f"A request has at most {LARGEST:,} bytes."


class Tokens:
    """People by the SHA-256 of their bearer tokens; the tokens themselves are stored nowhere."""

    def __init__(self, tokens: Iterable[TokenSettings]) -> None:
        """Takes the tokens of the settings."""
        self._people: tuple[tuple[str, Principal], ...] = tuple(
            (each.sha256.lower(), Principal(user=each.user, team=each.team, scopes=each.roles))
            for each in tokens
        )

    def __call__(self, authorization: str | None) -> Principal | None:
        """The person behind an `Authorization` header; every stored hash is compared, whichever fits."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return None
        given = hashlib.sha256(token.strip().encode()).hexdigest()
        found: Principal | None = None
        for digest, person in self._people:
            if compare_digest(digest, given):
                found = person
        return found


class Anybody:
    """Everybody is the person at the keyboard; for a server that only this machine reaches."""

    def __init__(self, person: Principal) -> None:
        """Takes the person."""
        self._person = person

    def __call__(self, authorization: str | None) -> Principal | None:
        """The person at the keyboard."""
        return self._person


def is_local(host: str) -> bool:
    """Says whether a host name or address is this machine itself."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


class IdentityDoor:
    """Lets nobody in who is not known; what the caller may do comes with them."""

    def __init__(
        self, app: ASGIApp, *, identify: Identify, public: Iterable[str], local: bool = False
    ) -> None:
        """Stands before an application.

        Args:
            app: What is behind the door.
            identify: Says who is calling.
            public: Paths that everybody may read.
            local: True where everybody is let in: then only programs of this machine are, never web pages.
        """
        self._app = app
        self._identify = identify
        self._public = frozenset(public)
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on with its caller, or refuses it."""
        if scope["type"] == "websocket":  # nothing here speaks it, so nobody unknown comes in by it
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if self._local and not _from_here(headers):
            await _refuse(send, 403, "This server takes requests of this machine's programs only.")
            return
        if scope["path"] in self._public and scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        who = self._identify(headers.get("authorization"))
        if who is None:
            await _refuse(send, 401, "Nobody is known by this token: send Authorization: Bearer TOKEN.")
            return
        if int(headers.get("content-length", "0") or 0) > LARGEST:
            await _refuse(send, 413, _TOO_LARGE)
            return
        scope[CALLER] = who
        body = _Body(receive, send)
        await self._app(scope, body.take, body.tell)


class _Body:
    """Takes no more of a body than is allowed, for requests that do not say how long they are."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._left = LARGEST
        self._begun = False

    async def take(self) -> Message:
        """The next piece; a body that is too large ends as if its sender had gone."""
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        return message if self._left >= 0 else {"type": "http.disconnect"}

    async def tell(self, message: Message) -> None:
        """Passes an answer on; one to half a body would be wrong, so that says 413 instead."""
        if self._left >= 0 or self._begun:
            self._begun = True
            await self._send(message)
        elif message["type"] == "http.response.start":
            await _refuse(self._send, 413, _TOO_LARGE)


def _from_here(headers: Mapping[str, str]) -> bool:
    """Says whether a request was made to this machine's own name, and by no page of another site."""
    origin = headers.get("origin")
    try:
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        return is_local(host) and (origin is None or is_local(urlsplit(origin).hostname or ""))
    except ValueError:  # an address in brackets that is none
        return False


async def _refuse(send: Send, code: int, sentence: str) -> None:
    body = json.dumps({"error": {"code": code, "message": sentence}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if code == 401:
        headers.append((b"www-authenticate", b'Bearer realm="interlock"'))
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
