"""Sends what nobody waits for, in a thread of its own; what cannot be kept or sent is dropped and counted."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
_log = logging.getLogger("interlock.tracing")
_MOST, _BATCH = 8_192, 256
_PAUSES = (1.0, 2.0)
"""Seconds before what may be sent again is sent again."""


class NotSent(Exception):
    """A batch was not taken."""

    def __init__(self, why: str, *, again: bool = False) -> None:
        """Says why, in our own words, and whether it may be tried again."""
        super().__init__(why)
        self.why = why
        self.again = again


class Post(Protocol[T_contra]):
    """A way to send batches; made and used in the outbox's own thread."""

    def __call__(self, batch: Sequence[T_contra]) -> None:
        """Sends one batch.

        Raises:
            NotSent: if it was not taken.
        """
        ...

    def close(self) -> None:
        """Closes connections."""
        ...


class Once:
    """Says what is wrong with each receiver once, by a warning of the logger `interlock.tracing`."""

    def __init__(self) -> None:
        """Has said nothing yet."""
        self.said: dict[str, str] = {}
        """Receiver -> what was said of it."""
        self._lock = threading.Lock()

    def say(self, what: str, where: str, why: str) -> None:
        """Says it, unless something was said of this receiver already."""
        with self._lock:
            if where in self.said:
                return
            told = f"{what} cannot be sent to {where}: {why}. Runs go on without them."
            self.said[where] = told
        _log.warning("%s", told)


class Outbox(Generic[T]):
    """A bounded queue with one sending thread; nothing it does can delay or fail a run."""

    def __init__(
        self, what: str, where: str, make: Callable[[], Post[T]], once: Once, *, most: int = _MOST
    ) -> None:
        """Sends nothing yet.

        Args:
            what: What is sent, in the plural.
            where: The receiver, as people know it.
            make: Connects; called in the outbox's thread, so that slow imports delay nobody.
            once: Says what goes wrong.
            most: How many may wait; more are dropped.
        """
        self.dropped: int = 0
        """How many were lost so far."""
        self._what, self._where, self._make, self._most, self._once = what, where, make, most, once
        self._waiting: deque[T] = deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread, so that it is ready when there is something to send; harmless a second time."""
        with self._changed:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(
                    target=self._work, name=f"interlock {self._what}", daemon=True
                )
                self._thread.start()

    def put(self, items: Sequence[T]) -> None:
        """Takes what there is room for and returns at once."""
        if not items:
            return
        self.start()
        with self._changed:
            room = 0 if self._closing.is_set() else max(0, self._most - len(self._waiting))
            self._waiting.extend(items[:room])
            lost = len(items) - room
            self.dropped += max(0, lost)
            self._changed.notify()
        if lost > 0:
            self._say("more came than could be sent")

    def stop(self) -> None:
        """Takes no more; what is left is being sent. Returns at once."""
        self._closing.set()
        with self._changed:
            self._changed.notify()

    def close(self, seconds: float) -> None:
        """Sends what is left, for at most so many seconds, and drops the rest."""
        self.stop()
        thread = self._thread
        if thread is None:
            return
        thread.join(max(0.0, seconds))
        if thread.is_alive():
            self._drop_rest("it was too slow when the program ended")

    def _work(self) -> None:
        try:
            post = self._make()
        except Exception as error:
            self._say(f"it could not be prepared ({type(error).__name__})")
            with self._changed:
                self._most = 0  # whatever comes now is dropped at once
                self.dropped += len(self._waiting)
                self._waiting.clear()
            return
        try:
            while batch := self._next():
                self._deliver(post, batch)
        finally:
            with suppress(Exception):
                post.close()

    def _next(self) -> list[T]:
        """The next batch; empty when there will be none."""
        with self._changed:
            while not self._waiting and not self._closing.is_set():
                self._changed.wait()
            return [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]

    def _deliver(self, post: Post[T], batch: list[T]) -> None:
        why = ""
        for pause in (*_PAUSES, None):
            try:
                post(batch)
                return
            except NotSent as refused:
                why, again = refused.why, refused.again
            except Exception as error:
                why, again = f"sending broke ({type(error).__name__})", False
            self._say(why)
            if not again or pause is None or self._closing.wait(pause):
                break
        with self._changed:
            self.dropped += len(batch)
        if self._closing.is_set():
            self._drop_rest(why)  # the program ends: who refuses one batch is not waited for

    def _drop_rest(self, why: str) -> None:
        with self._changed:
            self.dropped += len(self._waiting)
            self._waiting.clear()
        self._say(why)

    def _say(self, why: str) -> None:
        self._once.say(self._what, self._where, why)


def close_all(outboxes: Sequence[Outbox[object]], seconds: float) -> None:
    """Closes several within one bound."""
    until = monotonic() + seconds
    for outbox in outboxes:
        outbox.stop()
    for outbox in outboxes:
        outbox.close(until - monotonic())
