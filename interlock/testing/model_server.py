"""A scripted OpenAI-compatible model server on loopback: it says what it is told, or misbehaves as told.

It starts within milliseconds, needs no key and no network, and keeps a book of what it was asked.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self, TypeAlias, cast

from interlock.core.canonical import Json


@dataclass(frozen=True, slots=True)
class Asked:
    """One line of the book: a request as it arrived."""

    body: dict[str, Any]
    """The JSON body, whole."""
    headers: Mapping[str, str]
    """Names in lower case."""
    at: float
    """Seconds on a monotonic clock."""

    @property
    def model(self) -> str:
        """The model that was named."""
        return str(self.body.get("model", ""))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation, in OpenAI's form."""
        return cast("list[dict[str, Any]]", self.body.get("messages") or [])

    @property
    def text(self) -> str:
        """The words of the last message."""
        return _words(self.messages[-1].get("content")) if self.messages else ""

    @property
    def tools(self) -> dict[str, dict[str, Any]]:
        """The tools offered: name -> JSON Schema of the arguments."""
        offered = cast("list[dict[str, Any]]", self.body.get("tools") or [])
        return {each["function"]["name"]: each["function"].get("parameters", {}) for each in offered}

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON Schema the reply must have, if one was asked for."""
        form = cast("dict[str, Any]", self.body.get("response_format") or {})
        return cast("dict[str, Any] | None", form.get("json_schema", {}).get("schema"))

    @property
    def streamed(self) -> bool:
        """Whether the reply is to come in pieces."""
        return bool(self.body.get("stream"))


@dataclass(frozen=True, slots=True)
class Says:
    """A reply: text, tool calls, or both."""

    text: str = ""
    calls: Sequence[tuple[str, Mapping[str, Json] | str]] = ()
    """Tools to call with their arguments; a string stands for arguments that are no JSON."""
    reasoning: str = ""
    input_tokens: int | None = None
    """None counts a token for every four characters."""
    output_tokens: int | None = None
    usage: bool = True
    """False keeps the usage to itself."""
    finish: str = ""
    """Why it stops; empty: `stop`, or `tool_calls`."""


@dataclass(frozen=True, slots=True)
class Refuses:
    """An HTTP error, such as 429 with `Retry-After`, 500, or 400 with OpenAI's `code`."""

    status: int
    retry_after_s: float | None = None
    code: str = ""
    message: str = "refused as scripted"


@dataclass(frozen=True, slots=True)
class Hangs:
    """Takes the request and never answers."""


@dataclass(frozen=True, slots=True)
class BreaksOff:
    """Sends the beginning of a reply and drops the connection."""

    after: str = "This is how it beg"


@dataclass(frozen=True, slots=True)
class Babbles:
    """Answers with something that is not a reply: a body that is no JSON, or JSON of another kind."""

    body: str = '{"choices": [{"message": {"content": "never clo'


Turn: TypeAlias = str | Says | Refuses | Hangs | BreaksOff | Babbles
Script: TypeAlias = Sequence[Turn] | Callable[[Asked], Turn]
"""Replies in order (the last one repeats), or a function of the request."""


@dataclass(slots=True)
class ModelServer:
    """Serves a script at `url` for as long as it is entered; `book` holds what it was asked."""

    script: Script
    models: Sequence[str] = ("scripted",)
    """What `/v1/models` lists; a request may name any model."""
    key: str = ""
    """Refuses requests without this bearer token; empty takes every request."""
    pieces: int = 8
    """Characters of a piece of a streamed reply."""
    pause_s: float = 0.0
    """Seconds between two pieces."""
    port: int = 0
    """Where it listens; 0 picks a free port."""
    book: list[Asked] = field(default_factory=list[Asked])
    _server: asyncio.Server | None = None
    _open: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """The base URL, such as `http://127.0.0.1:PORT/v1`."""
        assert self._server is not None, "enter the server first: `async with ModelServer(...) as server`"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self) -> Self:
        """Starts on a free port of the loopback interface."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *error: object) -> None:
        """Stops; requests that still hang are dropped."""
        if self._server is not None:
            self._server.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)
            await self._server.wait_closed()
            self._server = None

    async def asked(self, count: int = 1) -> Asked:
        """Waits until this many requests have arrived, and returns the last of them."""
        while len(self.book) < count:
            self._arrived.clear()
            await self._arrived.wait()
        return self.book[count - 1]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._open.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the server is closing: nobody is left to be told
        finally:
            self._open.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False when the connection is over."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        pairs = (line.split(":", 1) for line in head[1:] if ":" in line)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        wire = _Wire(writer, self.pieces, self.pause_s)
        path = path.split("?", 1)[0]
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            return await wire.refuse(Refuses(401, code="invalid_api_key", message="no such key"))
        if method == "GET" and path.endswith("/models"):
            listed = [{"id": name, "object": "model", "owned_by": "interlock"} for name in self.models]
            return await wire.json(200, {"object": "list", "data": listed})
        if method != "POST" or not path.endswith("/chat/completions"):
            return await wire.refuse(Refuses(404, message=f"there is no {method} {path} here"))
        try:
            asked = Asked(json.loads(body), headers, monotonic())
        except ValueError:
            return await wire.refuse(Refuses(400, message="the body is no JSON"))
        self.book.append(asked)
        self._arrived.set()
        return await self._play(asked, wire, reader)

    async def _play(self, asked: Asked, wire: "_Wire", reader: asyncio.StreamReader) -> bool:
        turn = self._turn(asked)
        match turn:
            case Refuses():
                return await wire.refuse(turn)
            case Hangs():
                await reader.read()  # until the client goes away
                return False
            case Babbles():
                return await wire.babble(turn.body, asked.streamed)
            case BreaksOff():
                return await wire.break_off(_Reply(asked, Says(turn.after), len(self.book)), asked.streamed)
            case str() | Says():
                says = Says(turn) if isinstance(turn, str) else turn
                reply = _Reply(asked, says, len(self.book))
                if asked.streamed:
                    return await wire.stream(reply)
                return await wire.json(200, reply.whole())

    def _turn(self, asked: Asked) -> Turn:
        if callable(self.script):
            return self.script(asked)
        return self.script[min(len(self.book), len(self.script)) - 1]


@dataclass(frozen=True, slots=True)
class _Reply:
    """A reply in OpenAI's form."""

    asked: Asked
    says: Says
    number: int

    @property
    def finish(self) -> str:
        return self.says.finish or ("tool_calls" if self.says.calls else "stop")

    @property
    def usage(self) -> dict[str, int]:
        said = self.says
        taken = said.input_tokens
        if taken is None:
            taken = sum(len(_words(each.get("content"))) for each in self.asked.messages) // 4 + 1
        given = said.output_tokens
        if given is None:
            given = (len(said.text) + len(str(said.calls or ""))) // 4 + 1
        return {"prompt_tokens": taken, "completion_tokens": given, "total_tokens": taken + given}

    def calls(self) -> list[dict[str, Any]]:
        return [
            {
                "index": position,
                "id": f"call_{self.number}_{position}",
                "type": "function",
                "function": {
                    "name": name,
                    "arguments": given if isinstance(given, str) else json.dumps(given),
                },
            }
            for position, (name, given) in enumerate(self.says.calls)
        ]

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.says.text or None}
        if self.says.calls:
            message["tool_calls"] = self.calls()
        if self.says.reasoning:
            message["reasoning_content"] = self.says.reasoning
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        made = {**self._head("chat.completion"), "choices": [choice]}
        return {**made, "usage": self.usage} if self.says.usage else made

    def pieces(self, size: int) -> list[dict[str, Any]]:
        """What comes before the end of the stream: the role, the thoughts, the words, the calls."""
        told: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        if self.says.reasoning:
            told.append({"reasoning_content": self.says.reasoning})
        text = self.says.text
        told.extend({"content": text[start : start + size]} for start in range(0, len(text), size))
        told.extend({"tool_calls": [call]} for call in self.calls())
        return [self.chunk(each) for each in told]

    def end(self) -> list[dict[str, Any]]:
        """The end of the stream: why it stopped, and the usage where it was asked for."""
        last = [self.chunk({}, self.finish)]
        options = cast("dict[str, Any]", self.asked.body.get("stream_options") or {})
        if self.says.usage and options.get("include_usage"):
            last.append({**self._head("chat.completion.chunk"), "choices": [], "usage": self.usage})
        return last

    def chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _head(self, kind: str) -> dict[str, Any]:
        name = self.asked.model or "scripted"
        return {"id": f"chatcmpl-{self.number}", "object": kind, "created": 0, "model": name}


@dataclass(frozen=True, slots=True)
class _Wire:
    """The answering half of one HTTP/1.1 exchange; each method says whether the connection stays open."""

    writer: asyncio.StreamWriter
    size: int
    pause_s: float

    async def json(self, status: int, body: object, **headers: str) -> bool:
        await self._send(status, json.dumps(body).encode(), "application/json", headers)
        return True

    async def refuse(self, turn: Refuses) -> bool:
        more = {} if turn.retry_after_s is None else {"retry-after": f"{turn.retry_after_s:g}"}
        error = {"message": turn.message, "type": "scripted", "code": turn.code or None, "param": None}
        return await self.json(turn.status, {"error": error}, **more)

    async def babble(self, body: str, streamed: bool) -> bool:
        if not streamed:
            await self._send(200, body.encode(), "application/json", {})
            return True
        await self._start()
        await self._piece(f"data: {body}\n\n")
        await self._stop()
        return True

    async def stream(self, reply: _Reply) -> bool:
        await self._start()
        for each in (*reply.pieces(self.size), *reply.end()):
            await self._piece(f"data: {json.dumps(each)}\n\n")
            await asyncio.sleep(self.pause_s)
        await self._piece("data: [DONE]\n\n")
        await self._stop()
        return True

    async def break_off(self, reply: _Reply, streamed: bool) -> bool:
        if streamed:
            await self._start()
            for each in reply.pieces(self.size):
                await self._piece(f"data: {json.dumps(each)}\n\n")
        else:
            whole = json.dumps(reply.whole()).encode()
            self._head(200, "application/json", {"content-length": str(len(whole))})
            self.writer.write(whole[: len(whole) // 2])
            await self.writer.drain()
        return False

    async def _send(self, status: int, body: bytes, kind: str, headers: Mapping[str, str]) -> None:
        self._head(status, kind, {"content-length": str(len(body)), **headers})
        self.writer.write(body)
        await self.writer.drain()

    async def _start(self) -> None:
        self._head(200, "text/event-stream", {"transfer-encoding": "chunked"})
        await self.writer.drain()

    async def _piece(self, text: str) -> None:
        data = text.encode()
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def _stop(self) -> None:
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    def _head(self, status: int, kind: str, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Scripted", f"content-type: {kind}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))


def _words(content: object) -> str:
    if isinstance(content, str):
        return content
    blocks = cast("list[dict[str, Any]]", content if isinstance(content, list) else [])
    return "".join(str(block.get("text", "")) for block in blocks)
