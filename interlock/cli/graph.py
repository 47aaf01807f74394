"""`interlock graph` and `interlock tools`: what a graph is, may do, and can cost, before it runs."""

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from interlock.cli import options, project, terminal
from interlock.errors import BadInput

if TYPE_CHECKING:
    from interlock.core.policy import Policy
    from interlock.core.tools import Granted
    from interlock.orchestration.supervisor import Supervisor

tools: typer.Typer = typer.Typer(help="Look at the tools of a graph.")


def graph(
    name: options.Graph,
    xray: Annotated[bool, typer.Option("--xray", help="Open the crew and the graphs of agents.")] = False,
    json: options.Json = False,
) -> None:
    """Draw a graph in Mermaid, with its worst case.

    The numbers are the most that each rule's plan can cost, for the examples it is meant for.
    """
    from interlock.orchestration.drawing import mermaid

    project.settings()
    made = project.graph(name)
    with terminal.apart():
        drawn = mermaid(made, xray=xray)
        rows = _costs(made)
    supervisor = _supervisor(made)
    limits = supervisor.limits.model_dump(mode="json") if supervisor else None
    if json:
        version = supervisor.version if supervisor else None
        terminal.emit(
            {"graph": name, "version": version, "mermaid": drawn, "limits": limits, "worst_case": rows},
            indent=2,
        )
        return
    terminal.say(drawn.rstrip())
    if supervisor is None:
        terminal.tell("This graph has no supervisor, so what its plans can cost is not known beforehand.")
        return
    terminal.say("", "%% The most that each rule's plan can cost, for the examples it is meant for:")
    columns = ("route", "hops", "tool calls", "model calls", "tokens", "USD", "seconds", "tasks")
    keys = ("hops", "tool_calls", "model_calls", "tokens", "usd", "seconds")
    shown = [(r["route"], *(_bound(r[key]) for key in keys), ", ".join(r["tasks"])) for r in rows]
    terminal.table(columns, shown, before="%% ")
    whole = ", ".join(
        f"{what.replace('_', ' ')} {most}" for what, most in (limits or {}).items() if most is not None
    )
    terminal.say(f"%% A whole run is cut off at: {whole}.")


@tools.command("list")
def list_(name: options.Graph, json: options.Json = False) -> None:
    """List who has which tool of a graph.

    It says what each tool changes, and what the policy says about it.
    """
    project.settings()
    supervisor = _supervisor(project.graph(name))
    if supervisor is None:
        raise BadInput(f"graph {name!r} is written by hand: its tools are where its agents are declared.")
    found = _tools(supervisor)
    if json:
        terminal.emit(found, indent=2)
    elif not found:
        terminal.say(f"No agent of {name} was granted a tool.")
    else:
        rows = [(t["tool"], t["agent"], t["effect"], t["key"], "; ".join(t["rules"])) for t in found]
        terminal.table(("tool", "agent", "changes the world", "key", "policy"), rows)


def _supervisor(made: object) -> "Supervisor[Any, Any] | None":
    return cast("Supervisor[Any, Any] | None", getattr(made, "supervisor", None))


def _costs(made: object) -> list[dict[str, Any]]:
    from interlock.orchestration.drawing import costs

    supervisor = _supervisor(made)
    return [
        {
            "route": each.route,
            "about": each.about,
            "tasks": [task.id for task in each.plan.tasks],
            **each.most.model_dump(mode="json"),
        }
        for each in (costs(supervisor) if supervisor else [])
    ]


def _bound(most: object) -> str:
    if most is None:
        return "no cap"
    return f"{most:g}" if isinstance(most, float) else str(most)


def _tools(supervisor: "Supervisor[Any, Any]") -> list[dict[str, Any]]:
    from interlock.core.tools import Tool, named

    found: list[dict[str, Any]] = []
    for agent in supervisor.agents.values():
        for granted in agent.tools:
            known = granted if isinstance(granted, Tool) else None
            effect = None if known is None else known.effect == "once"
            found.append(
                {
                    "tool": named(granted),
                    "agent": agent.name,
                    "description": known.description.partition("\n")[0] if known else "",
                    "effect": {None: "not known", True: "yes", False: "no"}[effect],
                    "key": known.key if known else None,
                    "rules": _rules(supervisor.policy, agent.name, granted),
                }
            )
    return found


def _rules(policy: "Policy", agent: str, granted: "Granted") -> list[str]:
    """The rules about a tool, in the order in which they are asked."""
    from interlock.core.tools import matches, named

    name = named(granted)
    about = [
        rule
        for rule in policy
        if rule.agent in ("*", agent)
        and (matches(rule.tool, name) or (isinstance(granted, str) and matches(granted, named(rule.tool))))
    ]
    return [rule.reason for rule in about] or ["no rule: denied"]
