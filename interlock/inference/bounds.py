"""Bounds what a provider may send us: a reply without end must not fill the memory of all runs."""

from collections.abc import AsyncIterator
from typing import cast

import httpx

from interlock.inference.failures import ProviderFailed

_MIB = 1024 * 1024
LONGEST = 16 * _MIB
"""Characters of a reply, and bytes where it comes whole: thousands of pages."""
_STREAM = 4 * LONGEST
"""Bytes of a streamed reply, which wraps each few letters in some hundred bytes."""
_PACKED = _MIB // 4
"""Bytes of a packed reply: a thousand times as many may come out of it."""


class _Bounded(httpx.AsyncByteStream):
    """A body that ends with a failure where it grows too long."""

    def __init__(self, body: httpx.AsyncByteStream, most: int) -> None:
        self._body = body
        self._left = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            self._left -= len(piece)
            if self._left < 0:
                raise ProviderFailed("reply too long")
            yield piece

    async def aclose(self) -> None:
        await self._body.aclose()


async def bounded(response: httpx.Response) -> None:
    """Bounds the body of a response that has just begun; a hook of the HTTP client."""
    most = _STREAM if "event-stream" in response.headers.get("content-type", "") else LONGEST
    if response.headers.get("content-encoding", "identity") != "identity":
        most = _PACKED
    response.stream = _Bounded(cast("httpx.AsyncByteStream", response.stream), most)
