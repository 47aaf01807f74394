"""A graph served over A2A as `langgraph dev` serves it."""

import json
import os
import threading
import time
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path

from langgraph_api.cli import run_server
from serving import free


def told(port: int) -> None:
    """Prints the ready line once the server answers."""
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ok", timeout=1):
                break
        except OSError:
            time.sleep(0.1)
    print(json.dumps({"ready": port, "version": version("langgraph-api")}), flush=True)


if __name__ == "__main__":
    with free() as bound:
        chosen = bound.getsockname()[1]  # the server binds it itself, a moment later
    graph = Path(__file__).with_name("langgraph_api_graph.py")
    os.chdir(os.environ["HOME"])  # it keeps its state where it was started
    threading.Thread(target=told, args=(chosen,), daemon=True).start()
    run_server(
        "127.0.0.1",
        chosen,
        reload=False,
        graphs={"listener": f"{graph}:graph"},
        open_browser=False,
    )
