"""Reads what `pyright --verifytypes --outputjson` found and fails on every symbol whose type is not complete.

One thing cannot be known: LangGraph ships its graph module without type information, and the graph
that `Supervisor.build` returns is one of its graphs.
"""

import json
import sys
from typing import Any

_SUPERVISOR = "interlock.orchestration.supervisor"
LANGGRAPH = frozenset(
    {
        f"{_SUPERVISOR}.SupervisorGraph",
        f"{_SUPERVISOR}.Supervisor.build",
        f"{_SUPERVISOR}.Supervisor",
        f"{_SUPERVISOR}.Supervisor.agent",
        "interlock.Supervisor",
        "interlock.bootstrap.offers.offer_of",
        "interlock.bootstrap.programs.supervised",
        "interlock.orchestration.alone.LoneAgent",
        "interlock.orchestration.alone.alone",
        "interlock.orchestration.drawing.costs",
        "interlock.orchestration.nested.SupervisedAgent",
        "interlock.orchestration.nested.SupervisedAgent.__init__",
    }
)
"""That graph, and what inherits from it what cannot be known: its maker, and who takes the maker."""


def incomplete(report: dict[str, Any]) -> list[str]:
    """The names of exported symbols whose type is not wholly known, without those above."""
    symbols: list[dict[str, Any]] = report["typeCompleteness"]["symbols"]
    open_ones = [s for s in symbols if s["isExported"] and (not s["isTypeKnown"] or s["isTypeAmbiguous"])]
    return sorted({s["name"] for s in open_ones} - LANGGRAPH)


if __name__ == "__main__":
    left = incomplete(json.load(sys.stdin))
    print("\n".join(left) if left else "every exported type is known")
    sys.exit(1 if left else 0)
