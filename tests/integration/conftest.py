"""One real database in a folder of its own, and what stands on it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from interlock.persistence.artifacts import SqlArtifacts
from interlock.persistence.database import Database
from interlock.persistence.inbox import SqlInbox
from interlock.persistence.ledger import SqlLedger
from interlock.persistence.record import SqlRecord
from interlock.persistence.runs import SqlRuns
from interlock.persistence.signing import Signer
from tests.integration.stored import StillClock


@pytest.fixture
def clock() -> StillClock:
    """Time that stands still."""
    return StillClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    """An empty database."""
    opened = await Database.open(str(tmp_path / "data" / "interlock.db"))
    yield opened
    await opened.close()


@pytest.fixture
def ledger(database: Database, clock: StillClock) -> SqlLedger:
    """The ledger."""
    return SqlLedger(database, clock)


@pytest.fixture
def runs(database: Database, clock: StillClock) -> SqlRuns:
    """The runs."""
    return SqlRuns(database, clock)


@pytest.fixture
def inbox(database: Database, clock: StillClock) -> SqlInbox:
    """The inbox."""
    return SqlInbox(database, clock)


@pytest.fixture
def artifacts(database: Database) -> SqlArtifacts:
    """The artifacts."""
    return SqlArtifacts(database)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """A signing key outside the database's folder."""
    return Signer(tmp_path / "keys")


@pytest.fixture
def record(database: Database, signer: Signer) -> SqlRecord:
    """The record."""
    return SqlRecord(database, signer)
