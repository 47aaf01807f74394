"""A receiver of notifications on loopback: what it was sent, and what it answers."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from h11 import SERVER, Connection, Data, EndOfMessage, Request, Response


@dataclass(frozen=True)
class Sent:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers with the statuses it was given, one after the other, and with 204 afterwards."""

    url: str = ""
    statuses: list[int] = field(default_factory=list[int])
    got: list[Sent] = field(default_factory=list[Sent])
    location: str = ""
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, enough: Callable[[list[Sent]], bool]) -> list[Sent]:
        """Waits for what was sent; at most half a minute."""
        async with asyncio.timeout(30):
            while not enough(self.got):
                self._arrived.clear()
                await self._arrived.wait()
        return list(self.got)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes one request of a connection."""
        connection, parts, head = Connection(SERVER), list[bytes](), None
        while True:
            event = connection.next_event()
            if isinstance(event, Request):
                head = event
            elif isinstance(event, Data):
                parts.append(bytes(event.data))
            elif isinstance(event, EndOfMessage):
                break
            else:
                connection.receive_data(await reader.read(65536))
        assert head is not None
        headers = {name.decode(): value.decode() for name, value in head.headers}
        self.got.append(Sent(head.target.decode(), headers, b"".join(parts)))
        self._arrived.set()
        status = self.statuses.pop(0) if self.statuses else 204
        more = [("location", self.location)] if self.location else []
        answer = Response(
            status_code=status, headers=[("content-length", "0"), ("connection", "close"), *more]
        )
        writer.write((connection.send(answer) or b"") + (connection.send(EndOfMessage()) or b""))
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def receiver(*statuses: int, port: int = 0) -> AsyncGenerator[Receiver]:
    """Listens on loopback while the block lasts."""
    made = Receiver(statuses=list(statuses))
    server = await asyncio.start_server(made.answer, "127.0.0.1", port)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/told"
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()
