"""Rollback: confirmed effects of a run are taken back in reverse order; what cannot be is listed."""

from collections.abc import Awaitable, Callable
from typing import Any

from interlock.core.journal import UNDO, Entry
from interlock.core.ports import Batch, Ledger, Move
from interlock.core.runs import Run
from interlock.errors import InterlockError, LeaseLost, StoreUnavailable, ToolUnavailable
from interlock.runs.engine import InlineEngine

Compensate = Callable[[Any, Any, Entry], Awaitable[None]]
"""Takes one effect back: (scope, tool, entry)."""


async def roll_back(engine: InlineEngine, run: Run, compensate: Compensate, ledger: Ledger) -> Run:
    """Takes back the confirmed effects of a run that has been canceled or has failed.

    What cannot be taken back, and what nobody knows of, is listed in the run's reason.

    Raises:
        RunBusy: while a worker is advancing it.
        ToolUnavailable: a server that has to take something back could not be reached; the run
            keeps its state, so that the rollback can be run again.
    """
    tools = {tool.name: tool for tool in engine.program.tools}
    async with engine.hold(run.id) as (fence, context):
        caused = [e for e in await ledger.load(run.id) if e.kind == "effect" and not e.step.startswith(UNDO)]
        done = [e for e in caused if e.state == "confirmed"]
        order = await engine.order_of_effects(run.id)
        unknown = [e.operation for e in caused if e.state in ("sent", "unknown")]
        left = [f"{operation}: it is not known whether it happened" for operation in unknown]
        again: list[str] = []
        done.sort(key=lambda e: (order.get((e.task, e.digest), 0), e.position), reverse=True)
        for entry in done:
            tool = tools.get(entry.operation)
            scope = context.desk("rollback", entry.task, 0, tuple(tools.values()))
            await scope.open()
            try:
                if tool is None:
                    raise InterlockError(f"{entry.operation} is not known to this graph any more.")
                await compensate(scope, tool, entry)
            except (LeaseLost, StoreUnavailable):
                raise
            except InterlockError as error:
                (again if error.retryable else left).append(f"{entry.operation}: {error.message}")
        if again:
            raise ToolUnavailable(
                f"run {run.id}: not all could be taken back yet ({'; '.join(again)}). Run the rollback "
                "again; what was taken back stays so."
            )
        reason = "effects were taken back" + (f"; these stand: {'; '.join(left)}" if left else "")
        await ledger.commit(Batch(run=run.id, fence=fence, move=Move(to="rolled_back", reason=reason)))
    return run
