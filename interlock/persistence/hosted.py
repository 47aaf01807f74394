"""What a server asks of the database: runs by owner, runs that nobody advances, ends of records."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, func, or_, select, tuple_

from interlock.core.hosting import Wanted
from interlock.core.policy import OWNER
from interlock.core.principal import Principal
from interlock.core.questions import Question
from interlock.core.runs import FINAL, Run
from interlock.errors import NotFound
from interlock.persistence import rows, schema
from interlock.persistence.database import Database
from interlock.persistence.sqlite import insert

_r, _q, _e = schema.runs.c, schema.questions.c, schema.events.c
_RUN = select(schema.runs).where(_r.id == bindparam("run"))
_ASKED = select(schema.questions).where(_q.run == bindparam("run")).order_by(_q.asked_at, _q.id)
_HEARD = select(schema.messages.c.id).where(
    schema.messages.c.run == bindparam("run"), schema.messages.c.id == bindparam("message")
)
_HEADS = select(_r.id, _r.head_seq).where(_r.id.in_(bindparam("ids", expanding=True)))
_owned_by = func.json_extract(_r.owner, "$.user")
_RESTING = ("waiting_for_approval", "blocked")
_ENDED_AT = (
    select(func.max(_e.at))
    .where(_e.run == _r.id, _e.kind == "segment.ended")
    .correlate(schema.runs)
    .scalar_subquery()
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A run with its questions and the end of its record, as of one moment."""

    run: Run
    seq: int
    open: tuple[Question, ...]
    closed: tuple[Question, ...]
    """Answered, expired and withdrawn ones, oldest first."""


class SqlHosted:
    """The queries of a server, and the messages it has taken."""

    def __init__(self, database: Database) -> None:
        """Takes an open database."""
        self._database = database

    async def see(self, run: str, now: datetime) -> Seen:
        """One run.

        Raises:
            NotFound: if there is none.
        """

        def work(connection: Connection) -> Seen:
            row = connection.execute(_RUN, {"run": run}).first()
            if row is None:
                raise NotFound(f"there is no run {run!r}.")
            return _seen(connection, row, now)

        return await self._database.read(work)

    async def heads(self, runs: Sequence[str]) -> dict[str, int]:
        """The last event of each run."""
        found = await self._database.read(lambda c: c.execute(_HEADS, {"ids": list(runs)}).all())
        return {row.id: row.head_seq for row in found}

    async def heard(self, run: str, message: str) -> bool:
        """Says whether a message of this id was taken for a run."""
        given = {"run": run, "message": message}
        return await self._database.read(lambda c: c.execute(_HEARD, given).first() is not None)

    async def hear(self, run: str, message: str, now: datetime) -> None:
        """Notes that a message was taken; noting it twice is harmless."""
        values = {"run": run, "id": message, "at": rows.stamp(now)}
        statement = insert(schema.messages).values(values).on_conflict_do_nothing()
        await self._database.write(lambda c: c.execute(statement))

    async def page(
        self, graph: str, who: Principal, wanted: Wanted, now: datetime
    ) -> tuple[list[Seen], int, tuple[str, str] | None]:
        """One page of a person's runs of a graph, how many there are, and where the next one begins."""
        rules: list[ColumnElement[bool]] = [_r.graph == graph, *_wanted(who, wanted)]
        if "*" not in who.scopes:
            rules.append(_owned_by == who.user)
        place = tuple_(_r.updated_at, _r.id)
        shown = select(schema.runs).where(*rules).order_by(_r.updated_at.desc(), _r.id.desc())
        if wanted.after is not None:
            shown = shown.where(place < tuple_(*map(_text, wanted.after)))
        shown = shown.limit(wanted.size + 1)
        count = select(func.count()).select_from(schema.runs).where(*rules)

        def work(connection: Connection) -> tuple[list[Seen], int, tuple[str, str] | None]:
            found = connection.execute(shown).all()
            total = int(connection.execute(count).scalar_one())
            kept = found[: wanted.size]
            more = (kept[-1].updated_at, kept[-1].id) if len(found) > wanted.size else None
            return [_seen(connection, row, now) for row in kept], total, more

        return await self._database.read(work)

    async def orphans(self, graph: str, now: datetime, grace_s: float) -> list[str]:
        """Runs of a graph that could move and that nobody advances, the oldest first.

        Args:
            graph: The runs' graph.
            now: When it is asked; leases and expiries are counted by it.
            grace_s: Runs that changed less than so many seconds ago are left to whoever changed them.
        """
        moving = _r.state.not_in((*FINAL, *_RESTING))
        answered = exists().where(_q.run == _r.id, _q.answered_at.is_not(None), _q.answered_at >= _ENDED_AT)
        expired = exists().where(
            _q.run == _r.id, _q.state == "open", _q.expires_at <= rows.stamp(now), _q.expires_at >= _ENDED_AT
        )
        statement = (
            select(_r.id)
            .where(
                _r.graph == graph,
                or_(_r.lease_until.is_(None), _r.lease_until <= now.timestamp()),
                _r.updated_at <= rows.stamp(now - timedelta(seconds=grace_s)),
                or_(moving, and_(_r.state.in_(_RESTING), or_(answered, expired))),
            )
            .order_by(_r.created_at)
            .limit(1000)
        )
        return await self._database.read(lambda c: list(c.execute(statement).scalars()))


def _text(value: str) -> ColumnElement[str]:
    from sqlalchemy import literal

    return literal(value)


def _seen(connection: Connection, row: Any, now: datetime) -> Seen:  # noqa: ANN401
    run = rows.run_of(row)
    found = connection.execute(_ASKED, {"run": run.id}).all()
    asked = [rows.shown(rows.question_of(each), now) for each in found]
    alive = run.state not in FINAL
    return Seen(
        run,
        row.head_seq,
        tuple(q for q in asked if alive and q.state == "open"),
        tuple(q for q in asked if q.state != "open"),
    )


def _wanted(who: Principal, wanted: Wanted) -> list[ColumnElement[bool]]:
    rules: list[ColumnElement[bool]] = []
    if wanted.session is not None:
        rules.append(_r.session == wanted.session)
    if wanted.changed_after is not None:
        rules.append(_r.updated_at >= rows.stamp(wanted.changed_after))
    if wanted.phase is not None:
        rules.append(_phase(who, wanted.phase))
    return rules


def _phase(who: Principal, phase: str) -> ColumnElement[bool]:
    """The condition that `View.phase` decides for one run."""
    roles = [OWNER, who.user, who.team, *who.scopes]
    open_one = exists().where(_q.run == _r.id, _q.state == "open")
    mine = open_one if "*" in who.scopes else open_one.where(_q.whom.in_([r for r in roles if r]))
    resting = _r.state.in_(_RESTING)
    silent = and_(_r.state == "completed", _r.response.is_(None))
    gave_up, refused = and_(silent, _r.outcome == "gave_up"), and_(silent, _r.outcome == "refused")
    table: dict[str, ColumnElement[bool]] = {
        "submitted": _r.state == "created",
        "working": or_(
            _r.state.in_(("context_loaded", "planning", "executing")),
            and_(_r.state == "waiting_for_approval", ~open_one),
        ),
        "asks": and_(resting, mine),
        "waits": and_(resting, ~mine, or_(open_one, _r.state == "blocked")),
        "done": and_(_r.state == "completed", ~func.coalesce(or_(gave_up, refused), False)),
        "failed": or_(_r.state == "failed", gave_up),
        "canceled": _r.state.in_(("canceled", "rolled_back")),
        "refused": refused,
    }
    return table[phase]
