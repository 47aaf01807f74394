"""The append-only record: read, signed, and the one way in which something leaves it."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, inspect, select, text, update

from interlock.core.audit import End, broken_links
from interlock.core.events import GENESIS, Event, Head, head_bytes
from interlock.core.journal import Entry
from interlock.core.ports import Batch
from interlock.core.runs import FINAL, Run
from interlock.core.stores import Line
from interlock.errors import NotFound, RecordBroken, WrongState
from interlock.persistence import ledger, rows, runs, schema
from interlock.persistence.database import Database
from interlock.persistence.signing import Signer

_e, _b, _h = schema.events.c, schema.bodies.c, schema.heads.c
_EVENTS = (
    select(schema.events).where(_e.run == bindparam("run"), _e.seq > bindparam("after")).order_by(_e.seq)
)
_LINES = (
    select(schema.events, _b.salt, _b.body, _b.erased_at)
    .outerjoin(schema.bodies, (_b.run == _e.run) & (_b.seq == _e.seq))
    .where(_e.run == bindparam("run"), _e.seq > bindparam("after"))
    .order_by(_e.seq)
)
_LAST_HEAD = select(schema.heads).where(_h.run == bindparam("run")).order_by(_h.seq.desc()).limit(1)
_ERASED = "[erased]"
_THREADS = ("checkpoints", "writes")
"""LangGraph's tables, which are there once checkpoints were opened."""


class SqlRecord:
    """Implements `core.stores.Record`."""

    def __init__(self, database: Database, signer: Signer) -> None:
        """Takes an open database and the key that signs heads."""
        self._database = database
        self._signer = signer

    async def lines(self, run: str, after: int = 0) -> list[Line]:
        """The events of a run in order, from the one after `after`.

        Raises:
            RecordBroken: if a row cannot even be read.
        """

        def work(connection: Connection) -> list[Line]:
            found = connection.execute(_LINES, {"run": run, "after": after})
            return [
                Line(
                    event=_event(row),
                    hash=row.hash,
                    salt=row.salt,
                    body=_body(row),
                    erased=row.erased_at is not None,
                )
                for row in found
            ]

        return await self._database.read(work)

    async def heads(self, run: str | None = None) -> list[Head]:
        """Signed ends of chains, oldest first."""
        statement = select(schema.heads).order_by(_h.at, _h.run, _h.seq)
        if run is not None:
            statement = statement.where(_h.run == run)
        found = await self._database.read(lambda connection: connection.execute(statement).all())
        return [_head(row) for row in found]

    async def end(self, run: str) -> End:
        """Where the run's row says that its chain ends.

        Raises:
            NotFound: if there is no such run.
        """
        row = await self._database.read(lambda connection: rows.locked(connection, run))
        return row.head_seq, row.head_hash

    async def sign(self, run: str, now: datetime) -> Head:
        """Signs the present end of a run's chain; signing the same end twice is harmless.

        What was added since the last head is verified first, so that a changed record is not
        made good by the next signature.

        Raises:
            NotFound: if there is no such run, or nothing is recorded of it.
            RecordBroken: if the chain does not verify.
        """
        key = self._signer.key_id
        return await self._database.write(lambda connection: self._signed(connection, run, key, now))

    async def rest(
        self, run: str, worker: str, last: Callable[[Run, list[Entry]], Batch], now: datetime
    ) -> Run:
        """Ends a segment in one transaction: its last batch, the signature, and the lease of `worker` let go.

        Raises:
            LeaseLost: if the fencing number is not the run's; nothing was stored.
            RecordBroken: if the chain does not verify; all else was stored, and the lease was kept.
        """
        key = self._signer.key_id

        def work(connection: Connection) -> Run | RecordBroken:
            before = runs.get(connection, run)
            ledger.store(connection, last(before, ledger.journal(connection, run)), now)
            try:
                self._signed(connection, run, key, now)
            except RecordBroken as error:
                return error  # what the segment came to is stored all the same
            runs.release(connection, run, worker, before.fence)
            return runs.get(connection, run)

        rested = await self._database.write(work)
        if isinstance(rested, RecordBroken):
            raise rested
        return rested

    async def erase(self, subject: str, by: str, now: datetime) -> list[str]:
        """Removes what is stored about a person and returns the runs it touched; chains stay whole.

        Erased are bodies of events, inputs and responses, the journal's arguments and answers, what
        questions showed and got, artifacts and checkpoints, and the subject itself. What remains
        says that something happened, not with what: ids, kinds, actors, times, digests, effect keys.

        Raises:
            WrongState: while one of the runs is not over: its journal is what keeps it from doing
                things twice.
        """

        def work(connection: Connection) -> list[str]:
            found_in = schema.runs.c
            found = connection.execute(
                select(found_in.id, found_in.state)
                .where(found_in.subject == subject)
                .order_by(found_in.created_at, found_in.id)
            ).all()
            alive = [row.id for row in found if row.state not in FINAL]
            if alive:
                raise WrongState(
                    f"nothing was erased: {', '.join(alive)} is not over, and needs what is stored of it. "
                    "Let it end, or cancel it, then erase again."
                )
            threads = [name for name in _THREADS if inspect(connection).has_table(name)]
            for row in found:
                _erase(connection, row.id, threads, by, now)
            return [row.id for row in found]

        touched = await self._database.write(work)
        if touched:
            await self._database.forget()
        return touched

    def _signed(self, connection: Connection, run: str, key: str, now: datetime) -> Head:
        row = rows.locked(connection, run)
        end = (row.head_seq, row.head_hash)
        if end[0] == 0:
            raise NotFound(f"nothing is recorded of run {run}, so there is nothing to sign.")
        found = connection.execute(_LAST_HEAD, {"run": run}).first()
        last = None if found is None else _head(found)
        _check(connection, run, (0, GENESIS) if last is None else (last.seq, last.hash), end)
        if last is not None and (last.seq, last.key_id) == (end[0], key):
            return last
        signature = self._signer.sign(head_bytes(run, *end))
        head = Head(run=run, seq=end[0], hash=end[1], key_id=key, signature=signature, at=now)
        connection.execute(schema.heads.insert(), head.model_dump() | {"at": rows.stamp(now)})
        return head


def _check(connection: Connection, run: str, after: End, end: End) -> None:
    """Refuses to sign a chain that does not lead from its last head to the end the run's row names."""
    found = connection.execute(_EVENTS, {"run": run, "after": after[0]}).all()
    chain = [(_event(row), str(row.hash)) for row in found]
    broken = broken_links(run, chain, after)
    reached = (chain[-1][0].seq, chain[-1][1]) if chain else after
    if broken or reached != end:
        told = (
            broken[0] if broken else f"run {run}: its chain ends at event {reached[0]}, not as its row says"
        )
        raise RecordBroken(f"the record was not signed, because it does not verify. {told}.")


def _erase(connection: Connection, run: str, threads: Sequence[str], by: str, now: datetime) -> None:
    row = rows.locked(connection, run)
    bodies = connection.execute(
        update(schema.bodies)
        .where(_b.run == run, _b.erased_at.is_(None))
        .values(salt=None, body=None, erased_at=rows.stamp(now))
    ).rowcount
    changes = (
        (schema.journal, {"arguments": None, "answer": None, "error": None}),
        (schema.questions, {"title": _ERASED, "details": None, "answer": None, "comment": ""}),
        (schema.receipts, {"facts": None}),
        (schema.remote_tasks, {"asked": None}),
    )
    for table, values in changes:
        connection.execute(update(table).where(table.c.run == run).values(**values))
    connection.execute(
        update(schema.runs)
        .where(schema.runs.c.id == run)
        .values(input=None, response=None, reason=_ERASED, subject=None)
    )
    for table in (schema.artifacts, schema.outbox, schema.subscriptions):
        connection.execute(delete(table).where(table.c.run == run))
    for name in threads:
        connection.execute(text(f"DELETE FROM {name} WHERE thread_id = :run"), {"run": run})
    draft = rows.fact(run, "subject.erased", f"person:{by}", now, {"bodies": bodies}, f"@{row.head_seq}")
    rows.append(connection, run, (row.head_seq, row.head_hash), [draft], now)


def _event(row: rows.AnyRow) -> Event:
    try:
        return rows.event_of(row)
    except (ValueError, TypeError) as error:
        raise RecordBroken(f"run {row.run}, event {row.seq}: it was changed and cannot be read.") from error


def _body(row: rows.AnyRow) -> rows.Values | None:
    try:
        return rows.load(row.body)
    except ValueError as error:
        raise RecordBroken(f"run {row.run}, event {row.seq}: its body was changed.") from error


def _head(row: rows.AnyRow) -> Head:
    return Head(
        run=row.run,
        seq=row.seq,
        hash=row.hash,
        key_id=row.key_id,
        signature=row.signature,
        at=rows.moment(row.at),
    )
