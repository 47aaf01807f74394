"""What a run leaves on disk: growth of the file, and rows per table."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import Work


@dataclass(frozen=True, slots=True)
class Stored:
    """What one run left, on average."""

    bytes: float
    rows: dict[str, float]
    """Table -> rows."""


async def stored(path: Path, work: Work, *, runs: int) -> Stored:
    """Runs the work and compares the file before and after; the write-ahead log is emptied first."""
    await work()
    before = _look(path)
    for _ in range(runs):
        await work()
    after = _look(path)
    rows = {table: (count - before[1].get(table, 0)) / runs for table, count in after[1].items()}
    return Stored((after[0] - before[0]) / runs, {table: count for table, count in rows.items() if count})


def _look(path: Path) -> tuple[int, dict[str, int]]:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        rows = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in names}
    return path.stat().st_size, rows
