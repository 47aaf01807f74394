"""The support desk's cases under plain pytest: `pytest evals/support`. Copy it for a suite of your own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.evaluation.cases import Suite
from interlock.evaluation.metrics import ExactOutcome, assert_test, deepeval_case, metrics_of
from interlock.evaluation.player import Player

PROJECT = Path(__file__).resolve().parents[2]
SUITE = Suite.read("support", PROJECT)


@pytest.fixture(scope="module")
def desk() -> Iterator[Player]:
    """The desk in a process of its own; each case gets a fresh shop."""
    with Player(SUITE, PROJECT) as player:
        yield player


@pytest.mark.parametrize("name", [case.id for case in SUITE.cases["development"]])
def test_case(name: str, desk: Player) -> None:
    """A ticket comes to what it must, with the right tools, without a loop, and with nothing made up."""
    case, result = desk.play(name)

    metrics = [ExactOutcome(), *metrics_of(case, SUITE.settings.metrics).values()]
    assert_test(deepeval_case(case, result), metrics, run_async=False)
