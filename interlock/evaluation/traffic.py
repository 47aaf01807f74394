"""What a run did with its tools and models, taken from its own record; no second tracer. Pure."""

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation

from pydantic import BaseModel

from interlock.core.canonical import Json, canonical
from interlock.core.journal import Entry
from interlock.observability.story import ModelCall, Story, ToolCall

SUPERVISOR = "supervisor"
"""Who calls what no agent does, such as the delivery."""
CYCLE = 4
"""The most calls that are looked at as one round of a cycle."""


class Called(BaseModel, frozen=True, extra="forbid"):
    """One call of a tool."""

    tool: str
    agent: str
    task: str = ""
    attempt: int = 0
    effect: bool = False
    state: str = "answered"
    """`answered` or `denied`; of an effect how far it came, such as `confirmed`."""
    arguments: Json = None
    answer: Json = None
    """Absent where it was too large to be recorded whole."""

    @property
    def same(self) -> bytes:
        """Equal for two calls of the same tool with the same arguments."""
        return canonical([self.tool, self.arguments])


class Cost(BaseModel, frozen=True, extra="forbid"):
    """What a run used."""

    model_calls: int = 0
    tool_calls: int = 0
    tokens: int = 0
    usd: Decimal | None = Decimal(0)
    """None where the price of a model is not known."""

    def plus(self, other: "Cost") -> "Cost":
        """The sum; an unknown price makes the sum unknown."""
        return Cost(
            model_calls=self.model_calls + other.model_calls,
            tool_calls=self.tool_calls + other.tool_calls,
            tokens=self.tokens + other.tokens,
            usd=None if self.usd is None or other.usd is None else self.usd + other.usd,
        )


class Made(BaseModel, frozen=True, extra="forbid"):
    """What an agent made of a task, in its last attempt."""

    agent: str
    status: str
    output: Json = None
    why: str = ""


def calls_of(story: Story) -> tuple[Called, ...]:
    """Every call of a tool, in the order in which they began."""
    found = [(call.after, _called(call, SUPERVISOR, "", 0)) for call in story.supervisor_tools]
    for task in story.tasks:
        for attempt in task.attempts:
            found += [
                (call.after, _called(call, attempt.agent, task.task, attempt.number))
                for call in attempt.tools
            ]
    return tuple(call for _, call in sorted(found, key=lambda each: each[0]))


def cost_of(story: Story) -> Cost:
    """What the run used, by its own record."""
    models = list(_models(story))
    prices = [_price(each) for each in models]
    known = [price for price in prices if price is not None]
    return Cost(
        model_calls=len(models),
        tool_calls=sum(call.state not in ("denied", "planned", "rejected") for call in calls_of(story)),
        tokens=sum((each.input_tokens or 0) + (each.output_tokens or 0) for each in models),
        usd=sum(known, Decimal(0)) if len(known) == len(prices) else None,
    )


def made_of(story: Story) -> tuple[Made, ...]:
    """What each task came to."""
    return tuple(
        Made(agent=last.agent, status=task.status, output=last.output, why=task.why or last.why)
        for task in story.tasks
        if task.attempts and (last := task.attempts[-1])
    )


def is_evidence(entry: Entry) -> bool:
    """What the gate takes for evidence: answers of tools and people that are no errors."""
    answered = entry.state in ("answered", "confirmed")
    return entry.kind in ("read", "effect", "answer") and answered and entry.error is None


def words_of(response: Json) -> str:
    """The texts of a response, where nobody says what its words are."""
    return "\n".join(_texts(response))


def loops(calls: Sequence[Called], repeats: int) -> list[str]:
    """Each loop as a sentence: one attempt of a task that makes the same call, or the same round, too often.

    Args:
        calls: In the order in which they were made.
        repeats: How often is not yet a loop.
    """
    attempts: dict[tuple[str, int], list[Called]] = {}
    for call in calls:
        attempts.setdefault((call.task, call.attempt), []).append(call)
    return [told for each in attempts.values() if (told := _loop(each, repeats))]


def _loop(calls: list[Called], repeats: int) -> str:
    same = [call.same for call in calls]
    for call in calls:
        if (count := same.count(call.same)) > repeats:
            return f"{call.agent} called {call.tool} {count} times with the same arguments"
    for length in range(2, CYCLE + 1):
        for start in range(len(calls) - length * (repeats + 1) + 1):
            round_ = [call.tool for call in calls[start : start + length]]
            ahead = [call.tool for call in calls[start : start + length * (repeats + 1)]]
            if len(set(round_)) > 1 and ahead == round_ * (repeats + 1):
                told = ", ".join(round_)
                return f"{calls[start].agent} went round {told} {repeats + 1} times"
    return ""


def _texts(value: Json) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def _called(call: ToolCall, agent: str, task: str, attempt: int) -> Called:
    return Called(
        tool=call.tool,
        agent=agent,
        task=task,
        attempt=attempt,
        effect=call.effect,
        state=call.state,
        arguments=call.arguments,
        answer=call.answer,
    )


def _models(story: Story) -> Iterator[ModelCall]:
    yield from story.supervisor_models
    for task in story.tasks:
        for attempt in task.attempts:
            yield from attempt.models


def _price(call: ModelCall) -> Decimal | None:
    try:
        return None if call.usd is None else Decimal(call.usd)
    except InvalidOperation:
        return None
