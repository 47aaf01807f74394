"""Runs the demo: `python -m graphs.demo`, with `--keep FOLDER` to look at what it left behind."""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

from graphs.demo import approval, crash, desk, story, tampering
from graphs.demo.books import balance
from graphs.demo.stage import Stage
from interlock.core.limits import Spend

T = TypeVar("T")


async def play(stage: Stage) -> None:
    """Plays the five acts and adds up."""
    began = time.monotonic()
    stage.print("Interlock, in five acts. Everything runs here: no key, no account, loopback only.")
    cases = await played(stage, desk.play, stage) or []
    await played(stage, approval.play, stage)
    await played(stage, crash.play, stage)
    if cases:
        await played(stage, story.play, stage, cases)
        await played(stage, tampering.play, stage, cases)
    spent = Spend()
    for case in cases:
        spent = spent.plus(case.run.spend)
    total = await played(stage, _counted, stage)
    doubled, lost = (total.doubled, total.lost) if total else ("?", "?")
    stage.print(
        "",
        f"tickets {len(cases)} · tool calls {spent.tool_calls} · model calls {spent.model_calls}"
        f" · tokens {spent.tokens} · USD {spent.usd} · time {time.monotonic() - began:.1f} s"
        f" · doubled {doubled} · lost {lost}",
    )


async def _counted(stage: Stage) -> Any:  # noqa: ANN401
    total = balance(stage)
    stage.print("")
    stage.say(
        f"{total.promised} replies, refunds and handovers that were accepted or approved were looked up in "
        "the books of help desk, payments and till. (Act 3's run without the ledger is left out.)",
        indent=0,
    )
    stage.promise((total.doubled, total.lost) == (0, 0), "nothing is doubled and nothing is lost")
    return total


async def played(stage: Stage, act: Callable[..., Awaitable[T]], *given: Any) -> T | None:  # noqa: ANN401
    """Plays one act; one that breaks is a broken promise, and the others go on."""
    try:
        return await act(*given)
    except Exception as error:
        stage.promise(False, f"the act came to its end ({type(error).__name__}: {error})")
        return None


def run_in(folder: Path) -> int:
    """Plays the demo in a folder; 0 if everything came out as promised, else 1."""
    with Stage(folder) as stage:
        desk.prepare(stage)
        asyncio.run(play(stage))
    for what in stage.broken:
        print(f"not as promised: {what}", file=sys.stderr)
    return 1 if stage.broken else 0


def _ended(number: int, frame: FrameType | None) -> NoReturn:
    """Ends in the ordinary way when told to end, so that no process stays behind."""
    raise SystemExit(128 + number)


def main() -> int:
    """Plays the demo; 0 if everything came out as promised, 1 if not, 2 for a folder it cannot use."""
    parser = argparse.ArgumentParser(prog="python -m graphs.demo", description="Interlock, in five acts.")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="play in this folder and leave it there")
    keep: Path | None = parser.parse_args().keep
    signal.signal(signal.SIGTERM, _ended)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without the letters still gets the story
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="interlock-demo-", ignore_cleanup_errors=True) as folder:
            return run_in(Path(folder))
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            parser.error(f"{str(keep)!r} is not empty: name a new folder.")
    except OSError as error:
        parser.error(f"{str(keep)!r} cannot be used: {error.strerror}.")
    return run_in(keep)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
