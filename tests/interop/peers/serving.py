"""Runs a peer's application on free ports of the loopback interface and says when it listens.

It is served twice: as it is, and behind a card that says it cannot stream, so that callers do not ask it to.
"""

import json
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.metadata import version
from typing import Any

import uvicorn

Message = MutableMapping[str, Any]


def free() -> socket.socket:
    """A socket that is bound, but does not listen yet."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", 0))
    return bound


class Plain:
    """The application; on its second port its card does not offer streaming."""

    def __init__(self, app: Any, streaming: int, blocking: int) -> None:
        """Takes the application and the two ports."""
        self.app = app
        self.ports = (str(streaming).encode(), str(blocking).encode())

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Handles one request."""
        card = scope["type"] == "http" and scope["path"].endswith("card.json")
        if not card or str(scope["server"][1]).encode() != self.ports[1]:
            await self.app(scope, receive, send)
            return
        started: list[Message] = []
        body = bytearray()

        async def changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.append(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                content = bytes(body).replace(*self.ports)
                content = content.replace(b'"streaming":true', b'"streaming":false')
                headers = [each for each in started[0]["headers"] if each[0] != b"content-length"]
                await send({**started[0], "headers": headers})
                await send({"type": "http.response.body", "body": content})

        await self.app(scope, receive, changed)


def serve(distribution: str, build: Callable[[str, int], Any]) -> None:
    """Serves `build(url, port)` until the process is ended; the ready line carries ports and version."""
    sockets = [free(), free()]
    ports = [each.getsockname()[1] for each in sockets]
    app = Plain(build(f"http://127.0.0.1:{ports[0]}/", ports[0]), *ports)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    for each in sockets:
        each.listen(128)
    line = {"ready": ports[0], "blocking": ports[1], "version": version(distribution)}
    print(json.dumps(line), flush=True)
    server.run(sockets=sockets)
