"""The graph that `langgraph dev` serves: it hears what it is told."""

from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages


class State(TypedDict):
    """What has been said."""

    messages: Annotated[list[Any], add_messages]


def listen(state: State) -> dict[str, Any]:
    """Answers the last message."""
    said = state["messages"][-1].content
    text = said if isinstance(said, str) else "".join(each.get("text", "") for each in said)
    return {"messages": [("assistant", f"langgraph-api heard: {text}")]}


graph = (
    StateGraph(State).add_node("listen", listen).add_edge(START, "listen").add_edge("listen", END).compile()
)
