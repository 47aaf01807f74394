"""Prompt bodies whose model is out to be paid twice, or whose process dies in the middle."""

import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain.agents.middleware.types import ModelRequest, ModelResponse
from langchain_core.messages import AIMessage
from pydantic import TypeAdapter

from interlock.core.limits import Budget, Deadline
from interlock.core.models import ModelCall, ModelReply
from interlock.inference.answers import Answers
from interlock.inference.chat import RoutedChat
from interlock.inference.toolbox import Toolbox
from tests.desk import Refund, Shop
from tests.integration.test_model_bodies import DONE, Desk, bodies, many_payments
from tests.integration.test_model_crash import ROOT, resumed
from tests.prompts import Actor, Said

pytestmark = pytest.mark.long

SMALL: dict[str, Any] = {"order_id": "A-1001", "amount": "49.90"}
LARGE: dict[str, Any] = {"order_id": "A-1002", "amount": "250.00"}
CALL = "shop__pay_back"


class Namesakes(Actor):
    """Gives every call of a reply the same id."""

    name = "c"

    async def reply(
        self, route: str, call: ModelCall, *, budget: Budget, deadline: Deadline, heard: Any = None
    ) -> ModelReply:
        """Plays the next line, with ids that are none."""
        reply = await super().reply(route, call, budget=budget, deadline=deadline, heard=heard)
        alike = tuple(each.model_copy(update={"id": self.name}) for each in reply.requests)
        return reply.model_copy(update={"requests": alike})


@pytest.mark.parametrize("name", ["c", ""])
async def test_calls_of_one_id_are_told_apart(tmp_path: Path, name: str) -> None:
    """A failed call under a payment's id does not make the payment undone: it is not made again."""
    pay = many_payments(tmp_path)
    twice: list[Said] = [
        [("till__pay", {"amount": "5"}), ("till__pay", {"amount": "much"})],
        {"till__pay": {"amount": "5"}},
        DONE,
    ]
    desk = Desk(tmp_path, twice, tools=[pay])
    desk.policy.allow(desk.agent, pay)
    desk.model = Namesakes(twice)
    desk.model.name = name

    run, _ = await desk.run()

    assert (tmp_path / "till.txt").read_text().splitlines() == ["5"]
    assert run.outcome == "resolved"
    assert "this was done already" in str(desk.model.heard[2].messages[-1].content)


class Counting(Toolbox):
    """Counts how often a call is named."""

    named = 0

    def same(self, name: str, arguments: Any) -> str:
        """As it is, counted."""
        self.named += 1
        return super().same(name, arguments)


async def test_a_reply_of_many_calls_is_read_in_one_go(tmp_path: Path) -> None:
    """A thousand calls are named a thousand times, not once for each pair: other runs go on meanwhile."""
    toolbox = Counting([many_payments(tmp_path)], None)  # type: ignore[arg-type]
    calls: Any = [
        {"name": "till__pay", "args": {"amount": f"{n % 900}"}, "id": f"c{n}"} for n in range(1_000)
    ]

    async def handler(request: Any) -> Any:
        return ModelResponse(result=[AIMessage("", tool_calls=calls)])

    answers = Answers(TypeAdapter(Refund), toolbox, "payer")
    response: Any = await answers.awrap_model_call(ModelRequest(model=RoutedChat(), messages=[]), handler)

    assert toolbox.named == 1_000
    assert len(response.result) == 1 + 100  # the reply, and a refusal of each call that stands in it twice


@pytest.mark.parametrize("asks_first", [True, False])
async def test_an_effect_beside_one_that_needs_a_yes(tmp_path: Path, asks_first: bool) -> None:
    """One reply, two payments, one yes: each is made once, in whichever order the model named them."""
    desk = Desk(tmp_path, two_payments(asks_first))

    run, lines = await desk.run()

    assert run.outcome == "resolved" and len(desk.model.heard) == 2
    assert sorted(desk.shop.rows()) == [("A-1001", "49.90"), ("A-1002", "250.00")]
    assert bodies(lines, "body.diverged") == []


@pytest.mark.parametrize("text", ["[" * 60_000, '{"a":' * 60_000, "\ud83d"], ids=["list", "object", "half"])
async def test_words_that_nobody_can_read(tmp_path: Path, text: str) -> None:
    """They are corrected, or end as a failure in words of ours; the run goes on."""
    desk = Desk(tmp_path, [text, DONE])

    run, _ = await desk.run()

    assert run.state in ("completed", "failed") and "Error" not in run.reason


class DyingShop(Shop):
    """Its process is killed right after it paid more, or less, than a hundred."""

    large = False
    before = False

    def _pay_back(self) -> Callable[..., Awaitable[Refund]]:
        paid = super()._pay_back()

        async def pay_back(order_id: str, amount: Decimal, key: str = "") -> Refund:
            """Pays money back to the customer."""
            dies = (amount > 100) == self.large
            if dies and self.before:
                os.kill(os.getpid(), signal.SIGKILL)
            done = await paid(order_id, amount, key)
            if dies:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return pay_back


_DIES = """
import asyncio, sys
from pathlib import Path
from tests.integration import test_model_bodies, test_model_hostile as hostile
hostile.DyingShop.large, hostile.DyingShop.before = sys.argv[2] == "large", sys.argv[3] == "before"
test_model_bodies.Shop = hostile.DyingShop
asyncio.run(hostile.Desk(Path(sys.argv[1]), hostile.two_payments(sys.argv[4] == "first")).run())
"""


def two_payments(asks_first: bool) -> list[Said]:
    """One reply with a payment that needs a yes and one that does not; then the result."""
    calls: list[tuple[str, Any]] = [(CALL, LARGE), (CALL, SMALL)]
    return [calls if asks_first else calls[::-1], DONE]


@pytest.mark.parametrize(
    ("which", "when", "order"),
    [
        ("small", "before", "first"),
        ("small", "after", "second"),
        ("large", "before", "second"),
        ("large", "after", "first"),
    ],
)
async def test_a_process_that_dies_between_two_payments(
    tmp_path: Path, which: str, when: str, order: str
) -> None:
    """Killed before or after either of them reached the book: each stands in it once in the end."""
    done = subprocess.run(
        [sys.executable, "-c", _DIES, str(tmp_path), which, when, order],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    desk = Desk(tmp_path, [DONE])

    async with desk.app() as app:
        (run,) = await app.stores.runs.list()
        ended = await resumed(app, run.id)
        while ended.state in ("waiting_for_approval", "blocked"):
            for question in await app.questions(run.id):
                await app.answer(question.id, yes=True)
            ended = await app.resume(run.id)

    assert sorted(desk.shop.rows()) == [("A-1001", "49.90"), ("A-1002", "250.00")]
    assert (ended.outcome, len(desk.model.heard)) == ("resolved", 1)
