"""An agent is what its annotations, words and code say, and is known by all of it."""

import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from interlock.core.agents import Agent, AnyAgent
from interlock.core.doors import Doors
from interlock.core.limits import AGENT_LIMITS, Limits
from interlock.core.results import Completed, Degraded, GaveUp
from interlock.core.tools import describe
from interlock.errors import BuildError


class Order(BaseModel):
    """An order."""

    id: str


async def look_up(email: str, doors: Doors) -> Order | Degraded[Order] | GaveUp:
    """Finds an order."""
    return Order(id=email)


async def guess(email: str, doors: Doors) -> Completed[Order]:
    """Guesses an order."""
    return Completed(output=Order(id=email))


async def refund(order: str, amount: Decimal) -> bool:
    """Pays money back."""
    return bool(order and amount)


async def status(order: str) -> str:
    """Where an order is."""
    return order


REFUND = describe(refund, server="pay", effect="once")
STATUS = describe(status, server="shop")


def agent(run: Any = look_up, **changes: Any) -> AnyAgent:
    """An agent that finds orders."""
    parts: dict[str, Any] = {"name": "orders", "description": "Finds an order.", "run": run, **changes}
    return Agent(**parts)


def test_shape_comes_from_the_annotations() -> None:
    """Inputs without the doors, and the output without the words for results."""
    assert agent().inputs == {"email": str}
    assert agent().returns is agent(guess).returns is Order
    assert repr(agent()) == "<agent orders(str)>"


def test_graph_takes_its_shape_from_write_and_read() -> None:
    """A graph's inputs are those of `write`, its output is that of `read`."""

    def write(email: str, lines: int) -> dict[str, Any]:
        return {"email": email, "lines": lines}

    def read(state: Any) -> Order | GaveUp:
        return Order(id=state["email"])

    made: AnyAgent = Agent("orders", "Finds.", graph=object(), write=write, read=read)

    assert (made.inputs, made.returns) == ({"email": str, "lines": int}, Order)


async def no_input_type(email, doors: Doors) -> Order:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Says nothing of its input."""
    return Order(id=email)


async def no_output_type(email: str, doors: Doors):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Says nothing of its output."""
    return Order(id=email)


async def unknown_type(email: "Nowhere", doors: Doors) -> Order:  # type: ignore[name-defined]  # noqa: F821
    """Names a type that is not there."""
    return Order(id="x")


async def no_doors() -> Order:
    """Takes nothing at all."""
    return Order(id="x")


def not_async(email: str, doors: Doors) -> Order:
    """Cannot wait."""
    return Order(id=email)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"run": no_input_type}, "agent orders: no_input_type needs a type annotation for email"),
        ({"run": no_output_type}, "agent orders: no_output_type needs a type annotation for return"),
        ({"run": unknown_type}, "agent orders: an annotation of unknown_type"),
        ({"run": no_doors}, "`run` must be `async def body"),
        ({"run": not_async}, "`run` must be `async def body"),
        ({"run": None}, "agent orders needs a body"),
        ({"run": None, "graph": object()}, "agent orders needs a body"),
        ({"name": "Orders"}, "'Orders' is not an agent's name"),
        ({"name": "or ders"}, "'or ders' is not an agent's name"),
        ({"name": "o" * 41}, "is not an agent's name"),
        ({"attempts": 0}, "`attempts` and `max_activations` are at least 1"),
        ({"max_activations": 0}, "`attempts` and `max_activations` are at least 1"),
    ],
)
def test_wrong_definition_is_refused(changes: dict[str, Any], sentence: str) -> None:
    """What is missing or out of bounds is named when the agent is made."""
    with pytest.raises(BuildError) as refused:
        agent(**changes)

    assert sentence in refused.value.message


async def counted(email: str, doors: Doors) -> int:
    """Returns something else."""
    return len(email)


def test_fallback_is_one_step() -> None:
    """A fallback of a fallback is refused: the bound is one step."""
    second = agent(name="second", fallback=agent(name="third"))

    with pytest.raises(BuildError, match="its fallback second has a fallback; one step is the bound"):
        agent(fallback=second)


def test_fallback_has_the_same_shape() -> None:
    """Whoever reads the output must not notice who made it."""
    with pytest.raises(BuildError, match="its fallback counted takes or returns something else"):
        agent(fallback=agent(counted, name="counted"))


@pytest.mark.parametrize(
    ("mine", "other", "who"), [([REFUND], [], "orders"), ([], [STATUS, REFUND], "simple")]
)
def test_effects_take_no_part_in_a_fallback(mine: list[Any], other: list[Any], who: str) -> None:
    """An effect that may have happened is not tried another way, whichever of the two has it."""
    with pytest.raises(BuildError, match=f"agent {who} has effects \\(pay/refund\\) and cannot take part"):
        agent(tools=mine, fallback=agent(guess, name="simple", tools=other))


def test_reading_fallback_is_fine() -> None:
    """Two agents that only read may stand in for each other."""
    assert agent(tools=[STATUS], fallback=agent(guess, name="simple", tools=["crm/*"])).fallback is not None


def from_abroad(request: Any) -> bool:
    """Orders from abroad."""
    return request["country"] != "DE"


@pytest.mark.parametrize(
    ("topic", "text", "refused"),
    [
        ("exchanges", "I want an exchange.", True),
        ("exchange", "No more Exchanges!", True),
        ("gift card", "my gift\ncards are gone", True),
        ("address", "new addresses", True),
        ("policies", "your policy", True),
        ("boxes", "the box", True),
        ("press", "I am from the press", True),
        ("car", "customer care", False),
        ("gift card", "a gift of a card", False),
        ("change", "an exchange", False),
        ("tax", "taxi", False),
        ("Größe", "falsche GRÖSSE", True),
    ],
)
def test_topic_is_found_as_words(topic: str, text: str, refused: bool) -> None:
    """Whole words in a row, in singular or plural, whatever their case."""
    assert agent(not_for=["legal", topic]).refuses({}, text) == (topic if refused else None)


def test_rule_refuses_with_its_docstring() -> None:
    """A rule looks at the request itself; the reason is what its docstring says first."""
    strict = agent(not_for=["exchanges", from_abroad])

    assert strict.refuses({"country": "FR"}, "lost") == "Orders from abroad."
    assert strict.refuses({"country": "DE"}, "lost") is None


def over(limit: int) -> Callable[[Any], bool]:
    """A rule made for a limit."""
    return lambda request: request["amount"] > limit


def test_version_changes_with_words_and_code() -> None:
    """Name, description, schema, grants, refusals, limits and every constant of the code count."""

    async def other_type(email: str, doors: Doors) -> str:
        return email

    async def one(email: str, doors: Doors) -> Order:
        return Order(id="one")

    async def two(email: str, doors: Doors) -> Order:
        return Order(id="two")

    versions = [
        agent().version,
        agent(name="other").version,
        agent(description="Seeks an order.").version,
        agent(other_type).version,
        agent(one).version,
        agent(two).version,
        agent(tools=[STATUS]).version,
        agent(tools=["shop/*"]).version,
        agent(not_for=["press"]).version,
        agent(not_for=[over(1)]).version,
        agent(not_for=[over(2)]).version,
        agent(limits=Limits(seconds=1)).version,
    ]

    assert len(set(versions)) == len(versions)
    assert agent().version == versions[0]


def test_version_is_the_same_in_every_process() -> None:
    """An agent that has not changed has the same version after a restart."""
    program = (
        "from interlock.core.agents import Agent\nfrom interlock.core.doors import Doors\n"
        "async def body(a: str, doors: Doors) -> str:\n"
        "    return a if a in {'ada', 'bob', 'cleo'} and all(x for x in a) else ''\n"
        "print(Agent('x', 'X.', run=body, not_for=[lambda r: any(p in {'a', 'b'} for p in r)]).version)"
    )

    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(found) == 1


def test_agent_without_limits_still_ends() -> None:
    """Nobody gets endless time: the default caps hold where none are declared."""
    assert agent().limits == AGENT_LIMITS
    assert agent(limits=Limits(tool_calls=3)).limits.seconds == AGENT_LIMITS.seconds
