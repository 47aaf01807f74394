"""Bad input of every kind: one sentence on standard error, exit code 2, no traceback, nothing happened."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.front import Front, fresh

front = pytest.fixture(fresh)

TICKETS = {
    "no file": (None, "there is no file 'ticket.json'."),
    "empty": (b"", "'ticket.json' is empty: give one JSON object, or one per line."),
    "blank": (b" \n\n", "'ticket.json' is empty"),
    "cut off": (b'{"text": "pay"', "'ticket.json' is not JSON"),
    "over several lines": (b'{\n "text": "pay",\n}', "in line 3"),
    "no JSON": (b"pay me", "'ticket.json' is not JSON"),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\xff", "'ticket.json' is not text in UTF-8"),
    "a list": (b'[{"text": "pay"}]', "'ticket.json' is a list"),
    "a number": (b"7", "'ticket.json' is a number"),
    "null": (b"null", "'ticket.json' is null"),
    "not a number": (b'{"text": "pay", "amount": NaN}', "NaN is not a number in JSON"),
    "half a character": (b'{"text": "pay \\ud800"}', "half of a character"),
    "too deep": (b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    "second line": (b'{"text": "pay"}\n{"text": }\n', "'ticket.json', line 2, is not JSON"),
    "second value": (b'{"text": "pay"}\n[]\n', "value 2 of 'ticket.json' is a list"),
    "missing field": (b"{}", "this is not a Ticket: text: Field required."),
    "wrong type": (b'{"text": "pay", "amount": "much"}', "this is not a Ticket: amount:"),
}


@pytest.mark.parametrize("kind", TICKETS)
def test_a_ticket_that_cannot_be_used_is_refused(front: Front, kind: str) -> None:
    """The sentence says what is wrong with it; no run is stored."""
    data, sentence = TICKETS[kind]
    if data is not None:
        (front.folder / "ticket.json").write_bytes(data)

    told = front("run", "front", "--input", "ticket.json")

    assert (told.code, told.out) == (2, "")
    assert sentence in told.sentence
    assert front("runs", "list", "--json").json == []


def test_standard_input_is_named_as_such(front: Front) -> None:
    """What comes through a pipe is judged like a file; a folder is no file."""
    assert front("run", "front", "-i", "-", stdin=b"\xff").sentence.startswith("standard input is not text")
    assert front("run", "front", "-i", "-").sentence.startswith("standard input is empty")
    assert "is a folder" in front("run", "front", "-i", ".").sentence


WRONG = [
    ("nonsense",),
    ("runs",),
    ("runs", "list", "--limit", "many"),
    ("runs", "list", "--limit", "0"),
    ("runs", "list", "--state", "lost"),
    ("runs", "show"),
    ("runs", "show", "r-nothing"),
    ("runs", "resume", "r-nothing"),
    ("runs", "cancel", "r-nothing"),
    ("run", "front"),
    ("run", "nobody", "--input", "t.json"),
    ("run", "front", "--input", "t.json", "--colour", "red"),
    ("run", "front", "--input", "t.json", "--key", ""),
    ("run", "front", "--input", "t.json", "--role", "lead"),
    ("approvals", "approve"),
    ("effects", "settle", "q-nothing", "--happened"),
    ("effects", "settle", "q-nothing", "--did-not-happen", "--answer", "1"),
    ("explain", "r-nothing"),
    ("audit", "verify", "r-nothing"),
    ("audit", "verify", "--head", "no-such-file"),
    ("audit", "verify", "--head", "t.json"),
    ("audit", "export"),
    ("audit", "export", "r-nothing"),
    ("audit", "erase"),
    ("audit", "erase", "--subject", "nobody@example.com"),
    ("graph", "nobody"),
    ("tools", "list", "nobody"),
    ("eval", "front"),
    ("new", "9lives"),
    ("new", "../"),
    ("new", "x", "--example", "nothing"),
]


def test_every_wrong_command_gets_one_sentence(front: Front) -> None:
    """Unknown names, ids, options and values; arguments that are missing."""
    front.write("t.json", '{"text": "pay"}')

    for arguments in WRONG:
        told = front(*arguments)
        assert told.code == 2, (arguments, told)
        assert told.out == "", arguments
        assert told.sentence.endswith("."), arguments

    assert front.paid == []
    assert front("runs", "list", "--json").json == []


PROJECTS: dict[str, tuple[Callable[[Front], object], str]] = {
    "no langgraph.json": (lambda f: (f.folder / "langgraph.json").unlink(), "there is no langgraph.json in"),
    "broken": (lambda f: f.write("langgraph.json", "{"), "langgraph.json, line 1, is not JSON"),
    "no graphs": (lambda f: f.write("langgraph.json", "[]"), "langgraph.json names no graph"),
    "no name": (lambda f: f.write("langgraph.json", '{"graphs": {"front": "x.py"}}'), "path/to/file.py:name"),
    "no file": (lambda f: f.write("langgraph.json", '{"graphs": {"front": "x.py:g"}}'), "no such file"),
    "no object": (
        lambda f: f.write("langgraph.json", '{"graphs": {"front": "front_desk.py:desk"}}'),
        "front_desk.py has no 'desk'",
    ),
    "no graph": (
        lambda f: f.write("langgraph.json", '{"graphs": {"front": "front_desk.py:policy"}}'),
        "front_desk.py has no 'policy'",
    ),
    "another object": (
        lambda f: f.write("langgraph.json", '{"graphs": {"front": "front_desk.py:books"}}'),
        "front is no graph (ToolServer)",
    ),
    "syntax": (
        lambda f: f.write("front_desk.py", "x = 1\ny = (\n"),
        "front_desk.py, line 2, cannot be imported",
    ),
    "import": (
        lambda f: f.write("front_desk.py", "import no_such_module\n"),
        "front_desk.py, line 1, cannot be imported: ModuleNotFoundError: No module named 'no_such_module'.",
    ),
    "raises": (
        lambda f: f.write("front_desk.py", "\n\n1 / 0\n"),
        "line 3, cannot be imported: ZeroDivisionError",
    ),
    "exits": (lambda f: f.write("front_desk.py", "raise SystemExit(0)\n"), "cannot be imported: SystemExit"),
    "wiring": (
        lambda f: f.write(
            "front_desk.py",
            (f.folder / "front_desk.py").read_text(encoding="utf-8").replace("asker, broken, ", "asker, "),
        ),
        "add it to `agents=`",
    ),
    "settings": (lambda f: f.write("pyproject.toml", "[tool.interlock]\nlease_s = 'x'\n"), "lease_s"),
    "unknown setting": (lambda f: f.write("pyproject.toml", "[tool.interlock]\ncolour = 'red'\n"), "colour"),
    "no TOML": (lambda f: f.write("pyproject.toml", "[tool"), "pyproject.toml"),
}


@pytest.mark.parametrize("kind", PROJECTS)
def test_a_project_that_cannot_be_used_is_named(front: Front, kind: str) -> None:
    """The sentence names the file, and the line where there is one."""
    ruin, sentence = PROJECTS[kind]
    ruin(front)

    told = front("run", "front", "--input", front.ticket("pay"))

    assert told.code == 2
    assert sentence in told.sentence
    assert told.out == ""


def test_a_setting_in_the_environment_that_cannot_be_used_is_named(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tool servers that are no JSON, a database of another kind, a lease that is no number."""
    for name, value in (
        ("INTERLOCK_TOOLS", "{"),
        ("INTERLOCK_LEASE_S", "soon"),
        ("INTERLOCK_DATABASE_URL", "oracle://here"),
        ("INTERLOCK_TOOLS", '{"crm": {}}'),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            told = front("run", "front", "--input", front.ticket("pay"))
        assert told.code == 2
        assert told.sentence.endswith(".")


def a_folder(front: Front, database: Path) -> None:
    """A folder stands where the database should."""
    database.mkdir(parents=True)


def no_database(front: Front, database: Path) -> None:
    """A file of another kind stands where the database should."""
    database.parent.mkdir()
    database.write_bytes(b"not a database at all" * 100)


def a_file_above(front: Front, database: Path) -> None:
    """A file stands where the database's folder should."""
    database.parent.write_text("x", encoding="utf-8")


def newer(front: Front, database: Path) -> None:
    """A later version of the schema."""
    assert front("runs", "list").code == 0
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def foreign(front: Front, database: Path) -> None:
    """Tables of another program."""
    database.parent.mkdir()
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE songs (id INTEGER)")
    connection.close()


def open_key(front: Front, database: Path) -> None:
    """A signing key that others can read."""
    front("run", "front", "--input", front.ticket("dance"))
    (front.folder / ".interlock/keys/signing.key").chmod(0o644)


def no_key(front: Front, database: Path) -> None:
    """A signing key that is none."""
    keys = front.folder / ".interlock/keys"
    keys.mkdir(parents=True)
    (keys / "signing.key").write_text("none", encoding="utf-8")
    (keys / "signing.key").chmod(0o600)


@pytest.mark.parametrize("ruin", [a_folder, no_database, a_file_above, newer, foreign, open_key, no_key])
def test_a_database_or_key_that_cannot_be_used_is_told_before_anything_happens(
    front: Front, ruin: Callable[[Front, Path], None]
) -> None:
    """Unwritable, of another program, of a later version: nothing is paid."""
    ruin(front, front.folder / ".interlock/interlock.db")

    told = front("run", "front", "--input", front.ticket("pay"))

    assert told.code == 2
    assert told.sentence.endswith(".")
    assert front.paid == []


def test_a_folder_that_cannot_be_written_is_told(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """No database can be made in it, not even by the superuser."""
    monkeypatch.setenv("INTERLOCK_DATABASE_URL", "sqlite:////proc/desk/x.db")

    told = front("run", "front", "--input", front.ticket("pay"))

    assert told.code == 2
    assert "cannot be opened or written" in told.sentence


def test_a_wrong_folder_is_noticed(front: Front) -> None:
    """Without a database and without a project, reading commands say so instead of making a database."""
    (front.folder / "langgraph.json").unlink()

    for arguments in (("runs", "list"), ("approvals", "list"), ("audit", "verify"), ("explain", "r-1")):
        told = front(*arguments)
        assert told.code == 2
        assert "change to a project's folder" in told.sentence

    assert not (front.folder / ".interlock").exists()


def test_an_unexpected_error_is_one_sentence_and_a_traceback_only_for_debugging(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 5; secrets in the error's text are masked."""

    def broken(source: str) -> list[dict[str, object]]:
        raise RuntimeError("no luck with Bearer abcdefghijklmnopqrstuvwxyz0123456789\nand more")

    monkeypatch.setattr("interlock.cli.tickets.read", broken)

    plain = front("run", "front", "--input", "x")
    monkeypatch.setenv("INTERLOCK_DEBUG", "1")
    debugged = front("run", "front", "--input", "x")

    assert plain.code == debugged.code == 5
    assert "RuntimeError" in plain.sentence and "INTERLOCK_DEBUG=1" in plain.sentence
    assert "abcdefghijklmnopqrstuvwxyz" not in plain.sentence
    assert "Traceback" in debugged.err
