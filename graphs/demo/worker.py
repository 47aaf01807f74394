"""The workers of act 3: each is a process of its own and pays one order back; the first of a run dies of it.

They are forked from a foreman (`python -m graphs.demo.worker`), which has imported what they need and does
nothing but wait for them: starting four interpreters would take most of the demo's time.
"""

import argparse
import asyncio
import json
import os
import signal
import time
import traceback
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import NoReturn

from graphs.demo.stage import settings
from graphs.demo.till import BOOK, Order, Refund, Reply, Till
from interlock import Agent, Doors, Findings, Plan, Policy, Supervisor, Task, bind
from interlock.bootstrap import Bound
from interlock.core.guards import Guards
from interlock.core.runs import Run
from interlock.errors import RunBusy
from interlock.orchestration.supervisor import SupervisorGraph

ENDED = "ended.json"
ORDER = Order(id="C-1", amount=Decimal("49.90"))
LEASE_S = 1.0
PATIENCE_S = 20.0
"""How long a worker waits for a dead one's lease to end; it ends after `LEASE_S`."""


def graph(till: Till) -> SupervisorGraph:
    """One agent that pays a refund."""

    async def pay_back(order: Order, doors: Doors) -> Refund:
        return await doors.call(till.refund, order_id=order.id, amount=order.amount)

    returns = Agent("returns", "Pays a refund.", run=pay_back, tools=[till.refund])

    def refund(order: Order) -> Plan:
        """Everything here is a refund."""
        return Plan(Task(returns, order))

    def answer(order: Order, findings: Findings) -> Reply:
        return Reply(text=f"We paid back {findings.get(returns)[0].amount} EUR.")

    return Supervisor(
        "refunds",
        request=Order,
        response=Reply,
        agents=[returns],
        routes=[refund],
        policy=Policy().allow(returns, till.refund),
        answer=answer,
        examples=[ORDER],
    ).build()


async def work(folder: Path, *, die: bool, ledger: bool) -> Run:
    """Starts the one run of a folder, or goes on with it where the last worker stopped."""

    def booked() -> None:
        if die:
            os.kill(os.getpid(), signal.SIGKILL)

    made = graph(Till(folder / BOOK, booked))
    guards = Guards() if ledger else Guards(journal=False)
    async with bind(made, settings=settings(folder, LEASE_S), guards=guards) as app:
        known = await app.stores.runs.list()
        return await _patiently(app, known[0].id) if known else await app.run(ORDER)


async def _patiently(app: Bound, run: str) -> Run:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await app.resume(run)
        except RunBusy:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.1)


class Foreman:
    """Forks workers and waits for them; ended itself, it takes them along."""

    def __init__(self) -> None:
        """Nobody works yet."""
        self._alive: set[int] = set()

    def shift(self, folders: dict[Path, bool], *, die: bool) -> None:
        """Lets one worker per folder work at the same time, then prints a line about each.

        Args:
            folders: Where a run is -> whether the ledger is on.
            die: Whether they are killed right after they have paid.
        """
        workers = {folder: self._fork(folder, die=die, ledger=on) for folder, on in folders.items()}
        for folder, pid in workers.items():
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            self._alive.discard(pid)
            paid = [str(amount) for _, amount in Till(folder / BOOK).rows()]
            ended = json.loads((folder / ENDED).read_text()) if (folder / ENDED).exists() else None
            told = {"folder": folder.name, "pid": pid, "code": code, "run": ended, "paid": paid}
            print(json.dumps(told), flush=True)

    def dismiss(self) -> None:
        """Ends the workers that are left."""
        for pid in self._alive:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _fork(self, folder: Path, *, die: bool, ledger: bool) -> int:
        pid = os.fork()
        if pid:
            self._alive.add(pid)
            return pid
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            run = asyncio.run(work(folder, die=die, ledger=ledger))
            (folder / ENDED).write_text(json.dumps({"id": run.id, "state": run.state}))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)  # what the foreman would do at its end is not the worker's to do


def _ended(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> None:
    """Runs the same accident in two folders, with the ledger and without it, and then the second workers."""
    parser = argparse.ArgumentParser(prog="python -m graphs.demo.worker", description="The workers of act 3.")
    parser.add_argument("guarded", type=Path, help="where the ledger is on")
    parser.add_argument("bare", type=Path, help="where it is off, to show the harm that it prevents")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, _ended)
    Till(chosen.guarded / BOOK).server.mcp_server()  # loads what each worker would load for itself
    foreman = Foreman()
    try:
        for die in (True, False):
            foreman.shift({chosen.guarded: True, chosen.bare: False}, die=die)
    finally:
        foreman.dismiss()


if __name__ == "__main__":
    main()
