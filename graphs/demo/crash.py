"""Act 3: a worker dies between paid and confirmed, and another process finishes its run."""

import asyncio
import json
import signal
from decimal import Decimal
from typing import Any, NamedTuple

from graphs.demo.stage import Stage, table

DEADLINE_S = 90.0
"""It takes a few seconds; on a busy machine it may take several times as long."""
GUARDED, BARE = "crash", "crash-without-ledger"


class Shift(NamedTuple):
    """One worker's end, and the till's book after it."""

    pid: int
    code: int
    """Its exit code; negative for the signal that killed it."""
    run: dict[str, Any] | None
    """The run as the worker left it; None if it did not live to say so."""
    paid: list[str]
    """The amounts in the till's book."""

    @property
    def end(self) -> str:
        """How it ended."""
        how = "killed (SIGKILL)" if self.code == -signal.SIGKILL else f"ended with {self.code}"
        return f"{how if self.run is None else self.run['state']}, process {self.pid}"


async def play(stage: Stage) -> None:
    """Plays the same death twice at the same time, with the ledger and without it."""
    stage.act(
        3, "A worker is killed after the money was paid and before it knew; another one finishes the run."
    )
    shifts = await _shifts(stage)
    for name, payments in ((GUARDED, 1), (BARE, 2)):
        first, second = shifts[name]
        stage.promise(first.code == -signal.SIGKILL, f"{name}: the first worker is killed ({first.end})")
        stage.promise(len(first.paid) == 1, f"{name}: it has paid before it dies")
        done = second.run is not None and second.run["state"] == "completed"
        stage.promise(done and second.pid != first.pid, f"{name}: another process completes the run")
        stage.promise(len(second.paid) == payments, f"{name}: the book has {payments} payments in the end")
    both = [*zip(shifts[GUARDED], shifts[BARE], strict=True)]
    rows = [
        ("first worker", *(shift.end for shift in both[0])),
        ("payments in the till's book then", *(str(len(shift.paid)) for shift in both[0])),
        ("second worker", *(shift.end for shift in both[1])),
        ("payments in the till's book now", *(str(len(shift.paid)) for shift in both[1])),
        ("paid back to the customer", *(f"{sum(map(Decimal, shift.paid))} EUR" for shift in both[1])),
    ]
    stage.print(*table(("", "with the ledger", "ledger switched off"), rows), "")
    stage.say(
        "The ledger had stored `sent` before the call left, so the second worker asked the till what became "
        "of it instead of paying again."
    )


async def _shifts(stage: Stage) -> dict[str, list[Shift]]:
    """Scene -> its first and its second worker."""
    folders = [stage.scene(GUARDED), stage.scene(BARE)]
    foreman = stage.start("graphs.demo.worker", *map(str, folders), log=stage.folder / "workers.log")
    try:
        out, _ = await asyncio.to_thread(foreman.communicate, timeout=DEADLINE_S)
    finally:
        stage.end(foreman)
    shifts: dict[str, list[Shift]] = {GUARDED: [], BARE: []}
    for line in out.splitlines():
        told = json.loads(line)
        stage.note(told["pid"])
        shifts[told.pop("folder")].append(Shift(**told))
    if foreman.returncode != 0:
        raise ChildProcessError((stage.folder / "workers.log").read_text(encoding="utf-8").strip()[-400:])
    return shifts
