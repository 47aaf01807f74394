"""Run rows and their leases: at any time at most one worker advances a run."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, func, or_, select, update

from interlock.core.events import GENESIS, Draft
from interlock.core.ports import Clock
from interlock.core.runs import FINAL, Run, RunState
from interlock.core.stores import Taken
from interlock.errors import BadInput, LeaseLost, NotFound, RunBusy
from interlock.persistence import rows, schema
from interlock.persistence.database import Database
from interlock.persistence.ledger import journal
from interlock.persistence.sqlite import insert

_r = schema.runs.c
_CREATE = insert(schema.runs).on_conflict_do_nothing(index_elements=["id"])
_FOREIGN = (
    select(_r.id)
    .where(_r.session == bindparam("session"), func.json_extract(_r.owner, "$.user") != bindparam("user"))
    .limit(1)
)
_GET = select(schema.runs).where(_r.id == bindparam("run"))
_CLAIM = (
    update(schema.runs)
    .where(
        _r.id == bindparam("run"),
        or_(
            _r.lease_until.is_(None),
            _r.lease_until <= bindparam("now"),
            _r.lease_worker == bindparam("worker"),
        ),
    )
    .values(fence=_r.fence + 1, lease_worker=bindparam("worker"), lease_until=bindparam("until"))
)
_HELD = (
    update(schema.runs)
    .where(_r.id == bindparam("run"), _r.fence == bindparam("number"), _r.lease_worker == bindparam("worker"))
    .values(lease_until=bindparam("until"))
)
_RELEASE = (
    update(schema.runs)
    .where(_r.id == bindparam("run"), _r.fence == bindparam("number"), _r.lease_worker == bindparam("worker"))
    .values(lease_until=None, lease_worker=None)
)


class SqlRuns:
    """Implements `core.stores.Runs`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Takes an open database and the clock that leases are counted on.

        Workers of different machines compare leases by wall clock; the fencing number, not the
        clock, is what keeps a late worker from writing.
        """
        self._database = database
        self._clock = clock

    async def create(self, run: Run, drafts: list[Draft]) -> Run:
        """Stores a run with its first events; a run of that id already there is returned as it is.

        Raises:
            BadInput: if its session is somebody else's; nothing was stored.
        """

        def work(connection: Connection) -> Run:
            if connection.execute(_CREATE, rows.run_values(run)).rowcount == 1:
                session = {"session": run.session, "user": run.owner.user}
                if connection.execute(_FOREIGN, session).first() is not None:
                    raise BadInput(
                        f"there is no session {run.session!r} of yours: leave it out to begin a new one."
                    )
                rows.append(connection, run.id, (0, GENESIS), drafts, run.updated_at)
            return get(connection, run.id)

        return await self._database.write(work)

    async def get(self, run: str) -> Run:
        """The run as stored.

        Raises:
            NotFound: if there is none.
        """
        return await self._database.read(lambda connection: get(connection, run))

    async def list(self, state: RunState | None = None, limit: int = 100) -> list[Run]:
        """Newest first."""
        statement = select(schema.runs).order_by(_r.created_at.desc(), _r.id).limit(limit)
        if state is not None:
            statement = statement.where(_r.state == state)
        return await self._database.read(
            lambda connection: [rows.run_of(row) for row in connection.execute(statement)]
        )

    async def claim(self, run: str, worker: str, seconds: float) -> int:
        """Takes the lease for `seconds` and returns the new fencing number.

        The worker that holds the lease may claim again. The claim is an event of the run.

        Raises:
            NotFound: if there is no such run.
            RunBusy: while another worker's lease is alive.
        """
        now = self._clock.now()

        return await self._database.write(lambda connection: _claim(connection, run, worker, seconds, now))

    async def take(self, run: str, worker: str, seconds: float, *, over: bool = False) -> Taken:
        """Claims a run and reads it with its journal, in one transaction.

        A run that is over is not claimed, unless `over`.

        Raises:
            NotFound, RunBusy: as `claim`.
        """
        now = self._clock.now()

        def work(connection: Connection) -> Taken:
            if not over and rows.locked(connection, run).state in FINAL:
                return Taken(get(connection, run), None)
            fence = _claim(connection, run, worker, seconds, now)
            return Taken(get(connection, run), fence, tuple(journal(connection, run)))

        return await self._database.write(work)

    async def renew(self, run: str, worker: str, fence: int, seconds: float) -> None:
        """Extends the lease (the heartbeat).

        Raises:
            LeaseLost: if another worker has claimed the run since.
        """
        until = self._clock.now().timestamp() + seconds
        held = {"run": run, "worker": worker, "number": fence, "until": until}

        def work(connection: Connection) -> None:
            if connection.execute(_HELD, held).rowcount == 0:
                now = rows.locked(connection, run)
                raise LeaseLost(
                    f"worker {worker} held run {run} with fencing number {fence}; now it is "
                    f"{now.lease_worker or 'nobody'} with {now.fence}. Stop advancing the run."
                )

        await self._database.write(work)

    async def release(self, run: str, worker: str, fence: int) -> None:
        """Gives the lease up; harmless if it is lost already."""
        await self._database.write(lambda connection: release(connection, run, worker, fence))


def release(connection: Connection, run: str, worker: str, fence: int) -> None:
    """Gives the lease up inside a writing transaction; harmless if it is lost already."""
    connection.execute(_RELEASE, {"run": run, "worker": worker, "number": fence})


def _claim(connection: Connection, run: str, worker: str, seconds: float, now: datetime) -> int:
    before = rows.locked(connection, run)
    at = now.timestamp()
    claim = {"run": run, "worker": worker, "now": at, "until": at + seconds}
    if connection.execute(_CLAIM, claim).rowcount == 0:
        raise RunBusy(
            f"run {run} is being advanced by worker {before.lease_worker} (fencing number "
            f"{before.fence}): wait until it has stopped."
        )
    fence: int = before.fence + 1
    told = {"fence": fence, "seconds": seconds}
    draft = rows.fact(run, "run.claimed", f"worker:{worker}", now, told, str(fence))
    rows.append(connection, run, (before.head_seq, before.head_hash), [draft], now)
    return fence


def get(connection: Connection, run: str) -> Run:
    """The run as stored.

    Raises:
        NotFound: if there is none.
    """
    row = connection.execute(_GET, {"run": run}).first()
    if row is None:
        raise NotFound(f"there is no run {run!r}: `interlock runs list` shows those there are.")
    return rows.run_of(row)
