"""What each command may show: the table that says which faces are gated, and the test that holds it.

`gated`: its standard output carries only what the gate accepted, states, ids, and questions to people.
`record`: it shows a run's owner what was recorded, ungated results included. `project`: it shows no run.
"""

from typing import Literal, TypeAlias

Shows: TypeAlias = Literal["gated", "record", "project"]

FACES: dict[str, Shows] = {
    "new": "project",
    "run": "gated",
    "serve": "gated",
    "mcp": "gated",
    "runs list": "record",
    "runs show": "record",
    "runs cancel": "gated",
    "runs resume": "gated",
    "approvals list": "record",
    "approvals show": "record",
    "approvals approve": "gated",
    "approvals reject": "gated",
    "effects list": "record",
    "effects settle": "gated",
    "explain": "record",
    "audit verify": "record",
    "audit export": "record",
    "audit erase": "record",
    "graph": "project",
    "tools list": "project",
    "eval run": "record",
    "eval add": "record",
    "eval calibrate": "record",
    "eval compare": "record",
    "optimize": "record",
    "replay": "record",
    "doctor": "project",
}
