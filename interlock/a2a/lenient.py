"""What arrives from a peer before anything reads it: bounded, never unpacked, and with its times mended."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import httpx

MOST_BYTES = 16 * 1024 * 1024
"""Bytes that one response may have, a whole stream included."""
MOST_VALUES = 100_000
"""Values that one document may have: to read so many takes a second in which nothing else moves."""
_NAIVE = re.compile(rb'"timestamp"\s*:\s*"\d{4}-\d\d-\d\dT[\d:.]+"')
_BARE = re.compile(rb'"kind"\s*:\s*"(?:artifact|status)-update"')
_NAMES = {"artifact-update": "artifactUpdate", "status-update": "statusUpdate"}
"""Events of protocol 0.3, by their `kind`, and their names in 1.0."""
_NO_ZONE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+")


class TooLarge(httpx.ReadError):
    """The response was larger than anything that is read from a peer."""


class LenientTransport(httpx.AsyncBaseTransport):
    """Wraps the network: caps each response, refuses packed ones, and mends what peers get wrong.

    Some servers write times without a zone, which no reader of the protocol accepts; they mean UTC. Some
    say 1.0 and stream the events of 0.3, whose names a reader of 1.0 does not know: it would miss the answer.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, most: int = MOST_BYTES) -> None:
        """Owns `inner` and closes it."""
        self._inner = inner
        self._most = most

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends the request.

        Raises:
            TooLarge: while the response is read, if there is more of it than is allowed.
        """
        request.headers["Accept-Encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise TooLarge("the response is packed, so its size is not known", request=request)
        stream = cast("httpx.AsyncByteStream", response.stream)
        events = "text/event-stream" in response.headers.get("content-type", "")
        current = not request.headers.get("A2A-Version", "").startswith("0.")
        headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-length"]
        return httpx.Response(
            response.status_code,
            headers=headers,
            stream=_Bounded(stream, request, self._most, by_line=events, current=current),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._inner.aclose()


class _Bounded(httpx.AsyncByteStream):
    """A response's bytes, counted; events of a stream one by one, everything else as a whole."""

    def __init__(
        self,
        inner: httpx.AsyncByteStream,
        request: httpx.Request,
        most: int,
        *,
        by_line: bool,
        current: bool,
    ) -> None:
        self._inner = inner
        self._request = request
        self._most = most
        self._by_line = by_line
        self._current = current

    async def __aiter__(self) -> AsyncIterator[bytes]:
        held, size = bytearray(), 0
        async for chunk in self._inner:
            size += len(chunk)
            if size > self._most:
                raise TooLarge(f"the response has more than {self._most} bytes", request=self._request)
            held += chunk
            if self._by_line and b"\n" in chunk:
                lines = bytes(held).split(b"\n")
                held = bytearray(lines.pop())
                yield b"".join(self._readable(line) + b"\n" for line in lines)
        yield self._readable(bytes(held))

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _readable(self, document: bytes) -> bytes:
        if document.count(b",") > MOST_VALUES:
            raise TooLarge(f"the response has more than {MOST_VALUES} values", request=self._request)
        return mended(document, self._current)


def mended(line: bytes, current: bool = True) -> bytes:
    """The line, or body, as a reader of the protocol can take it.

    Args:
        line: What a peer sent.
        current: It was asked in the words of 1.0.
    """
    bare = current and _BARE.search(line)
    if not bare and not _NAIVE.search(line):
        return line
    prefix, text = (b"data: ", line[5:]) if line.startswith(b"data:") else (b"", line)
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return line
    if bare:
        _name(document)
    for status in _states(document):
        at = status.get("timestamp")
        if isinstance(at, str) and _NO_ZONE.fullmatch(at):
            status["timestamp"] = f"{at}Z"
    return prefix + json.dumps(document).encode()


def _name(document: Any) -> None:  # noqa: ANN401
    """Gives an event the name that it has in 1.0."""
    event = _field(document, "result")
    kind = _field(event, "kind")
    if isinstance(kind, str) and kind in _NAMES:
        document["result"] = {_NAMES[kind]: event}


def _states(document: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    """The `status` of every task and update in an answer; data of an agent's own is left alone."""
    for outer in (document, _field(document, "result")):
        tasks = _field(outer, "tasks")
        inside = [outer, *(_field(outer, name) for name in ("task", "statusUpdate"))]
        for each in inside + (cast("list[Any]", tasks) if isinstance(tasks, list) else []):
            status = _field(each, "status")
            if isinstance(status, dict):
                yield cast("dict[str, Any]", status)


def _field(value: Any, name: str) -> Any:  # noqa: ANN401
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
