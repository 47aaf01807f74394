"""The demo as a whole: its end, its time, its processes, its traces, its totals, and how it fails."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path

import pytest

from graphs.demo import __main__ as demo
from graphs.demo.books import balance
from graphs.demo.stage import PROCESSES, ROOT, Stage
from tests.played import PATIENCE_S, Played, command, once, rows, surroundings

played = pytest.fixture(scope="session")(once)

LIMIT_S = 60.0
OURS = ("pycache", ".coverage")
"""What Python and the coverage tool write beside a process; no part of what it does."""


def test_everything_comes_out_as_promised(played: Played) -> None:
    """The demo ends with 0 and has nothing to complain about."""
    assert played.err == ""
    assert "NOT AS PROMISED" not in played.out
    assert played.code == 0


def test_it_is_over_within_a_minute(played: Played) -> None:
    """From the command to its end, imports and child processes included."""
    assert played.seconds < LIMIT_S


def test_each_act_begins_with_a_sentence(played: Played) -> None:
    """A reader learns what an act shows before seeing it."""
    first = [played.act[number].splitlines()[0] for number in range(1, 6)]

    assert all(re.fullmatch(r"Act \d\. [A-Z].{30,}\.", line) for line in first)


def test_nothing_is_wider_than_a_page_or_a_card(played: Played) -> None:
    """It is read on a terminal and aloud: no codes, no endless lines."""
    assert "\033" not in played.out
    assert max(map(len, played.out.splitlines())) <= 110


def test_no_process_is_left(played: Played) -> None:
    """Carrier, foreman and workers are gone, whoever was killed on the way."""
    pids = [int(line) for line in (played.folder / PROCESSES).read_text().split()]

    assert len(set(pids)) == 7
    assert [pid for pid in pids if alive(pid)] == []
    assert about(played.folder) == []


def alive(pid: int) -> bool:
    """Says whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def about(folder: Path) -> list[str]:
    """Processes that name the folder in their command or environment."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            if os.fsencode(folder) in said and process.name != str(os.getpid()):
                found.append(process.name)
    return found


def test_nothing_is_written_outside_its_folder(played: Played) -> None:
    """Not where it was started, not at home, not in the temporary folder, and not where settings point."""
    around = played.folder.parent
    written = [path for name in ("here", "home", "temporary") for path in (around / name).rglob("*")]

    assert [path for path in written if not any(each in str(path.name) for each in OURS)] == []


def test_the_totals_are_those_of_the_books(played: Played) -> None:
    """Tickets, calls, tokens and USD are those of the stored runs; time is less than measured."""
    stored = rows(played.folder / "desk/interlock.db", "SELECT spend FROM runs")
    spends = [json.loads(spend) for (spend,) in stored]
    sums = [sum(each[name] for each in spends) for name in ("tool_calls", "model_calls", "tokens")]
    usd = sum(Decimal(each["usd"]) for each in spends)
    line = re.fullmatch(
        r"tickets (\d+) · tool calls (\d+) · model calls (\d+) · tokens (\d+) · USD ([\d.]+)"
        r" · time ([\d.]+) s · doubled (\d+) · lost (\d+)",
        played.act[6],
    )

    assert line and [int(line[n]) for n in (1, 2, 3, 4, 7, 8)] == [len(spends), *sums, 0, 0]
    assert sums[1] == 2 and Decimal(line[5]) == usd > 0
    assert 1 < float(line[6]) < played.seconds


def test_a_doubled_and_a_lost_thing_are_counted(played: Played, tmp_path: Path) -> None:
    """The totals come from the books: a refund more and a reply less are seen there."""
    folder = Path(shutil.copytree(played.folder, tmp_path / "copy"))
    before = balance(Stage(folder))
    with closing(sqlite3.connect(folder / "crash/till.db")) as db, db:
        db.execute("INSERT INTO payments SELECT order_id, amount, 'again' FROM payments")
    with closing(sqlite3.connect(folder / "desk/shop/helpdesk.db")) as db, db:
        db.execute("DELETE FROM replies WHERE ticket_id = 'T-007'")

    after = balance(Stage(folder))

    assert (before.doubled, before.lost) == (0, 0)
    assert (after.promised, after.doubled, after.lost) == (before.promised, 1, 1)


def _breaks(stage: Stage) -> None:
    stage.promise(False, "this was promised")


def _raises(stage: Stage) -> None:
    raise ValueError("an act broke")


@pytest.mark.parametrize(
    ("act", "code"), [(lambda stage: None, 0), (_breaks, 1), (_raises, 1)], ids=["kept", "broken", "raised"]
)
def test_a_broken_promise_fails_the_demo(
    act: Callable[[Stage], None],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An act that does not come out as promised, or does not come to its end, is told and makes it fail."""

    async def only(stage: Stage) -> None:
        async def one() -> None:
            act(stage)

        await demo.played(stage, one)

    monkeypatch.setattr(demo, "play", only)
    monkeypatch.setattr(demo.desk, "prepare", lambda stage: None)

    assert demo.run_in(tmp_path) == code
    assert ("NOT AS PROMISED" in capsys.readouterr().out) == bool(code)


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    """The demo never writes over what is there; it says so and ends with 2."""
    (tmp_path / "mine.txt").write_text("mine")

    done = subprocess.run(command("--keep", str(tmp_path)), cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 2 and "is not empty" in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_ended_from_outside_it_takes_its_processes_along(tmp_path: Path) -> None:
    """Told to end in the middle of the first act, it leaves no carrier behind."""
    folder, environment = tmp_path / "demo", surroundings(tmp_path)
    with subprocess.Popen(
        command("--keep", str(folder)), cwd=ROOT, env=environment, stdout=subprocess.PIPE
    ) as it:
        until = time.monotonic() + PATIENCE_S
        while not (folder / PROCESSES).exists() and time.monotonic() < until:
            time.sleep(0.05)
        it.send_signal(signal.SIGTERM)
        it.communicate(timeout=PATIENCE_S)

    assert it.returncode == 128 + signal.SIGTERM
    assert about(folder) == []
