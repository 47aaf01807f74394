"""Refuses to resume a run at a node that no longer exists: LangGraph would end it in silence.

The names of LangGraph's channels used here are private to it; a test holds them.
"""

from typing import Any, cast

_BRANCH = "branch:to:"
_SENDS = "__pregel_tasks"


async def unknown_nodes(app: Any, config: dict[str, Any]) -> set[str]:  # noqa: ANN401
    """The nodes a stored run would go to next and the graph does not have."""
    thread = {"configurable": {"thread_id": config["configurable"]["thread_id"]}}
    newest: dict[str, Any] = {}
    async for stored in app.checkpointer.alist(thread):
        newest.setdefault(stored.config["configurable"].get("checkpoint_ns", ""), stored)
    known: dict[str, set[str]] = {"": set(app.nodes)}
    for name, subgraph in app.get_subgraphs(recurse=True):
        known[name] = set(subgraph.nodes)
    missing: set[str] = set()
    for namespace, stored in newest.items():
        name = "|".join(part.partition(":")[0] for part in namespace.split("|")) if namespace else ""
        if name in known:
            missing |= _pending(stored) - known[name]
    return missing


def _pending(stored: Any) -> set[str]:  # noqa: ANN401
    values = stored.checkpoint["channel_values"]
    branches = {key.removeprefix(_BRANCH) for key in values if key.startswith(_BRANCH)}
    return branches | {str(send.node) for send in cast("list[Any]", values.get(_SENDS) or [])}
