"""The carrier: where parcels are. A server in a process of its own, slow at times and out of reach at others.

The desk starts it (`python -m tools.carrier --stdio`), or finds it at `CARRIER_URL`
(`python -m tools.carrier --port 0` prints the URL).
"""

import argparse
import asyncio
import os
import socket
import sys
from datetime import date
from typing import Any, Literal

import uvicorn
from pydantic import BaseModel

from interlock import ToolServer
from interlock.errors import ToolFailed
from tools.books import book, environment

SLOW_S = 1.5
URL = os.environ.get("CARRIER_URL", "")


class Parcel(BaseModel):
    """A parcel as the carrier sees it."""

    tracking: str
    status: Literal["in_transit", "delivered", "returning", "lost"]
    last_scan: date
    place: str
    """Where it was scanned last."""


class Carrier(ToolServer):
    """The carrier as the desk reaches it: the process it starts opens the books that are open now."""

    def target(self) -> Any:  # noqa: ANN401
        """What an MCP client connects to."""
        self.env = environment()
        return super().target()


carrier = (
    Carrier.http("carrier", URL)
    if URL
    else Carrier.stdio("carrier", [sys.executable, "-m", "tools.carrier", "--stdio"])
)


@carrier.tool(effect="none", timeout_s=10)
async def track(number: str) -> Parcel:
    """Where a parcel is, by its tracking number.

    Raises:
        ToolFailed: the carrier has no such parcel, or its depot cannot be reached.
    """
    with book("carrier") as db:
        row = db.execute("SELECT * FROM parcels WHERE tracking = ?", (number,)).fetchone()
    if row is None:
        raise ToolFailed(f"the carrier has no parcel {number!r}.")
    if row["weather"] == "down":
        raise ToolFailed("503: the depot cannot be reached.")
    if row["weather"] == "slow":
        await asyncio.sleep(SLOW_S)
    return Parcel(**{name: row[name] for name in Parcel.model_fields})


async def serve(port: int) -> None:
    """Serves over streamable HTTP on loopback; port 0 takes a free one. The first line printed is the URL."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        print(f"carrier ready http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
        app = carrier.mcp_server().streamable_http_app()
        await uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve(sockets=[listener])


def main() -> None:
    """Runs `python -m tools.carrier`."""
    parser = argparse.ArgumentParser(prog="python -m tools.carrier", description="The carrier's MCP server.")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--port", type=int, help="serve HTTP on this port of loopback; 0 takes a free one")
    way.add_argument("--stdio", action="store_true", help="serve on standard input and output")
    chosen = parser.parse_args()
    asyncio.run(carrier.mcp_server().run_stdio_async() if chosen.stdio else serve(chosen.port))


if __name__ == "__main__":
    main()
