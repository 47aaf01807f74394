"""A tool server on stdio that writes down what came beside its calls: `... traced_server BOOK`."""

import json
import sys
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver import Context

server = MCPServer("traced")
BOOK = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("traced.jsonl")


def _note(tool: str, context: Context) -> None:
    with BOOK.open("a") as book:
        book.write(json.dumps({"tool": tool, "meta": dict(context.request_context.meta or {})}) + "\n")


@server.tool()
def look(what: str, context: Context) -> str:
    """Reads something."""
    _note("look", context)
    return f"{what} is there"


@server.tool()
def change(what: str, context: Context, key: str = "") -> str:
    """Changes something."""
    _note("change", context)
    return f"{what} is changed"


if __name__ == "__main__":
    server.run("stdio")
