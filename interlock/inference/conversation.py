"""A model's work on one task: LangChain's agent, through the task's doors and nothing else.

It runs without checkpoints of its own: run again, it starts from its beginning, and the journal answers
every question that was asked before, the model's replies included.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from langchain.agents import create_agent  # pyright: ignore[reportUnknownVariableType] - an inner type is hidden
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from interlock.core.agents import AnyAgent
from interlock.core.canonical import Json
from interlock.core.doors import Doors
from interlock.core.scope import TaskScope
from interlock.inference.answers import Answers, Unusable, result_of
from interlock.inference.chat import RoutedChat
from interlock.inference.hints import Hints
from interlock.inference.minds import Beginning
from interlock.inference.prompts import LOAD_SKILL, as_given, instructions, task
from interlock.inference.skills import OFFER, reader
from interlock.inference.toolbox import Calls, Toolbox, as_message
from interlock.inference.window import Window

STEPS = 60
"""Supersteps of a conversation where the agent names no `max_steps`: thirty turns with tools."""


async def converse(
    agent: AnyAgent, inputs: Sequence[Any], doors: Doors, scope: TaskScope, began: Beginning, window: int
) -> object:
    """What the model comes to: a result, giving up, or what the body returns where it comes to nothing."""
    assert agent.thinking is not None
    thinking, prompt = agent.thinking, began.prompt
    toolbox = Toolbox(agent.tools, doors)
    answers = Answers(agent.output, toolbox, agent.name, loops=scope.guards.loops)
    skills = {LOAD_SKILL: reader(thinking.skills, scope)} if thinking.skills else {}
    reply = dict(prompt.hints).get("max_tokens")
    room = Window(window, scope, toolbox.changes, reply_tokens=reply if isinstance(reply, int) else 0)
    given = as_given(inputs)
    graph: Any = create_agent(
        RoutedChat(thinking.model, doors, prompt=prompt.label, reasoning=thinking.reasoning),
        tools=[*toolbox.functions, *([OFFER] if skills else [])],
        system_prompt=SystemMessage(instructions(prompt, given, thinking.skills)),
        middleware=[answers, Calls(toolbox, skills), Hints(dict(prompt.hints)), room],
        response_format=answers.functions,
        checkpointer=False,
    )
    config: dict[str, Any] = {
        "recursion_limit": agent.max_steps or STEPS,
        # LangGraph 1.2 breaks where a graph that keeps no checkpoints inherits "sync" from the run.
        "configurable": {"__pregel_durability": "async"},
    }
    messages = [HumanMessage(task(given, doors.feedback)), *await _repeated(began.done, toolbox)]
    try:
        final = await graph.ainvoke({"messages": messages}, config, context=doors)
        return result_of(cast("Mapping[str, object]", final).get("structured_response"))
    except Unusable as ended:
        return ended.came_to


async def _repeated(done: Sequence[Mapping[str, Json]], toolbox: Toolbox) -> list[BaseMessage]:
    """What earlier attempts caused, asked for again and told to the model as done.

    The journal answers; nothing happens a second time. A later attempt's model would otherwise have to
    guess what it did before.
    """
    told: list[BaseMessage] = []
    for number, each in enumerate(done, 1):
        name = toolbox.name_of(str(each["tool"]))
        if name is None:
            continue  # granted by a pattern; the body has to ask for it itself
        arguments, call = cast("dict[str, Any]", each["arguments"]), f"before-{number}"
        answer = await toolbox.call(name, arguments)
        told.append(AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": call}]))
        told.append(as_message(answer, name, call))
    return told
