"""Finds model calls of LangChain that go past the doors, while a body runs.

It sees what LangChain's callbacks see: a body that speaks to a provider by other means is not found.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook

from interlock.core.models import BEHIND_THE_DOOR
from interlock.core.scope import TaskScope
from interlock.errors import Bypassed

_OURS = "interlock"
"""The kind of chat model that thinks through the doors."""


class _Watch(BaseCallbackHandler):
    """Notes every model that starts without having come through a door; in strict mode it does not start."""

    raise_error = True
    run_inline = True

    def __init__(self, scope: TaskScope, strict: bool) -> None:
        self._scope = scope
        self._strict = strict
        self.found: list[str] = []

    def on_chat_model_start(self, serialized: Mapping[str, Any] | None, messages: Any, **more: Any) -> None:  # noqa: ANN401
        """A chat model is about to be asked."""
        self._look(serialized, more)

    def on_llm_start(self, serialized: Mapping[str, Any] | None, prompts: Any, **more: Any) -> None:  # noqa: ANN401
        """A model of the older kind is about to be asked."""
        self._look(serialized, more)

    def _look(self, serialized: Mapping[str, Any] | None, more: Mapping[str, Any]) -> None:
        told = cast("Mapping[str, Any]", more.get("metadata") or {})
        asked = cast("Mapping[str, Any]", more.get("invocation_params") or {})
        if BEHIND_THE_DOOR in told or asked.get("_type") == _OURS:
            return
        known = asked.get("model") or asked.get("model_name") or (serialized or {}).get("name")
        name = str(known or "a model")
        self.found.append(name)
        self._scope.note("model.bypassed", {"model": name, "sent": not self._strict}, f"{len(self.found)}")
        if self._strict:
            raise self.error()

    def error(self) -> Bypassed:
        """What strict mode says to it."""
        return Bypassed(
            f"{self._scope.agent} asked {self.found[0]} past its doors; strict mode did not let it. Use "
            "`doors.think`, or `RoutedChat` where LangChain wants a chat model."
        )


_watch: ContextVar[_Watch | None] = ContextVar("interlock_watch", default=None)
register_configure_hook(cast("Any", _watch), inheritable=True)


@contextmanager
def watching(scope: TaskScope, *, strict: bool) -> Generator[None]:
    """Watches a body's calls of LangChain models.

    Raises:
        Bypassed: in strict mode, if there was one, also where the body swallowed it.
    """
    watch = _Watch(scope, strict)
    before = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(before)
        if strict and watch.found:
            raise watch.error()
