"""One peer: its card, and the few calls we make there. Nothing of the protocol's types leaves this module.

What went wrong is told by what it means for us: `Unreached` (nothing has left), `Refused` (the peer said
no), `Lost` (it may have arrived). The peer's own words are in none of them.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal, TypeAlias, cast

import httpx
from a2a.client import A2AClientError, Client, ClientCallContext, ClientConfig, ClientFactory
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    StreamResponse,
)
from a2a.utils.errors import (
    A2AError,
    MethodNotFoundError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value

from interlock.a2a.answers import ENDED, Gathering, Heard, of_task
from interlock.a2a.envelope import EXTENSION
from interlock.a2a.lenient import LenientTransport, TooLarge
from interlock.a2a.peer_cards import BINDINGS, Found, Unreached, resolve
from interlock.a2a.place import Place, same_host
from interlock.core.canonical import Json
from interlock.errors import RemoteFailed

_TIMES = httpx.Timeout(30.0, connect=5.0, write=15.0, pool=5.0)
_CARD_S = 300.0
"""Seconds for which a card is kept."""
_PAGES = 5
_LONGEST_ID = 1_000
"""Characters of an id that a peer may give: it is stored, and sent back with every call."""
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_LATER = (408, 425, 429, 503)
"""Answers that say: not now. All others in the 300s and 400s would come again."""

Why: TypeAlias = Literal["later", "forgotten", "unsupported", "no"]


class Refused(RemoteFailed):
    """The remote agent refused the call."""

    def __init__(self, message: str, why: Why = "no") -> None:
        """Takes whether it may be taken later, the task is not known there, or the method is not."""
        super().__init__(message)
        self.why: Why = why


class Lost(RemoteFailed):
    """The call may have arrived; its answer did not, or could not be read."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message of ours."""

    id: str
    content: Json
    """Text, or anything else as data."""
    context: str
    task: str = ""
    """The task it goes on with; empty for a new one."""
    metadata: Mapping[str, Any] | None = None
    traceparent: str = ""
    seconds: float = 60.0
    """How long an answer may take where the peer does not stream."""


class Peer:
    """A remote agent, from its card to its answers; connections are made when first needed."""

    def __init__(self, place: Place) -> None:
        """Takes where it is."""
        self.place = place
        # A kept connection that the other side has closed looks like a message lost on the way: none is kept.
        network = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))
        self._http = httpx.AsyncClient(
            transport=LenientTransport(network), timeout=_TIMES, follow_redirects=False, auth=_Bearer(place)
        )
        self._found: Found | None = None
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def found(self) -> Found:
        """What its card says; kept for a while.

        Raises:
            Unreached: there is no card, it cannot be read, or it points to another host.
        """
        async with self._lock:
            if self._found is None or monotonic() > self._until:
                try:
                    self._found = await resolve(self._http, self.place)
                except httpx.HTTPError as error:
                    raise Unreached(f"{self.place.url} could not be reached ({_words(error)}).") from error
                self._until = monotonic() + _CARD_S
            return self._found

    async def send(self, said: Said) -> AsyncGenerator[Heard]:
        """Sends a message, and yields how the task stands: as soon as its id is known, and at the end.

        A stream that breaks off once the id is known is no error: what it yields last has not ended
        then, and the task has to be read again.

        Raises:
            Unreached, Refused, Lost: before the task's id was heard.
        """
        found = await self.found()
        streaming = found.streaming
        while True:
            try:
                async with aclosing(self._exchange(found, said, streaming)) as exchange:
                    async for heard in exchange:
                        yield heard
                return
            except Refused as refused:
                if not streaming or refused.why != "unsupported":
                    raise
                streaming = False  # its card promised a stream that it does not have; nothing was done

    async def read(self, task: str) -> Heard:
        """How a task stands now.

        Raises:
            Unreached, Refused, Lost: it could not be read; nothing was changed by trying.
        """
        client = await self._client(streaming=False)
        try:
            found = await client.get_task(GetTaskRequest(id=task), context=_context(""))
        except Exception as error:
            raise self._failure(error) from error
        if found.id != task:
            raise Lost(f"{self.place.url} was asked for a task and told of another: it cannot be read.")
        return of_task(found)

    async def find(self, context: str, message: str) -> Heard | None:
        """The task that a message has begun; None where it cannot be told whether there is one.

        Raises:
            Unreached, Refused, Lost: the peer could not be asked.
        """
        if not (await self.found()).listing:
            return None
        client = await self._client(streaming=False)
        request = ListTasksRequest(context_id=context, page_size=50, include_artifacts=True)
        for _ in range(_PAGES):
            try:
                listed = await client.list_tasks(request, context=_context(""))
            except NotImplementedError:
                return None
            except Exception as error:
                raise self._failure(error) from error
            for task in listed.tasks:
                # The context is ours alone, so whatever is in it was begun by us.
                if task.context_id == context or message in {each.message_id for each in task.history}:
                    return of_task(task)
            if not listed.next_page_token:
                break
            request.page_token = listed.next_page_token
        return None

    async def cancel(self, task: str) -> Heard:
        """Asks the peer to stop.

        Raises:
            Unreached, Refused, Lost: it did not, or could not be asked.
        """
        client = await self._client(streaming=False)
        try:
            return of_task(await client.cancel_task(CancelTaskRequest(id=task), context=_context("")))
        except Exception as error:
            raise self._failure(error) from error

    async def close(self) -> None:
        """Closes its connections."""
        await self._http.aclose()

    async def _exchange(self, found: Found, said: Said, streaming: bool) -> AsyncGenerator[Heard]:
        gathering, named = Gathering(), False
        client = self._made(found, streaming)
        context = _context(said.traceparent, found)
        # One that does not stream may keep us waiting for as long as it works, whatever it is asked.
        context.timeout = None if streaming else said.seconds
        stream = client.send_message(_request(said, streaming), context=context)
        try:
            async with aclosing(cast("AsyncGenerator[StreamResponse]", stream)) as events:
                async for event in events:
                    gathering.take(event)
                    if gathering.standing != "working" or len(gathering.task) > _LONGEST_ID:
                        break
                    if gathering.task and not named:
                        named = True
                        yield gathering.heard()
        except Exception as error:
            if not gathering.task:
                raise self._failure(error) from error
        last = gathering.heard()
        if max(len(last.task), len(last.context)) > _LONGEST_ID:
            raise Refused(f"{self.place.url} names its task by more than {_LONGEST_ID} characters.")
        if not last.task and last.standing not in ENDED:
            raise Lost(f"{self.place.url} took the message and named no task and no answer.")
        if last.standing == "completed" and last.empty and last.task:
            with suppress(RemoteFailed):
                last = await self.read(last.task)  # not all that a task holds needs to be in its stream
        yield last

    async def _client(self, *, streaming: bool) -> Client:
        return self._made(await self.found(), streaming)

    def _made(self, found: Found, streaming: bool) -> Client:
        config = ClientConfig(
            httpx_client=self._http, streaming=streaming, supported_protocol_bindings=list(BINDINGS)
        )
        return ClientFactory(config).create(found.card)

    def _failure(self, error: Exception) -> RemoteFailed:
        """What an error of the client means for us; its text stays where it is."""
        self._found = None  # the next attempt looks again
        url, cause = self.place.url, error.__cause__
        if isinstance(cause, _NOT_SENT):
            return Unreached(f"{url} could not be reached ({_words(cause)}).")
        if isinstance(cause, httpx.HTTPStatusError):
            return _status(url, cause.response.status_code, error)
        if isinstance(cause, TooLarge):
            return Lost(f"{url} answered more than is read from a remote agent.")
        if isinstance(cause, httpx.HTTPError):
            return Lost(f"the connection to {url} broke before it had answered ({_words(cause)}).")
        if isinstance(error, A2AError) and not isinstance(error, A2AClientError):
            return Refused(f"{url} refused the call: {_words(error)}.", _why(error))
        if isinstance(error, A2AClientError) and str(error).startswith("JSON-RPC Error"):
            return Refused(f"{url} refused the call with an error of its own.")
        return Lost(f"{url} answered in a form that cannot be read ({_words(error)}).")


class _Bearer(httpx.Auth):
    """Adds the token, but to the declared host alone: a card's other hosts never see it."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def auth_flow(self, request: httpx.Request):  # noqa: ANN202
        if self._place.token and same_host(str(request.url), self._place):
            request.headers["Authorization"] = f"Bearer {self._place.token}"
        yield request


def _request(said: Said, streaming: bool) -> SendMessageRequest:
    if isinstance(said.content, str):
        part = Part(text=said.content, media_type="text/plain")
    else:
        part = Part(
            data=json_format.ParseDict(cast("Any", said.content), Value()), media_type="application/json"
        )
    request = SendMessageRequest(
        message=Message(
            message_id=said.id, context_id=said.context, task_id=said.task, role=Role.ROLE_USER, parts=[part]
        ),
        # A peer that does not stream names the task at once, so that it can be found and stopped.
        configuration=SendMessageConfiguration(return_immediately=not streaming),
    )
    if said.metadata:
        request.metadata.update(dict(said.metadata))
    return request


def _context(traceparent: str, found: Found | None = None) -> ClientCallContext:
    headers = {"traceparent": traceparent} if traceparent else {}
    if found is not None and found.keyed:
        headers["A2A-Extensions"] = EXTENSION
    return ClientCallContext(service_parameters=headers)


def _status(url: str, status: int, error: Exception) -> RemoteFailed:
    if status in (401, 403):
        return Refused(
            f"{url} does not let us in (HTTP {status}): name a token in [tool.interlock.remotes] `token_env`."
        )
    if isinstance(error, A2AError) and not isinstance(error, A2AClientError):
        return Refused(f"{url} refused the call: {_words(error)} (HTTP {status}).", _why(error))
    if status in _LATER:
        return Refused(f"{url} cannot take the call now (HTTP {status}).", "later")
    if status < 500:
        return Refused(f"{url} refused the call (HTTP {status}).")
    return Lost(f"{url} broke while it had the call (HTTP {status}).")


def _why(error: A2AError) -> Why:
    if isinstance(error, TaskNotFoundError):
        return "forgotten"
    return "unsupported" if isinstance(error, UnsupportedOperationError | MethodNotFoundError) else "no"


def _words(error: BaseException) -> str:
    """The kind of an error in words: `TaskNotFoundError` is "task not found"."""
    name = type(error).__name__.removesuffix("Error").removesuffix("Exception")
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip() or "error"
