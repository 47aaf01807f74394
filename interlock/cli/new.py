"""`interlock new`: makes a project."""

from pathlib import Path
from typing import Annotated

import typer

from interlock.cli import options, terminal


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new folder.")],
    example: Annotated[
        str | None, typer.Option(metavar="EXAMPLE", help="Start from an example instead: support.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Make a new project, the smallest that is complete.

    It has two agents, a tool server, a policy and a test. With --example support it is the support desk of an
    online shop.
    """
    from interlock import scaffold

    made = scaffold.new(Path(name), example)
    if json:
        terminal.emit({"project": name, "files": made}, indent=2)
        return
    graph = example or "desk"
    terminal.say(
        f"Made {name}: {', '.join(made)}",
        "",
        f"  cd {name}",
        f"  interlock run {graph} --input ticket.json",
        *(["  pytest"] if example is None else [f"  interlock graph {graph} --xray"]),
    )
