"""A client of one framework calls a server of ours, whose one agent is that of another framework."""

from collections.abc import Callable, Generator

import pytest

from tests.interop.ours import Ours, ours
from tests.interop.processes import Served, calling

Serve = Callable[[str], Served]


@pytest.fixture(scope="module")
def between(served: Serve, tmp_path_factory: pytest.TempPathFactory) -> Generator[Ours]:
    """Our server, between a caller and google-adk."""
    folder = tmp_path_factory.mktemp("between")
    with ours(folder, "tests/interop/relay.py:graph", FAR_URL=served("adk").url) as serving:
        yield serving


def test_an_answer_comes_through_us(between: Ours) -> None:
    """From crewai on protocol 0.3 to google-adk on 1.0, and back."""
    heard = calling("crewai", between.url, "blocking", "hello there")

    assert (heard.said, heard.error) == ("adk heard: hello there", "")
    assert between.states()[-1] == ("completed", "resolved")


def test_a_question_comes_through_us_and_so_does_its_answer(between: Ours) -> None:
    """What google-adk asks, agent-framework's caller answers; ours waits in the database meanwhile."""
    heard = calling("agent_framework", between.url, "question", "approve pay 5", "yes")

    assert "May I pay 5?" in heard.question
    assert heard.said.startswith("approved: pay 5")
    assert between.states()[-1] == ("completed", "resolved")


async def test_a_cancel_comes_through_us(between: Ours, served: Serve) -> None:
    """The SDK's client beside beeai stops our run, and our run stops the model at google-adk."""
    far = served("adk")
    before = len(far.words())

    heard = calling("beeai", between.url, "cancel", "slow work", str(far.book), script="cancel_0_3.py")

    assert (heard.said, heard.error) == ("canceled", "")
    assert between.states()[-1][0] == "canceled"
    assert await far.until("stopped", before)
