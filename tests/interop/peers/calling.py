"""Runs a peer's own client once and writes what it got into a file: some clients print much themselves.

`python NAME_call.py URL MODE TEXT [ANSWER]`, with MODE `blocking`, `streaming` or `question`; or `cancel`,
whose ANSWER is the book in which the work says that it has started. The file has
`said` (the last words), `pieces` (how many arrived before the end), `question` and, of the exception that the
client raised, `error`.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass
class Heard:
    """What a client got."""

    said: str = ""
    pieces: int = 0
    question: str = ""
    error: str = ""


async def started(book: str, before: int) -> None:
    """Waits until the book says once more that work has started."""
    async with asyncio.timeout(60):
        while True:
            if starts(book) > before:
                return
            await asyncio.sleep(0.05)


def starts(book: str) -> int:
    """How often the book says that work has started."""
    path = Path(book)
    return path.read_text(encoding="utf-8").split().count("started") if path.exists() else 0


def call(client: Callable[[Heard, str, str, str, str], Awaitable[None]]) -> None:
    """Calls `client(heard, url, mode, text, answer)` and writes down what it put into `heard`."""
    heard = Heard()
    url, mode, text, answer = (*sys.argv[1:], "")[:4]
    try:
        asyncio.run(client(heard, url, mode, text, answer))
    except Exception as error:
        heard.error = f"{type(error).__name__}: {error}"
    Path(os.environ["PEER_HEARD"]).write_text(json.dumps(asdict(heard)), encoding="utf-8")
