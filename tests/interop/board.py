"""What was seen between Interlock and its peers: noted by the tests, rendered as the table of the docs."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.interop.environments import ROOT

SEEN = Path(os.environ.get("INTERLOCK_INTEROP_SEEN") or ROOT / ".interlock" / "interop.json")
PAGE = ROOT / "docs" / "interop.md"
DEEDS = ("blocking", "streaming", "question", "cancel")
DIRECTIONS = {"serves": "serves, Interlock calls", "calls": "calls, Interlock serves"}


@dataclass(frozen=True)
class Peer:
    """A framework whose agents speak A2A."""

    name: str
    distribution: str
    protocol: str


PEERS = (
    Peer("adk", "google-adk", "1.0"),
    Peer("agent_framework", "agent-framework-a2a", "1.0"),
    Peer("crewai", "crewai", "0.3"),
    Peer("strands", "strands-agents", "0.3"),
    Peer("beeai", "beeai-framework", "0.3"),
)
Seen = dict[str, str]


def versions(peer: str) -> dict[str, str]:
    """What the peer's environment pins: distribution -> version."""
    lines = (Path(__file__).parent / "peers" / f"{peer}.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def read() -> Seen:
    """What was seen so far: `peer direction deed` -> words."""
    return json.loads(SEEN.read_text(encoding="utf-8")) if SEEN.exists() else {}


def note(peer: str, direction: str, deed: str, words: str) -> None:
    """Writes down what was just seen; the tests call it after their assertions."""
    SEEN.parent.mkdir(parents=True, exist_ok=True)
    SEEN.write_text(json.dumps({**read(), f"{peer} {direction} {deed}": words}, indent=2), encoding="utf-8")


def table(seen: Mapping[str, str]) -> str:
    """The table, in Markdown; what was not seen is a dash."""
    lines = [
        "| peer | version | protocol | direction | blocking | streaming | question | cancel |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for peer in PEERS:
        version = versions(peer.name)[peer.distribution]
        for direction, told in DIRECTIONS.items():
            cells = [seen.get(f"{peer.name} {direction} {deed}", "-") for deed in DEEDS]
            row = [peer.distribution, version, peer.protocol, told, *cells]
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(read()))
