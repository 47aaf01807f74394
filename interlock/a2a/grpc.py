"""A2A over gRPC, behind the same identity door."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.grpc_handler import DefaultGrpcServerCallContextBuilder, GrpcHandler
from a2a.types import a2a_pb2_grpc

from interlock.a2a.handler import TaskHandler
from interlock.core.hosting import CALLER, Identify

_VERSION = "a2a-version"


class _Caller(DefaultGrpcServerCallContextBuilder):
    """Says who is calling, by the `authorization` metadata."""

    def __init__(self, identify: Identify) -> None:
        self._identify = identify

    def build(self, context: Any) -> ServerCallContext:  # noqa: ANN401
        built: ServerCallContext = cast("Any", super()).build(context)
        built.state[CALLER] = self._identify(_value(context.invocation_metadata(), "authorization"))
        return built


class _Door(grpc.aio.ServerInterceptor):
    """Refuses callers nobody knows, and protocol versions that are not spoken here."""

    def __init__(self, identify: Identify) -> None:
        self._identify = identify

    async def intercept_service(
        self,
        continuation: Callable[[Any], Awaitable[Any]],
        handler_call_details: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        metadata = handler_call_details.invocation_metadata
        if self._identify(_value(metadata, "authorization")) is None:
            return _refusal(
                grpc.StatusCode.UNAUTHENTICATED, "Nobody is known by this token: send it as a bearer token."
            )
        version = _value(metadata, _VERSION) or "1.0"
        if version.partition(".")[0] != "1":
            return _refusal(grpc.StatusCode.UNIMPLEMENTED, "A2A 1.0 is spoken here, over gRPC.")
        return await continuation(handler_call_details)


class GrpcServer:
    """Serves tasks over gRPC; use it with `async with`."""

    def __init__(self, handler: TaskHandler, identify: Identify, address: str, grace_s: float) -> None:
        """Takes what answers, who may call, and where to listen (`host:port`; port 0 is any)."""
        self._server = grpc.aio.server(interceptors=[_Door(identify)])
        add: Any = cast("Any", a2a_pb2_grpc).add_A2AServiceServicer_to_server
        add(GrpcHandler(handler, _Caller(identify)), self._server)
        self.port: int = self._server.add_insecure_port(address)
        self._grace_s = grace_s

    async def __aenter__(self) -> "GrpcServer":
        """Begins to listen."""
        await self._server.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Stops; calls under way get the grace period."""
        await self._server.stop(self._grace_s)


def _value(metadata: Any, name: str) -> str | None:  # noqa: ANN401
    for key, value in metadata or ():
        if key.lower() == name:
            return value if isinstance(value, str) else value.decode("latin-1")
    return None


def _refusal(code: grpc.StatusCode, sentence: str) -> Any:  # noqa: ANN401
    async def refuse(request: object, context: Any) -> None:  # noqa: ANN401
        await context.abort(code, sentence)

    make: Any = cast("Any", grpc).unary_unary_rpc_method_handler
    return make(refuse)
