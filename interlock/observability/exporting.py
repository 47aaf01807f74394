"""Spans over the wire: OTLP over HTTP, as protobuf."""

import gzip
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from interlock.observability.attributes import Value
from interlock.observability.outbox import NotSent, Once, Outbox
from interlock.observability.traced import Span

if TYPE_CHECKING:
    import httpx
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

TIMEOUT_S = 5.0
_PATH = "/v1/traces"
_MOST_BYTES = 3_000_000
"""Of one request, before compression: Langfuse refuses much larger ones."""
_BUSY = frozenset({429, 502, 503, 504})
"""Answers after which OTLP lets a client try again."""


def outbox_for(url: str, headers: Mapping[str, str], environment: str, once: Once) -> Outbox[Span]:
    """What sends spans to a receiver; nothing is imported before there is something to send."""
    return Outbox("traces", place(url), lambda: Otlp(url, headers, environment), once)


@cache
def _ours() -> str:
    return version("interlock")


def place(url: str) -> str:
    """A URL as people are told it: without credentials or a query."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


class Otlp:
    """Posts spans to one receiver; used by one thread."""

    def __init__(self, url: str, headers: Mapping[str, str], environment: str) -> None:
        """Connects with the first batch."""
        import httpx

        self._url = url if url.endswith(_PATH) else url.rstrip("/") + _PATH
        self._environment = environment
        self._client = httpx.Client(
            timeout=TIMEOUT_S,
            headers={
                **headers,
                "content-type": "application/x-protobuf",
                "content-encoding": "gzip",
                "user-agent": f"interlock/{_ours()}",
            },
        )

    def __call__(self, batch: Sequence[Span]) -> None:
        """Sends one batch.

        Raises:
            NotSent: if it was not taken, or not wholly.
        """
        import httpx

        body = encoded(batch, self._environment)
        if len(body) > _MOST_BYTES and len(batch) > 1:
            half = len(batch) // 2
            self(batch[:half])
            self(batch[half:])
            return
        try:
            answer = self._client.post(self._url, content=gzip.compress(body))
        except httpx.HTTPError as error:
            raise unreachable(error) from None
        check(answer.status_code)
        _check_all_taken(answer.content, len(batch))

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()


def unreachable(error: "httpx.HTTPError") -> NotSent:
    """What a failed request comes to; the error's own words stay here."""
    import httpx

    if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
        return NotSent(f"it did not answer within {TIMEOUT_S:g} s")
    return NotSent(f"it cannot be reached ({type(error).__name__})", again=True)


def check(status: int) -> None:
    """Looks at an answer's status.

    Raises:
        NotSent: unless it is a success.
    """
    if not 200 <= status < 300:
        hint = " (are the keys right?)" if status in (401, 403) else ""
        raise NotSent(f"it answered {status}{hint}", again=status in _BUSY)


def _check_all_taken(body: bytes, sent: int) -> None:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        rejected = ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans
    except DecodeError:
        return  # some receivers answer a success with words of their own
    if rejected:
        raise NotSent(f"it refused {rejected} of {sent}")


def encoded(spans: Sequence[Span], environment: str = "") -> bytes:
    """The spans as an OTLP request."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

    ours = _ours()
    about: dict[str, Value] = {"service.name": "interlock", "service.version": ours}
    if environment:
        about["deployment.environment.name"] = environment
    scope = ScopeSpans(
        scope=InstrumentationScope(name="interlock", version=ours), spans=[_span(each) for each in spans]
    )
    whole = ResourceSpans(resource=Resource(attributes=_pairs(about)), scope_spans=[scope])
    return ExportTraceServiceRequest(resource_spans=[whole]).SerializeToString()


def _span(span: Span) -> Any:  # noqa: ANN401
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message
    from opentelemetry.proto.trace.v1.trace_pb2 import Status

    status = span.attributes.get("langfuse.observation.status_message", "")
    return Message(
        trace_id=bytes.fromhex(span.trace),
        span_id=bytes.fromhex(span.id),
        parent_span_id=bytes.fromhex(span.parent),
        name=_whole(span.name),
        kind=Message.SPAN_KIND_CLIENT if span.client else Message.SPAN_KIND_INTERNAL,
        start_time_unix_nano=_nanoseconds(span.begun.timestamp()),
        end_time_unix_nano=_nanoseconds(span.ended.timestamp()),
        attributes=_pairs(span.attributes),
        status=Status(code=Status.STATUS_CODE_ERROR, message=_whole(str(status))) if span.failed else None,
        flags=0x01,
    )


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1_000_000) * 1_000


def _pairs(values: Mapping[str, Value]) -> "list[KeyValue]":
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

    return [KeyValue(key=_whole(name), value=_any(value)) for name, value in values.items()]


def _whole(text: str) -> str:
    """Half a character cannot be written, and would cost the whole batch; a question mark stands for it."""
    return text.encode(errors="replace").decode()


def _any(value: Value) -> "AnyValue":
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            small = abs(value) < 2**63
            return AnyValue(int_value=value) if small else AnyValue(string_value=str(value))
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=_whole(value))
        case list():
            return AnyValue(array_value=ArrayValue(values=[_any(each) for each in value]))
