"""Rows of the tasks that remote agents were sent."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, select

from interlock.core.remote_tasks import OPEN, OVER, RemoteTask
from interlock.persistence import rows, schema
from interlock.persistence.database import Database
from interlock.persistence.sqlite import insert

_r = schema.remote_tasks.c


def _put():  # noqa: ANN202
    """Upserts rows; one that is over stays as it is, whoever writes last."""
    put = insert(schema.remote_tasks)
    changes = {c.name: put.excluded[c.name] for c in schema.remote_tasks.c if not c.primary_key}
    still_open = and_(*(_r.state != state for state in sorted(OVER)))
    return put.on_conflict_do_update(index_elements=["id"], set_=changes, where=still_open)


_PUT = _put()


def put(connection: Connection, tasks: Sequence[RemoteTask]) -> None:
    """Stores rows in the caller's transaction."""
    connection.execute(_PUT, [_values(task) for task in tasks])


class SqlRemoteTasks:
    """Implements `core.stores.RemoteTasks`."""

    def __init__(self, database: Database) -> None:
        """Takes an open database."""
        self._database = database

    async def get(self, task: str) -> RemoteTask | None:
        """The row with this id; None if nothing was ever to be sent under it."""
        statement = select(schema.remote_tasks).where(_r.id == task)
        row = await self._database.read(lambda connection: connection.execute(statement).first())
        return None if row is None else _task(row)

    async def open(self, run: str) -> list[RemoteTask]:
        """What remote agents may still be working on for a run, oldest first."""
        statement = select(schema.remote_tasks).where(_r.run == run, _r.state.in_(OPEN))
        statement = statement.order_by(_r.at, _r.id)
        found = await self._database.read(lambda connection: connection.execute(statement).all())
        return [_task(row) for row in found]


def _values(task: RemoteTask) -> rows.Values:
    return task.model_dump() | {"asked": rows.dump(task.asked), "at": rows.stamp(task.at)}


def _task(row: rows.AnyRow) -> RemoteTask:
    rows.check_version(row, f"the remote task {row.id}")
    values: rows.Values = {name: getattr(row, name) for name in RemoteTask.model_fields}
    values["asked"], values["at"] = rows.load(row.asked), rows.moment(row.at)
    return RemoteTask(**values)
