"""Places of graphs and agents in a project: `path/to/file.py:name`, as `langgraph.json` writes them."""

import posixpath


def is_place(name: str) -> bool:
    """Says whether a name is a place, rather than the name of a registered graph."""
    file, _, attribute = name.rpartition(":")
    return file.endswith(".py") and attribute.isidentifier()


def normal(place: str) -> str:
    """The one spelling of a place: `./agents/../agents/orders.py:orders` is `agents/orders.py:orders`."""
    file, _, attribute = place.rpartition(":")
    return f"{posixpath.normpath(file)}:{attribute}"
