"""The database file: made when new, refused when foreign, written in whole transactions."""

import asyncio
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from interlock.errors import BadInput, FormatRefused
from interlock.persistence import schema
from interlock.persistence.database import Database
from tests.integration.stored import Child

OPEN = """
import asyncio, sys
from interlock.persistence.database import Database
async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    database = await Database.open(sys.argv[1])
    print(sorted({"alembic", "langgraph", "cryptography"} & set(sys.modules)), flush=True)
    await database.close()
asyncio.run(main())
"""


async def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    """A question mark in a path is no beginning of options."""
    folder = tmp_path / "what? 100%#ü"
    database = await Database.open(str(folder / "new.db"))
    await database.write(lambda c: c.execute(text("SELECT count(*) FROM runs")).scalar())
    await database.close()

    assert [file.name for file in tmp_path.iterdir()] == [folder.name]
    assert (folder / "new.db").stat().st_size > 0


async def test_a_new_database_gets_its_folder_and_its_tables(tmp_path: Path) -> None:
    """The folder, the file and every table of the schema are made."""
    database = await Database.open(f"sqlite:///{tmp_path}/a/b/new.db")

    tables = await database.read(lambda c: set(c.execute(text("SELECT name FROM sqlite_master")).scalars()))
    await database.close()

    assert database.path == tmp_path / "a" / "b" / "new.db"
    assert set(schema.metadata.tables) <= tables


async def test_migrations_make_exactly_the_schema(database: Database) -> None:
    """What Alembic builds step by step is what the tables in the code say."""

    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection), schema.metadata)

    assert await database.read(differences) == []


async def test_transactions_are_durable_and_checked(database: Database) -> None:
    """Every connection has write-ahead logging, full synchronisation and foreign keys."""

    def pragmas(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "secure_delete")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert await database.read(pragmas) == ["wal", 2, 1, 30_000, 1]


async def test_opening_again_imports_no_migration_tool(database: Database) -> None:
    """Only a new database pays for Alembic; LangGraph and the signing library wait for their use."""
    child = Child(OPEN, database.path)
    await child.line()
    child.tell()

    assert await child.line() == "[]"
    assert await child.end() == 0


async def test_processes_that_make_the_same_database_at_once_all_get_it(tmp_path: Path) -> None:
    """One of them applies the migrations, the others wait for it."""
    children = [Child(OPEN, tmp_path / "new.db") for _ in range(4)]
    for child in children:
        await child.line()
    for child in children:
        child.tell()

    assert [await child.line() != "" for child in children] == [True] * 4
    assert [await child.end() for child in children] == [0] * 4


async def test_opening_waits_for_a_process_that_holds_the_new_file(tmp_path: Path) -> None:
    """Whoever comes second while the file is being made gets it when it is there."""
    path = tmp_path / "new.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as maker:
        maker.execute("BEGIN EXCLUSIVE")
        asyncio.get_running_loop().call_later(0.2, maker.rollback)
        database = await Database.open(str(path))

    assert await database.read(lambda c: c.exec_driver_sql("PRAGMA journal_mode").scalar()) == "wal"
    await database.close()


@pytest.mark.parametrize("url", ["postgresql://db/x", ":memory:", "sqlite://", "sqlite:///:memory:", ""])
async def test_what_is_no_database_file_is_refused(url: str) -> None:
    """Only SQLite files are taken, since checkpoints and tables share one file."""
    with pytest.raises(BadInput, match="sqlite:///path"):
        await Database.open(url)


async def test_a_relative_url_names_a_file_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sqlite:///x.db` is x.db here."""
    monkeypatch.chdir(tmp_path)
    database = await Database.open("sqlite:///x.db")
    await database.close()

    assert (tmp_path / "x.db").exists()


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """The error says so, and not a byte is changed."""
    path = tmp_path / "notes.db"
    path.write_text("my notes, nothing else\n" * 100)

    with pytest.raises(BadInput, match="is not a database"):
        await Database.open(str(path))

    assert path.read_text() == "my notes, nothing else\n" * 100


async def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    """The error names the path and what to check."""
    (tmp_path / "taken").write_text("")

    with pytest.raises(BadInput, match=r"taken/x\.db.* check its folder"):
        await Database.open(str(tmp_path / "taken" / "x.db"))


async def test_a_folder_where_the_file_should_be_is_refused(tmp_path: Path) -> None:
    """SQLite's own words are passed on."""
    with pytest.raises(BadInput, match="unable to open"):
        await Database.open(str(tmp_path))


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that another user may look into, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


async def test_a_file_without_the_right_to_write_is_refused(shared: Path) -> None:
    """It is refused when it is opened, not at the first write."""
    path = shared / "x.db"
    await (await Database.open(str(path))).close()
    path.chmod(0o444)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)
        with pytest.raises(BadInput, match="cannot be written"):
            await Database.open(str(path))
    finally:
        if root:
            os.seteuid(0)


async def test_a_newer_schema_is_refused(database: Database) -> None:
    """The sentence says which version was found, which is read, and what to do."""
    await database.write(
        lambda c: c.execute(text("UPDATE alembic_version SET version_num = '0042'")) and None
    )

    with pytest.raises(
        FormatRefused, match=r"'0042'.*reads schema version '0001'.*use the version that wrote"
    ):
        await Database.open(str(database.path))


async def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    """Its tables are named, and none of ours is added."""
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE contacts (name TEXT)")

    with pytest.raises(FormatRefused, match=r"tables of something else \(contacts\)"):
        await Database.open(str(path))

    with closing(sqlite3.connect(path)) as theirs:
        assert theirs.execute("SELECT name FROM sqlite_master").fetchall() == [("contacts",)]


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    """What was written before the error is gone."""

    def failing(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (x)"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(failing)

    assert "half" not in await database.read(
        lambda c: set(c.execute(text("SELECT name FROM sqlite_master")).scalars())
    )


async def test_reading_does_not_wait_for_a_writer(database: Database) -> None:
    """While another process holds the write lock, reads answer."""
    with closing(sqlite3.connect(database.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")

        assert await database.read(lambda c: c.execute(text("SELECT count(*) FROM runs")).scalar()) == 0


async def test_one_read_sees_one_snapshot(database: Database) -> None:
    """What is written between two statements of a read does not show up in it."""

    def twice(connection: Connection) -> tuple[int, int]:
        first = connection.execute(text("SELECT count(*) FROM extra")).scalar_one()
        with closing(sqlite3.connect(database.path)) as other, other:
            other.execute("INSERT INTO extra VALUES (1)")
        return first, connection.execute(text("SELECT count(*) FROM extra")).scalar_one()

    await database.write(lambda c: c.execute(text("CREATE TABLE extra (x)")))

    assert await database.read(twice) == (0, 0)


async def test_a_cancelled_writer_still_finishes(database: Database) -> None:
    """The caller is cancelled; the transaction is neither cut nor left open."""
    inside, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE whole (x)"))
        inside.set()
        go_on.wait(30)
        connection.execute(text("INSERT INTO whole VALUES (1)"))

    writing = asyncio.create_task(database.write(slow))
    await asyncio.to_thread(inside.wait)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    go_on.set()
    await database.write(lambda c: None)

    assert await database.read(lambda c: c.execute(text("SELECT count(*) FROM whole")).scalar()) == 1
