"""One database with everything that it holds, behind the ports."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from interlock.core.ports import Clock, SystemClock
from interlock.core.stores import Inbox, Record, Runs
from interlock.persistence.artifacts import SqlArtifacts
from interlock.persistence.database import Database
from interlock.persistence.inbox import SqlInbox
from interlock.persistence.ledger import SqlLedger
from interlock.persistence.record import SqlRecord
from interlock.persistence.runs import SqlRuns
from interlock.persistence.signing import Signer
from interlock.persistence.sqlite import path_of
from interlock.settings import Settings


@dataclass(slots=True)
class Stores:
    """What one database holds, behind the ports."""

    database: Database
    runs: Runs
    inbox: Inbox
    record: Record
    ledger: SqlLedger
    artifacts: SqlArtifacts
    signer: Signer
    clock: Clock

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, clock: Clock | None = None) -> AsyncGenerator[Self]:
        """Opens the database of the settings and closes it at the end.

        Raises:
            BadInput, FormatRefused: if it cannot be used.
        """
        clock = clock or SystemClock()
        database = await Database.open(settings.database_url)
        try:
            signer = Signer(settings.key_folder)
            yield cls(
                database,
                SqlRuns(database, clock),
                SqlInbox(database, clock),
                SqlRecord(database, signer),
                SqlLedger(database, clock),
                SqlArtifacts(database),
                signer,
                clock,
            )
        finally:
            await database.close()


def database_file(settings: Settings) -> Path | None:
    """The file of the database, which need not exist; None for a database that is no file."""
    return path_of(settings.database_url)
