"""What callers are told when something cannot be done. Foreign exceptions never tell them anything."""

import functools
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from uuid import uuid4

from a2a.utils import errors as a2a

from interlock.errors import BadInput, InterlockError, NotFound, RunBusy, SchemaViolation, WrongState

if TYPE_CHECKING:
    from types import CoroutineType

P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger("interlock")


def told(error: Exception) -> a2a.A2AError:
    """The error a caller gets; what only the operator may know is logged under the id that it names."""
    match error:
        case a2a.A2AError():
            return error
        case NotFound():
            return a2a.TaskNotFoundError()
        case BadInput() | SchemaViolation():
            return a2a.InvalidParamsError(error.message)
        case WrongState():
            return a2a.UnsupportedOperationError(error.message)
        case RunBusy():
            return a2a.UnsupportedOperationError(
                "another process is working on this task: try again shortly."
            )
        case _:
            name = uuid4().hex[:8]
            what = error.code if isinstance(error, InterlockError) else type(error).__name__
            _log.error("A2A request failed (%s): %s", name, what, exc_info=error)
            return a2a.InternalError(f"The server could not do this; its log says why under {name}.")


def guarded(method: Callable[P, Coroutine[Any, Any, T]]) -> "Callable[P, CoroutineType[Any, Any, T]]":
    """Lets a method raise A2A errors only."""

    @functools.wraps(method)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(*args, **kwargs)
        except Exception as error:
            raise told(error) from None

    return run


def guarded_stream(method: Callable[P, AsyncGenerator[T]]) -> Callable[P, AsyncGenerator[T]]:
    """Lets a stream raise A2A errors only, and closes it when its reader goes away."""

    @functools.wraps(method)
    async def run(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Any]:
        stream = method(*args, **kwargs)
        try:
            async for each in stream:
                yield each
        except Exception as error:
            raise told(error) from None
        finally:
            await stream.aclose()

    return run
