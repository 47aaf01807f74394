"""What the inference gateway costs in process: a call through all of it, and the same call without."""

import itertools
from dataclasses import dataclass
from statistics import median
from time import monotonic
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from interlock.core.limits import Budget, Deadline, Limits
from interlock.core.models import ModelCall
from interlock.core.policy import Policy
from interlock.inference.chat import RoutedChat
from interlock.inference.gateway import ModelGateway
from interlock.inference.routes import Candidate
from interlock.orchestration.context import RunContext
from interlock.orchestration.doors import TaskDoors
from interlock.orchestration.local import LocalArtifacts, LocalLedger, LocalTools
from tests.bench.measure import cpu

CALLS = 50
WORDS = "how is the weather where the parcel is " * 25
"""About a thousand characters, as a question with some context has."""


class Echo(BaseChatModel):
    """A provider in this process that answers at once."""

    @property
    def _llm_type(self) -> str:
        return "echo"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        usage: Any = {"input_tokens": 250, "output_tokens": 10, "total_tokens": 260}
        said = AIMessage("a short reply", usage_metadata=usage, response_metadata={"finish_reason": "stop"})
        return ChatResult(generations=[ChatGeneration(message=said)])


@dataclass(frozen=True, slots=True)
class Inference:
    """Milliseconds of CPU per call, medians of the rounds of one run."""

    direct_ms: float
    """The provider's own chat model."""
    gateway_ms: float
    """What the gateway adds: routes, budget, checks, price."""
    door_ms: float
    """What gateway and door add: the journal and the record too."""
    chat_ms: float
    """What everything adds: gateway, door, and LangChain's interface on top."""


class _Works:
    """The same questions, asked in four ways; each asks so many of them in a row."""

    def __init__(self, gateway: ModelGateway, provider: Echo) -> None:
        self._gateway, self._provider = gateway, provider
        self._numbers = itertools.count()

    def _asked(self) -> str:
        return f"{next(self._numbers)} {WORDS}"

    async def direct(self) -> None:
        for _ in range(CALLS):
            await self._provider.ainvoke([HumanMessage(self._asked())])

    async def gateway(self) -> None:
        budget, deadline = Budget(Limits(), "bench"), Deadline.after(60, monotonic)
        for _ in range(CALLS):
            await self._gateway.reply(
                "default", ModelCall.of(self._asked()), budget=budget, deadline=deadline
            )

    async def door(self) -> None:
        doors = await _doors(self._gateway)
        for _ in range(CALLS):
            await doors.think(self._asked())

    async def chat(self) -> None:
        chat = RoutedChat("default", await _doors(self._gateway))
        for _ in range(CALLS):
            await chat.ainvoke([HumanMessage(self._asked())])


async def inference(*, rounds: int) -> Inference:
    """Takes turns: the provider alone, then with the gateway, the door and `RoutedChat` before it."""
    provider = Echo()
    async with ModelGateway({"default": [Candidate("echo", chat=provider)]}) as gateway:
        of = _Works(gateway, provider)
        works = {"direct": of.direct, "gateway": of.gateway, "door": of.door, "chat": of.chat}
        times = await cpu(works, rounds=rounds, runs=1)

    def added(to: str) -> float:
        pairs = zip(times[to].rounds, times["direct"].rounds, strict=True)
        return median(ours - theirs for ours, theirs in pairs) / CALLS * 1000

    alone = times["direct"].median / CALLS * 1000
    return Inference(alone, added("gateway"), added("door"), added("chat"))


async def _doors(gateway: ModelGateway) -> TaskDoors:
    """Doors of a task whose journal and record stay in memory; transactions are measured elsewhere."""
    context = RunContext.local("bench", LocalLedger(), LocalArtifacts(), LocalTools(Policy()))
    scope = context.desk("bench", "bench")
    await scope.open()
    return TaskDoors(scope, tools=context.tools, models=gateway, artifacts=context.artifacts)
