"""Notifications that callers ask for about a run, and the outbox from which they are sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from interlock.core.principal import Principal


@dataclass(frozen=True, slots=True)
class Subscription:
    """Somebody's wish to be told how a run gets on."""

    run: str
    id: str
    """Unique for the run; given by the caller, or by us."""
    who: Principal
    """On whose behalf: they are told what they may see."""
    url: str
    token: str = ""
    """Goes with every notification, so that the receiver knows it was asked for."""
    scheme: str = ""
    credentials: str = ""
    """Of the `Authorization` header for the receiver; empty for none."""
    told: str = ""
    """The phase of the run that was told last."""
    seq: int = 0
    """The last event of the run that was looked at."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One message that waits to be delivered."""

    id: str
    """The same at every attempt, so that a receiver can leave out what it has had."""
    subscription: Subscription
    body: str
    attempts: int
    """How often it was sent in vain."""
    made_at: datetime


class Notifications(Protocol):
    """Subscriptions and the outbox, in the database."""

    async def subscribe(self, subscription: Subscription) -> None:
        """Stores a subscription; one of the same run and id is replaced."""
        ...

    async def subscriptions(self, run: str) -> list[Subscription]:
        """Those of a run, oldest first."""
        ...

    async def unsubscribe(self, run: str, name: str) -> None:
        """Removes a subscription and what waits for it; harmless if there is none."""
        ...

    async def moved(self, graphs: Sequence[str]) -> list[Subscription]:
        """Subscriptions to runs of these graphs whose record has grown since they were looked at."""
        ...

    async def looked(self, subscription: Subscription, seq: int, told: str, body: str | None) -> None:
        """Notes that a run was looked at and puts what is to be told into the outbox, in one transaction."""
        ...

    async def due(self, now: datetime) -> list[Notification]:
        """What may be sent now: of each subscription the oldest only, so that order is kept."""
        ...

    async def delivered(self, notification: str) -> None:
        """Takes a notification out of the outbox: it has arrived, or it never will."""
        ...

    async def failed(self, notification: str, next_at: datetime) -> None:
        """Notes an attempt in vain, and when the next one is."""
        ...
