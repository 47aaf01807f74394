"""Existing LangGraph graphs as bodies: their questions become ours, whatever process answers them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration import foreign


def in_new_process(folder: Path, *words: str) -> dict[str, Any]:
    """One step in a process of its own."""
    command = [sys.executable, "-m", "tests.integration.foreign", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


async def test_questions_two_subgraphs_deep_are_answered_by_id_in_any_order(tmp_path: Path) -> None:
    """Questions surface with their path; answered by new processes in any order, nothing is repeated."""
    asked = await foreign.step(tmp_path, "start")
    hall, kitchen = (asked["questions"][f"Which colour for the {room}?"] for room in ("hall", "kitchen"))
    half = in_new_process(tmp_path, "answer", hall["id"], "blue")
    done = in_new_process(tmp_path, "answer", kitchen["id"], "red")

    assert asked["state"] == half["state"] == "waiting_for_approval"
    assert list(hall["path"]) == ["strand", "painter", "middle", "deep", "ask"]
    assert list(half["questions"]) == ["Which colour for the kitchen?"]
    assert (done["state"], done["response"]) == ("completed", {"text": "kitchen: red, hall: blue, swept"})
    log = (tmp_path / "log").read_text().split("\n")
    assert log.count("sweep") == 1
    assert log.count("prepare kitchen") == 1
    assert log.count("prepare hall") == 1
