"""Runs a peer's own client once and prints what it got as one line of JSON.

`python NAME_call.py URL MODE TEXT [ANSWER]`, with MODE `blocking`, `streaming` or `question`. The line has
`said` (the last words), `pieces` (how many arrived before the end), `question` and, of the exception that the
client raised, `error`.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass


@dataclass
class Heard:
    """What a client got."""

    said: str = ""
    pieces: int = 0
    question: str = ""
    error: str = ""


def call(client: Callable[[Heard, str, str, str, str], Awaitable[None]]) -> None:
    """Calls `client(heard, url, mode, text, answer)` and tells what it put into `heard`."""
    heard = Heard()
    url, mode, text, answer = (*sys.argv[1:], "")[:4]
    try:
        asyncio.run(client(heard, url, mode, text, answer))
    except Exception as error:
        heard.error = f"{type(error).__name__}: {error}"
    print(json.dumps({"heard": asdict(heard)}), flush=True)
