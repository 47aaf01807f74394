"""`interlock optimize`: looks for a better prompt of one agent; a person accepts it, or does not."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interlock.cli import options, project, terminal
from interlock.errors import BadInput

if TYPE_CHECKING:
    from interlock.evaluation.optimizing import Found


def optimize(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="An agent that works by a prompt.")],
    suite: Annotated[str, typer.Option("--suite", metavar="SUITE", help="The cases that say what is good.")],
    budget: Annotated[
        int, typer.Option("--budget", metavar="N", min=1, help="Cases that may be played while looking.")
    ] = 60,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed looks the same way.")] = 0,
    reflect: Annotated[
        str, typer.Option("--reflect", metavar="ROUTE", help="The model route that writes prompts.")
    ] = "reflection",
    graph: Annotated[
        str | None,
        typer.Option("--graph", metavar="GRAPH", help="The graph to play; by default the suite's own."),
    ] = None,
    script: Annotated[
        str, typer.Option("--script", metavar="PLACE", help="What answers it while no model is configured.")
    ] = "",
    out: Annotated[str | None, typer.Option("--out", metavar="FILE", help="Write the proposal here.")] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Look no further: put the proposal that is there into place.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Look for a better prompt of an agent, and propose it.

    The proposal is a new version beside the present prompt. The held-out cases say what it is worth. It
    takes the prompt's place only when you accept it.
    """
    from interlock.evaluation.cases import Suite
    from interlock.evaluation.models import models_for
    from interlock.evaluation.optimizing import Search
    from interlock.evaluation.optimizing import optimize as look
    from interlock.evaluation.proposals import Proposal
    from interlock.evaluation.swaps import agents_of, thinking_of
    from interlock.evaluation.variants import Variant

    settings = project.settings()
    read = Suite.read(suite, Path.cwd())
    variant = Variant(graph=graph or read.graph, script=script)
    prompt = thinking_of(agents_of(project.graph(variant.graph)), agent).prompt
    to = Path(out) if out else None
    if accept:
        figures = Proposal.beside(prompt, to).accept()
        if json:
            terminal.emit({"prompt": str(prompt), **figures.model_dump(mode="json")}, indent=2)
        else:
            terminal.say(f"{prompt.name} is replaced; the held-out cases gained {figures.gain:+.1%}.")
        return

    async def work() -> "Found":
        async with models_for(settings, read) as models:
            if models is None:
                raise BadInput(
                    f"no model is configured that could reflect: name one under [tool.interlock.models], as "
                    f"{reflect} or default, or set INTERLOCK_MODEL."
                )
            return await look(
                Search(read, Path.cwd(), variant, agent, prompt, models, reflect, budget, seed, to)
            )

    found = asyncio.run(work())
    if found.better:
        found.proposal.write(found.text, found.figures)
    if json:
        terminal.emit(_as_json(found, prompt), indent=2)
    else:
        terminal.say(*_lines(found, prompt))


def _lines(found: "Found", prompt: Path) -> list[str]:
    figures, used = found.figures, found.tally.reflection
    price = "an unknown price" if used.usd is None else f"{used.usd:.4f} USD"
    told = [
        f"{figures.plays} cases played, {found.tally.candidates} prompts proposed by the model "
        f"({used.tokens} tokens, {price}).",
        f"held-out score of {prompt.name}: {figures.held_out_before:.1%}",
    ]
    if not found.better:
        return [*told, "nothing better was found."]
    told += [f"held-out score of the proposal: {figures.held_out_after:.1%} ({figures.gain:+.1%})", ""]
    told += [*found.diff(), ""]
    if figures.refused:
        return [*told, f"{found.proposal.file.name} cannot be accepted: {figures.refused}."]
    return [
        *told,
        f"{found.proposal.file.name} is the proposal; the same command with --accept puts it into place.",
    ]


def _as_json(found: "Found", prompt: Path) -> dict[str, object]:
    return {
        "prompt": str(prompt),
        "proposal": str(found.proposal.file) if found.better else None,
        "refused": found.figures.refused or None,
        "gain": round(found.figures.gain, 4),
        "diff": found.diff(),
        **found.figures.model_dump(mode="json"),
    }
