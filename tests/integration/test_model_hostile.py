"""Prompt bodies whose model is out to be paid twice, or whose process dies in the middle."""

from pathlib import Path
from typing import Any

import pytest

from interlock.core.limits import Budget, Deadline
from interlock.core.models import ModelCall, ModelReply
from tests.integration.test_model_bodies import DONE, Desk, bodies, many_payments
from tests.prompts import Actor, Said

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


@pytest.mark.parametrize("asks_first", [True, False])
async def test_an_effect_beside_one_that_needs_a_yes(tmp_path: Path, asks_first: bool) -> None:
    """One reply, two payments, one yes: each is made once, in whichever order the model named them."""
    calls: list[tuple[str, Any]] = [(CALL, LARGE), (CALL, SMALL)]
    desk = Desk(tmp_path, [calls if asks_first else calls[::-1], DONE])

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
