"""Act 5: somebody edits the record, more and more thoroughly; it is found, named, and restored."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from graphs.demo.desk import FOLDER, Case
from graphs.demo.stage import Stage, database, settings
from interlock.bootstrap import Stores
from interlock.core.audit import Report, verify
from interlock.core.events import Event, Head, body_digest

TICKET, PAID, CLAIMED = "T-007", "34.50", "3450.00"
ORIGINAL, EDITED, RECOMPUTED, UNSIGNED = "before.db", "edited.db", "recomputed.db", "unsigned.db"
"""Copies that stay in the folder: as it was; edited; with the chain recomputed; and without signed heads."""


async def play(stage: Stage, cases: list[Case]) -> None:
    """Attacks the record of one run four times."""
    stage.act(
        5,
        "Somebody edits the record: it is refused, and with more effort found, named and undone.",
    )
    folder = stage.scene(FOLDER)
    book = database(folder)
    run = next(case.run.id for case in cases if case.ticket["id"] == TICKET)
    _copy(book, folder / ORIGINAL)
    seq = _sent(book, run)
    kept = await _heads(folder)
    stage.say(
        f"They want the record of {TICKET} to say {CLAIMED} instead of {PAID} (event {seq} of run {run})."
    )

    stage.say("(a) A plain UPDATE is refused by the database:")
    refused = _try(book, lambda db: _write_body(db, run, seq))
    stage.say(refused or "it was taken", indent=6)
    stage.promise("can only be appended to" in refused, "an UPDATE is refused by the trigger")

    stage.say("(b) They drop the triggers and edit the row:")
    await _attack(stage, run, seq, lambda db: _write_body(db, run, seq), EDITED)
    stage.say("(c) They also compute its digest, its hash, every later hash and the run's row anew:")
    await _attack(stage, run, seq, lambda db: _recompute(db, run, seq), RECOMPUTED)
    stage.say("(d) They delete the signed heads as well; heads that were exported before still tell:")
    await _attack(stage, run, seq, lambda db: _unsign(db, run, seq), UNSIGNED, kept)

    stage.say("The database is restored from its copy:")
    report = await audit(folder)
    stage.say(f"audit: {'ok' if report.whole else 'broken'}", indent=6)
    stage.say(report.sentence, indent=6)
    stage.promise(report.whole, "the restored record verifies")


async def audit(folder: Path, kept: Sequence[Head] = ()) -> Report:
    """Verifies every run of a scene, as `interlock audit verify` does; `kept` are heads kept elsewhere."""
    async with Stores.open(settings(folder)) as stores:
        runs = [run.id for run in await stores.runs.list()]
        lines = [line for run in runs for line in await stores.record.lines(run)]
        ends = {run: await stores.record.end(run) for run in runs}
        heads = await stores.record.heads()
        return verify(lines, heads, stores.signer.check, ends=ends, exported=kept)


async def _heads(folder: Path) -> list[Head]:
    """The signed heads, as `interlock audit export --heads` prints them."""
    async with Stores.open(settings(folder)) as stores:
        return await stores.record.heads()


async def _attack(
    stage: Stage,
    run: str,
    seq: int,
    change: Callable[[sqlite3.Connection], None],
    keep: str,
    kept: Sequence[Head] = (),
) -> None:
    """Changes the database without its triggers, verifies it, keeps a copy of it, and restores it."""
    folder = stage.scene(FOLDER)
    book = database(folder)
    refused = _try(book, lambda db: (_drop_triggers(db), change(db)))
    stage.promise(not refused, f"without triggers nothing stops them ({refused})")
    report = await audit(folder, kept)
    _copy(book, folder / keep)
    _copy(folder / ORIGINAL, book)
    found = report.first
    stage.say(f"audit: {'ok' if report.whole else 'broken'}", indent=6)
    stage.say(str(found) if found else report.sentence, indent=6)
    named = found is not None and found.run == run and found.seq <= seq
    stage.promise(named, f"the edited run is named, at event {seq} or where its signed part begins")


def _try(book: Path, work: Callable[[sqlite3.Connection], object]) -> str:
    """Does something to the database in one transaction; returns why the database refused it."""
    with closing(sqlite3.connect(book, timeout=10)) as db:
        try:
            with db:
                work(db)
        except sqlite3.DatabaseError as error:
            return str(error)
    return ""


def _copy(source: Path, target: Path) -> None:
    """Copies a database as one snapshot, over what is in the target."""
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)


# What an attacker does ---------------------------------------------------------------------------


def _sent(book: Path, run: str) -> int:
    """The event that says which refund was sent."""
    with closing(sqlite3.connect(book)) as db:
        (seq,) = db.execute(
            "SELECT seq FROM events JOIN bodies USING (run, seq) WHERE run = ? AND kind = 'effect.sent'"
            " AND json_extract(body, '$.tool') = 'payments/refund'",
            (run,),
        ).fetchone()
    return seq


def _drop_triggers(db: sqlite3.Connection) -> None:
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name}")


def _write_body(db: sqlite3.Connection, run: str, seq: int) -> None:
    db.execute(
        "UPDATE bodies SET body = replace(body, ?, ?) WHERE run = ? AND seq = ?", (PAID, CLAIMED, run, seq)
    )


def _recompute(db: sqlite3.Connection, run: str, seq: int) -> None:
    """Edits the body and makes the whole chain fit it; the signed heads cannot be made to."""
    _write_body(db, run, seq)
    db.row_factory = sqlite3.Row
    prev = db.execute("SELECT prev FROM events WHERE run = ? AND seq = ?", (run, seq)).fetchone()[0]
    for row in db.execute(
        "SELECT * FROM events WHERE run = ? AND seq >= ? ORDER BY seq", (run, seq)
    ).fetchall():
        values: dict[str, Any] = {name: row[name] for name in Event.model_fields}
        values |= {"at": datetime.fromisoformat(row["at"]), "prev": prev}
        if row["seq"] == seq:
            salt, body = db.execute(
                "SELECT salt, body FROM bodies WHERE run = ? AND seq = ?", (run, seq)
            ).fetchone()
            values["body_digest"] = body_digest(salt, json.loads(body))
        event = Event(**values)
        db.execute(
            "UPDATE events SET prev = ?, body_digest = ?, hash = ? WHERE run = ? AND seq = ?",
            (prev, event.body_digest, event.hash, run, event.seq),
        )
        prev = event.hash
    db.execute("UPDATE runs SET head_hash = ? WHERE id = ?", (prev, run))


def _unsign(db: sqlite3.Connection, run: str, seq: int) -> None:
    """Recomputes the chain, and deletes what cannot be made to fit it."""
    _recompute(db, run, seq)
    db.execute("DELETE FROM heads WHERE run = ?", (run,))
