"""Subscriptions to runs, and the outbox of notifications: what waits to be sent outlives the process."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from interlock.core.canonical import digest
from interlock.core.notifications import Notification, Subscription
from interlock.core.ports import Clock
from interlock.core.principal import Principal
from interlock.persistence import rows, schema
from interlock.persistence.database import Database
from interlock.persistence.sqlite import insert

_s, _o = schema.subscriptions.c, schema.outbox.c
_KEYS = ("run", "id")
_MOVED = (
    select(schema.subscriptions)
    .join(schema.runs, schema.runs.c.id == _s.run)
    .where(schema.runs.c.head_seq > _s.seq, schema.runs.c.graph.in_(bindparam("graphs", expanding=True)))
    .order_by(_s.asked_at)
)
_OF_RUN = select(schema.subscriptions).where(_s.run == bindparam("run")).order_by(_s.asked_at, _s.id)
_LOOKED = (
    update(schema.subscriptions)
    .where(_s.run == bindparam("of"), _s.id == bindparam("name"), _s.seq < bindparam("now"))
    .values(seq=bindparam("now"), told=bindparam("phase"))
)


class SqlNotifications:
    """Implements `core.notifications.Notifications`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Takes an open database and the clock that attempts are counted by."""
        self._database = database
        self._clock = clock

    async def subscribe(self, subscription: Subscription) -> None:
        """Stores a subscription; one of the same run and id is replaced."""
        values = {
            "run": subscription.run,
            "id": subscription.id,
            "who": subscription.who.model_dump_json(),
            "url": subscription.url,
            "token": subscription.token,
            "scheme": subscription.scheme,
            "credentials": subscription.credentials,
            "told": subscription.told,
            "seq": subscription.seq,
            "asked_at": rows.stamp(self._clock.now()),
        }
        put = insert(schema.subscriptions).values(values)
        changes = {name: put.excluded[name] for name in ("who", "url", "token", "scheme", "credentials")}
        statement = put.on_conflict_do_update(index_elements=_KEYS, set_=changes)
        await self._database.write(lambda connection: connection.execute(statement))

    async def subscriptions(self, run: str) -> list[Subscription]:
        """Those of a run, oldest first."""
        return await self._database.read(
            lambda connection: [_subscription(row) for row in connection.execute(_OF_RUN, {"run": run})]
        )

    async def unsubscribe(self, run: str, name: str) -> None:
        """Removes a subscription and what waits for it; harmless if there is none."""

        def work(connection: Connection) -> None:
            connection.execute(delete(schema.outbox).where(_o.run == run, _o.subscription == name))
            connection.execute(delete(schema.subscriptions).where(_s.run == run, _s.id == name))

        await self._database.write(work)

    async def moved(self, graphs: Sequence[str]) -> list[Subscription]:
        """Subscriptions to runs of these graphs whose record has grown since they were looked at.

        What another server on this database hosts is that server's to tell.
        """
        given = {"graphs": list(graphs)}
        return await self._database.read(
            lambda connection: [_subscription(row) for row in connection.execute(_MOVED, given)]
        )

    async def looked(self, subscription: Subscription, seq: int, told: str, body: str | None) -> None:
        """Notes that a run was looked at and puts what is to be told into the outbox, in one transaction.

        Of two processes that look at the same time, one tells.
        """
        now = rows.stamp(self._clock.now())
        looked = {"of": subscription.run, "name": subscription.id, "now": seq, "phase": told}
        values = {
            "id": "pn-" + digest([subscription.run, subscription.id, seq], "notification")[:24],
            "run": subscription.run,
            "subscription": subscription.id,
            "seq": seq,
            "body": body,
            "attempts": 0,
            "due_at": now,
            "made_at": now,
        }

        def work(connection: Connection) -> None:
            if connection.execute(_LOOKED, looked).rowcount == 1 and body is not None:
                connection.execute(insert(schema.outbox).on_conflict_do_nothing(), values)

        await self._database.write(work)

    async def due(self, now: datetime) -> list[Notification]:
        """What may be sent now: of each subscription the oldest only, so that order is kept."""
        oldest = (
            select(_o.run, _o.subscription, func.min(_o.seq).label("seq"))
            .group_by(_o.run, _o.subscription)
            .subquery()
        )
        statement = (
            select(schema.subscriptions, _o.id.label("name"), _o.body, _o.attempts, _o.made_at)
            .join(schema.outbox, (_o.run == _s.run) & (_o.subscription == _s.id))
            .join(
                oldest,
                (oldest.c.run == _o.run)
                & (oldest.c.subscription == _o.subscription)
                & (oldest.c.seq == _o.seq),
            )
            .where(_o.due_at <= rows.stamp(now))
            .order_by(_o.made_at)
            .limit(100)
        )
        found = await self._database.read(lambda connection: connection.execute(statement).all())
        return [
            Notification(row.name, _subscription(row), row.body, row.attempts, rows.moment(row.made_at))
            for row in found
        ]

    async def delivered(self, notification: str) -> None:
        """Takes a notification out of the outbox: it has arrived, or it never will."""
        statement = delete(schema.outbox).where(_o.id == notification)
        await self._database.write(lambda connection: connection.execute(statement))

    async def failed(self, notification: str, next_at: datetime) -> None:
        """Notes an attempt in vain, and when the next one is."""
        statement = (
            update(schema.outbox)
            .where(_o.id == notification)
            .values(attempts=_o.attempts + 1, due_at=rows.stamp(next_at))
        )
        await self._database.write(lambda connection: connection.execute(statement))


def _subscription(row: Any) -> Subscription:  # noqa: ANN401
    return Subscription(
        run=row.run,
        id=row.id,
        who=Principal.model_validate_json(row.who),
        url=row.url,
        token=row.token,
        scheme=row.scheme,
        credentials=row.credentials,
        told=row.told,
        seq=row.seq,
    )
