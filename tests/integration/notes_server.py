"""A tool server on stdio, as others write them: `python -m tests.integration.notes_server BOOK`."""

import sys
from pathlib import Path

from mcp.server import MCPServer

server = MCPServer("notes")
BOOK = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("notes.txt")


@server.tool()
def add_note(text: str) -> dict[str, str]:
    """Adds a line to the book."""
    with BOOK.open("a") as book:
        book.write(text + "\n")
    return {"added": text}


@server.tool()
def all_notes() -> list[str]:
    """Every line of the book."""
    return BOOK.read_text().splitlines() if BOOK.exists() else []


@server.tool()
def leave() -> str:
    """Ends the process in the middle of the call."""
    print("a server's own words", file=sys.stderr)
    sys.stderr.flush()
    import os

    os._exit(3)


if __name__ == "__main__":
    server.run("stdio")
