"""What went wrong at a provider, as a kind; its own words stay with it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)

if TYPE_CHECKING:
    from interlock.inference.replies import Said

_TYPES: tuple[tuple[type[Exception], str], ...] = (
    (ContextOverflowError, "context too long"),
    (ModelAuthenticationError, "credentials refused"),
    (ModelPermissionDeniedError, "credentials refused"),
    (ModelNotFoundError, "unknown model"),
    (ModelRateLimitError, "rate limited"),
    (ModelTimeoutError, "timeout"),
)
_STATUS = {
    401: "credentials refused",
    402: "out of quota",
    403: "credentials refused",
    404: "unknown model",
    408: "timeout",
    413: "context too long",
    429: "rate limited",
}
_TOO_LONG = (
    "context_length_exceeded",
    "context length",
    "context window",
    "prompt is too long",
    "too many tokens",
)
_NO_MODEL = ("model_not_found", "invalid model name", "model not found", "no such model", "unknown model")
_NO_KEY = ("no connected db",)
"""LiteLLM's word for a key that it does not know, while it has no database of keys."""
_BY_WORDS = (
    (_TOO_LONG, "context too long"),
    (_NO_MODEL, "unknown model"),
    (_NO_KEY, "credentials refused"),
)
_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What clients raise over a body that is no reply."""
_QUOTA_S = 60.0
_COOLING_S = 1.0
_LONGEST_S = 3_600.0
"""Seconds that a candidate rests at most, whatever it asks for."""


class ProviderFailed(Exception):
    """A candidate did not give a usable reply."""

    def __init__(
        self, kind: str, *, ours: bool = False, cooling_s: float | None = None, said: "Said | None" = None
    ) -> None:
        """Takes the kind of failure.

        Args:
            kind: Words of ours; never a provider's.
            ours: True where the request itself was refused, so that nobody else need be asked.
            cooling_s: Seconds for which this candidate is not to be asked again.
            said: A reply that was paid for, but cannot be used.
        """
        super().__init__(kind)
        self.kind = kind
        self.ours = ours
        self.cooling_s = cooling_s
        self.said = said


@dataclass(frozen=True, slots=True)
class _Seen:
    """What an exception of a client says of the answer it got."""

    status: int | None
    code: str
    retry_after_s: float | None


def failure(error: BaseException) -> ProviderFailed:
    """What an exception of a client comes to."""
    ours = next((each for each in _chain(error) if isinstance(each, ProviderFailed)), None)
    if ours is not None:  # raised below a client, which has put its own around it
        return ours
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
        return ProviderFailed("timeout")
    seen = _seen(error)
    if seen.code == "insufficient_quota":
        return ProviderFailed("out of quota", cooling_s=seen.retry_after_s or _QUOTA_S)
    kind = _kind(error, seen)
    if kind == "rate limited":
        wait = _COOLING_S if seen.retry_after_s is None else seen.retry_after_s
        return ProviderFailed(kind, cooling_s=wait)
    if kind:
        return ProviderFailed(kind)
    if seen.status is not None and seen.status >= 300:  # a client may be at a loss with a 200, too
        return _by_class(seen.status)
    if isinstance(error, (ModelConnectionError, ConnectionError, OSError)) or _is_transport(error):
        return ProviderFailed("broken off" if _was_cut(error) else "unreachable")
    return ProviderFailed("malformed reply" if isinstance(error, _MALFORMED) else "error")


def _kind(error: BaseException, seen: _Seen) -> str:
    for known, kind in _TYPES:
        if isinstance(error, known):
            return kind
    if seen.status in (400, 422):  # where not even the code says more than that the request was refused
        told = f"{seen.code} {error}".lower()
        for words, kind in _BY_WORDS:
            if any(each in told for each in words):
                return kind
    return _STATUS.get(seen.status or 0, "")


def _by_class(status: int) -> ProviderFailed:
    if 400 <= status < 500:
        return ProviderFailed(f"request refused ({status})", ours=True)
    return ProviderFailed(f"error {status}")


def _seen(error: BaseException) -> _Seen:
    for each in _chain(error):
        response: Any = getattr(each, "response", None)
        status = getattr(each, "status_code", None) or getattr(response, "status_code", None)
        if isinstance(status, int):
            code = getattr(each, "code", None) or getattr(each, "type", None)
            return _Seen(status, str(code or ""), _retry_after(response))
    return _Seen(None, str(getattr(error, "code", None) or ""), None)


def _retry_after(response: Any) -> float | None:  # noqa: ANN401
    headers: Any = getattr(response, "headers", None) or {}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return min(max(0.0, float(headers.get(name)) * unit), _LONGEST_S)
        except (TypeError, ValueError, AttributeError):  # absent, or a date
            continue
    return _until(headers)


def _until(headers: Any) -> float | None:  # noqa: ANN401
    """Seconds until the date that is named, by the clock of who named it where it tells its time."""
    try:
        until = parsedate_to_datetime(str(headers.get("retry-after")))
        told = headers.get("date")
        now = parsedate_to_datetime(str(told)) if told else datetime.now(UTC)
        return min(max(0.0, (until - now).total_seconds()), _LONGEST_S)
    except (TypeError, ValueError, AttributeError):  # no date either
        return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_transport(error: BaseException) -> bool:
    """Whether an HTTP client's transport failed; every provider's client stands on one like httpx."""
    return any(base.__name__ == "TransportError" for each in _chain(error) for base in type(each).__mro__)


def _was_cut(error: BaseException) -> bool:
    return any(type(each).__name__ in ("RemoteProtocolError", "ReadError") for each in _chain(error))
