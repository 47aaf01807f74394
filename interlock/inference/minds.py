"""Bodies that are prompts: a model works on a task, through the task's doors and nothing else.

The conversation runs as LangChain's agent without checkpoints of its own: run again, it starts from its
beginning, and the journal answers every question that was asked before, the model's replies included.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from interlock.core.agents import AnyAgent
from interlock.core.canonical import Json, plain
from interlock.core.doors import Doors
from interlock.core.journal import Entry, call_digest
from interlock.core.ports import Prompts
from interlock.core.prompts import Prompt
from interlock.core.scope import TaskScope

STEPS = 60
"""Supersteps of a conversation where the agent names no `max_steps`: thirty turns with tools."""
_BEGAN = "prompt"


@dataclass(frozen=True, slots=True)
class Beginning:
    """What an attempt began with, the same on every execution of it."""

    prompt: Prompt
    done: list[dict[str, Json]]
    """Effects of earlier attempts: tool and arguments."""


class PromptMinds:
    """The `Minds` port: every prompt body of a bound graph."""

    def __init__(
        self, *, prompts: Prompts | None = None, windows: Callable[[str], int | None] | None = None
    ) -> None:
        """Takes what configuration knows.

        Args:
            prompts: Where prompts come from before their files are used; None: from the files alone.
            windows: Tokens that a route's models take, where somebody knows.
        """
        self._prompts = prompts
        self._windows = windows

    async def work(self, agent: AnyAgent, inputs: Sequence[Any], doors: Doors, scope: TaskScope) -> object:
        """Lets the model work until it has a result, gives up, or may not go on; see the `Minds` port."""
        # LangChain's agents take a second to load, which only those pay who use them.
        from interlock.inference.answers import Unusable, result_of

        began = await self._begin(agent, scope)
        try:
            held = await self._converse(agent, inputs, doors, scope, began)
            return result_of(held)
        except Unusable as ended:
            return ended.came_to

    async def _converse(
        self, agent: AnyAgent, inputs: Sequence[Any], doors: Doors, scope: TaskScope, began: Beginning
    ) -> object:
        """What the conversation ended with."""
        from langchain.agents import create_agent  # pyright: ignore[reportUnknownVariableType]
        from langchain_core.messages import HumanMessage, SystemMessage

        from interlock.inference.answers import Answers
        from interlock.inference.chat import RoutedChat
        from interlock.inference.prompts import LOAD_SKILL, as_given, instructions, task
        from interlock.inference.skills import OFFER, reader
        from interlock.inference.toolbox import Calls, Toolbox

        assert agent.thinking is not None
        thinking, prompt = agent.thinking, began.prompt
        toolbox = Toolbox(agent.tools, doors)
        answers = Answers(agent.output, toolbox, agent.name, loops=scope.guards.loops)
        calls = Calls(toolbox, {LOAD_SKILL: reader(thinking.skills, scope)} if thinking.skills else {})
        given = as_given(inputs)
        messages: list[Any] = [HumanMessage(task(given, doors.feedback))]
        messages += await _repeated(began.done, toolbox)
        graph: Any = create_agent(
            RoutedChat(thinking.model, doors, prompt=prompt.label, reasoning=thinking.reasoning),
            tools=[*toolbox.functions, *([OFFER] if thinking.skills else [])],
            system_prompt=SystemMessage(instructions(prompt, given, thinking.skills)),
            middleware=[answers, calls, *self._fitting(thinking.model, prompt, scope, toolbox.changes)],
            response_format=answers.functions,
            checkpointer=False,
        )
        config: dict[str, Any] = {
            "recursion_limit": agent.max_steps or STEPS,
            # LangGraph 1.2 breaks where a graph that keeps no checkpoints inherits "sync" from the run.
            "configurable": {"__pregel_durability": "async"},
        }
        final = await graph.ainvoke({"messages": messages}, config, context=doors)
        return cast("Mapping[str, object]", final).get("structured_response")

    def _fitting(
        self, route: str, prompt: Prompt, scope: TaskScope, changes: Callable[[str], bool]
    ) -> list[Any]:
        """What every call passes on its way out: the prompt's options, and the model's window."""
        from interlock.inference.hints import Hints
        from interlock.inference.window import DEFAULT_WINDOW, Window

        known = self._windows(route) if self._windows else None
        tokens = min(each for each in (prompt.window, known or DEFAULT_WINDOW) if each is not None)
        hints = dict(prompt.hints)
        reply = hints.get("max_tokens")
        window = Window(tokens, scope, changes, reply_tokens=reply if isinstance(reply, int) else 0)
        return [*([Hints(hints)] if hints else []), window]

    async def _begin(self, agent: AnyAgent, scope: TaskScope) -> Beginning:
        """The prompt and what earlier attempts did, journaled: an execution of the attempt never differs."""
        assert agent.thinking is not None
        words = agent.thinking.words
        operation = f"prompt:{words.name}"
        slot = scope.journal.occurrence(call_digest(operation, None))
        known = scope.journal.recorded(slot)
        if known is None:
            prompt = await self._sourced(words)
            done = [{"tool": e.operation, "arguments": e.arguments} for e in _caused(scope)]
            answer: Json = plain({"text": prompt.text, "version": prompt.version, "done": done})
            known = scope.journal.put(
                Entry(
                    run=scope.run,
                    task=scope.task,
                    attempt=scope.attempt,
                    digest=slot.digest,
                    nth=slot.nth,
                    step=slot.step,
                    kind="prompt",
                    operation=operation,
                    arguments=None,
                    state="answered",
                    answer=answer,
                )
            )
        held = cast("dict[str, Any]", known.answer)
        prompt = Prompt(words.name, held["text"], held["version"], words.hints, words.window)
        return Beginning(prompt, held["done"])

    async def _sourced(self, words: Prompt) -> Prompt:
        if self._prompts is None:
            return words
        text, version = await self._prompts.text(words.name, words.text)
        return words if text == words.text and not version else words.other(text, version)


def _caused(scope: TaskScope) -> list[Entry]:
    """Effects of earlier attempts, in their order; a first attempt has none."""
    return sorted(scope.journal.unclaimed(), key=lambda e: e.position) if scope.attempt > 1 else []


async def _repeated(done: Sequence[Mapping[str, Json]], toolbox: Any) -> list[Any]:  # noqa: ANN401
    """What earlier attempts caused, asked for again and told to the model as done.

    The journal answers; nothing happens a second time. A later attempt's model would otherwise have to
    guess what it did before.
    """
    from langchain_core.messages import AIMessage, ToolMessage

    told: list[Any] = []
    for number, each in enumerate(done, 1):
        name = toolbox.name_of(str(each["tool"]))
        if name is None:
            continue  # granted by a pattern; the body has to ask for it itself
        arguments = cast("dict[str, Any]", each["arguments"])
        call = {"name": name, "args": arguments, "id": f"before-{number}", "type": "tool_call"}
        answer = await toolbox.call(name, arguments)
        told += [AIMessage("", tool_calls=[call]), ToolMessage(answer, tool_call_id=call["id"], name=name)]
    return told
