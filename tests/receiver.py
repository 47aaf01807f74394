"""A receiver of traces, scores and prompt requests on loopback, with the paths of Langfuse and of OTLP.

It decodes what really arrived, and can refuse, be slow, or keep prompts. `langfuse_type` says how
Langfuse would type what it got.
"""

import gzip
import json
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Got:
    """A span as it arrived."""

    name: str
    trace: str
    id: str
    parent: str
    begun: int
    ended: int
    kind: int
    error: str | None
    """The status message of a failed span; None for any other."""
    attributes: dict[str, Any]
    resource: dict[str, Any]

    @property
    def type(self) -> str:
        """How Langfuse would type it."""
        return langfuse_type(self.attributes)

    def meta(self, name: str) -> Any:
        """One field of its metadata."""
        return self.attributes.get(f"langfuse.observation.metadata.{name}")


@dataclass
class Receiver:
    """A server of its own thread; use it with `with`."""

    status: int = 200
    seconds: float = 0.0
    """How long it takes to answer."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    spans: list[Got] = field(default_factory=list[Got])
    scores: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    requests: list[tuple[str, dict[str, str], bytes]] = field(
        default_factory=list[tuple[str, dict[str, str], bytes]]
    )
    """(path, headers, body as it was before compression) of everything that came."""
    prompts: dict[tuple[str, str], tuple[Any, int]] = field(
        default_factory=dict[tuple[str, str], tuple[Any, int]]
    )
    """(name, label) -> (text, version)."""

    def __enter__(self) -> Self:
        """Listens on a free port."""
        self._changed = threading.Condition()
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lets slow answers go and stops."""
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self, until: Callable[[], bool], seconds: float = 10.0) -> None:
        """Waits until something has arrived; fails after the time."""
        deadline = monotonic() + seconds
        with self._changed:
            while not until():
                left = deadline - monotonic()
                assert left > 0, f"it did not arrive; there are {[s.name for s in self.spans]}"
                self._changed.wait(left)

    def one(self, name: str) -> Got:
        """The one span of that name."""
        found = [span for span in self.spans if span.name == name]
        assert len(found) == 1, (name, [span.name for span in self.spans])
        return found[0]

    @property
    def everything(self) -> str:
        """All that arrived, headers apart, as one text."""
        return "\n".join(body.decode(errors="replace") for _, _, body in self.requests)

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Keeps what has arrived."""
        with self._changed:
            self.requests.append((path, {name.lower(): value for name, value in headers.items()}, body))
            if path.endswith("/traces") and self.status == 200:
                self.spans.extend(decoded(body))
            elif path.endswith("/scores") and self.status == 200:
                self.scores.extend(json.loads(body))
            self._changed.notify_all()

    def dally(self) -> None:
        """Takes its time, but not longer than the test."""
        if self.seconds:
            self._released.wait(self.seconds)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error of the receiver."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def decoded(body: bytes) -> list[Got]:
    """The spans of an OTLP request."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        Got(
            name=span.name,
            trace=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            begun=span.start_time_unix_nano,
            ended=span.end_time_unix_nano,
            kind=span.kind,
            error=span.status.message if span.status.code == 2 else None,
            attributes=_values(span.attributes),
            resource=_values(whole.resource.attributes),
        )
        for whole in request.resource_spans
        for scope in whole.scope_spans
        for span in scope.spans
    ]


_OPERATIONS = {
    **dict.fromkeys(("chat", "completion", "text_completion", "generate_content", "generate"), "GENERATION"),
    "embeddings": "EMBEDDING",
    "invoke_agent": "AGENT",
    "create_agent": "AGENT",
    "execute_tool": "TOOL",
}
_TYPES = {
    "SPAN",
    "GENERATION",
    "EVENT",
    "AGENT",
    "TOOL",
    "CHAIN",
    "RETRIEVER",
    "EVALUATOR",
    "GUARDRAIL",
    "EMBEDDING",
}


def langfuse_type(attributes: Mapping[str, Any]) -> str:
    """The order in which Langfuse's server (4.16) decides what kind of observation a span is."""
    declared = str(attributes.get("langfuse.observation.type", "")).upper()
    if declared in _TYPES:
        return declared
    operation = attributes.get("gen_ai.operation.name")
    if operation in _OPERATIONS:
        return _OPERATIONS[operation]
    if attributes.get("gen_ai.tool.name") or attributes.get("gen_ai.tool.call.id"):
        return "TOOL"
    models = ("gen_ai.request.model", "gen_ai.response.model", "langfuse.observation.model.name")
    return "GENERATION" if any(attributes.get(name) for name in models) else "SPAN"


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return None if kind is None else getattr(value, kind)


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Stays silent."""

        def do_GET(self) -> None:
            """Answers a request for a prompt."""
            receiver.take(self.path, dict(self.headers), b"")
            receiver.dally()
            parts = urlsplit(self.path)
            name = unquote(parts.path.rpartition("/")[2])
            label = parse_qs(parts.query).get("label", ["production"])[0]
            found = receiver.prompts.get((name, label))
            if receiver.status != 200 or found is None:
                self._answer(receiver.status if receiver.status != 200 else 404, b'{"message": "no"}')
                return
            text, version = found
            kind = "text" if isinstance(text, str) else "chat"
            told = {"name": name, "version": version, "prompt": text, "type": kind}
            more = {"config": {}, "labels": [label], "tags": [], "commitMessage": None}
            self._answer(200, json.dumps({**told, **more}).encode())

        def do_POST(self) -> None:
            """Takes spans and scores."""
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw
            receiver.dally()
            receiver.take(self.path, dict(self.headers), body)
            if receiver.status != 200:
                self._answer(receiver.status, b'{"message": "no"}')
            elif self.path.endswith("/scores"):
                accepted = {"accepted": len(json.loads(body)), "rejected": 0, "errors": []}
                self._answer(202, json.dumps(accepted).encode())
            else:
                self._answer(200, ExportTraceServiceResponse().SerializeToString(), "application/x-protobuf")

        def _answer(self, code: int, body: bytes, kind: str = "application/json") -> None:
            try:
                self.send_response(code)
                for name, value in {**receiver.headers, "Content-Type": kind}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except ConnectionError:
                pass  # whoever asked did not wait

    return Handler
