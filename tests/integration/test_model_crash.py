"""Prompt bodies whose process dies, that nobody bound, and that stand in a graph written by hand."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph

from interlock import bind
from interlock.core.models import ModelCall
from interlock.errors import NotBound, RunBusy
from tests.desk import settings
from tests.integration.test_model_bodies import DONE, GIVE_UP, PAY, Desk
from tests.prompts import Said

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
_LOOK: Said = {"shop__latest_order": {"email": "ann@example.com"}}
_DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.integration.test_model_crash import script_until
from tests.integration.test_model_bodies import Desk
desk = Desk(Path(sys.argv[1]), script_until(int(sys.argv[2])))
asyncio.run(desk.run())
"""


def script_until(turns: int) -> Any:
    """Looks, pays, answers; but the process dies when it is asked for the given turn."""

    def script(call: ModelCall) -> Said:
        turn = sum(message.speaker == "assistant" for message in call.messages)
        if turn == turns:
            os.kill(os.getpid(), signal.SIGKILL)
        return [_LOOK, PAY, DONE][turn]

    return script


@pytest.mark.parametrize("died_at", [0, 1, 2])
async def test_a_conversation_goes_on_where_its_process_died(tmp_path: Path, died_at: int) -> None:
    """Another process ends it; the payment is made once, and what was stored is not asked again."""
    done = subprocess.run(
        [sys.executable, "-c", _DIES, str(tmp_path), str(died_at)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    desk = Desk(tmp_path, [_LOOK, PAY, DONE][died_at:])

    async with desk.app() as app:
        (run,) = await app.stores.runs.list()
        ended = await resumed(app, run.id)

    assert (ended.outcome, desk.shop.rows()) == ("resolved", [("A-1001", "49.90")])
    # A reply is stored as soon as it is there: nobody is asked for it, or paid, a second time.
    assert len(desk.model.heard) == 3 - died_at


async def resumed(app: Any, run: str) -> Any:
    """The run, gone on with as soon as the dead worker's lease is over."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await app.resume(run)
            except RunBusy:
                await asyncio.sleep(0.1)


async def test_an_unbound_graph_has_no_models(tmp_path: Path) -> None:
    """Used without `bind`, a prompt body says what it lacks, in one sentence."""
    desk = Desk(tmp_path, [DONE])

    with pytest.raises(NotBound, match="agent returns works by a prompt, but no models are configured"):
        await desk.graph().compile().ainvoke({"request": {"text": "1"}})


class Steps(TypedDict, total=False):
    """State of a graph written by hand."""

    order: Any
    returns: Any
    returns_result: Any


@pytest.mark.parametrize(("said", "status"), [(DONE, "completed"), (GIVE_UP, "gave_up")])
async def test_a_prompt_body_is_a_node_like_any_other(tmp_path: Path, said: Said, status: str) -> None:
    """In a hand-written graph it has the same doors, and the next node sees how it ended."""
    desk = Desk(tmp_path, [said])
    seen: list[Any] = []

    async def end(state: Steps) -> Steps:
        seen.append(state)
        return {}

    steps: Any = StateGraph(Steps)
    steps.add_node("work", desk.agent.node("order", into="returns"))
    steps.add_node("end", end)
    steps.add_edge(START, "work")
    steps.add_edge("work", "end")
    steps.add_edge("end", END)

    async with bind(steps, settings=settings(tmp_path), models=desk.model, policy=desk.policy) as app:
        run = await app.run({"order": {"id": "A-1001", "total": "49.90"}})

    (state,) = seen
    assert run.state == "completed"
    assert state["returns_result"]["status"] == status
    assert state["returns"] == ({"order_id": "A-1001", "amount": "49.90"} if said is DONE else None)
