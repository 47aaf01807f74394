"""Act 4: the story of one run, told from its record alone."""

from graphs.demo.desk import FOLDER, Case
from graphs.demo.stage import Stage, settings
from interlock.bootstrap import Stores
from interlock.observability.explain import explain
from interlock.observability.narrate import narrate

TICKET = "T-011"
LEFT_OUT = ("was tried and does not apply", "It was given ", "Between being ready", " works on ")
"""Sentences that the demo leaves out, so that the story fits a screen."""
CHAPTERS = ("What was asked", "How it ended", "What the supervisor did itself")
"""Chapters that it leaves out: act 1 has told them."""


async def play(stage: Stage, cases: list[Case]) -> None:
    """Tells how one ticket was handled, without the code that handled it."""
    stage.act(
        4, "Why did it decide that? `interlock explain` tells the story of a run from its record alone."
    )
    folder = stage.scene(FOLDER)
    run = next(case.run.id for case in cases if case.ticket["id"] == TICKET)
    async with Stores.open(settings(folder)) as stores:
        story = explain(await stores.runs.get(run), await stores.record.lines(run))
    whole = narrate(story)
    (folder / "story.txt").write_text("\n".join(whole) + "\n", encoding="utf-8")
    stage.print(*(f"  {line}".rstrip() for line in shortened(whole)))
    stage.print("", f"  (shortened; all {len(whole)} lines: interlock explain {run})")
    stage.promise(bool(story.conflicts), "the story tells which sources disagreed")
    stage.promise(story.delivered is not None, "the story tells how the answer was handed over")


def shortened(lines: list[str]) -> list[str]:
    """The story without its least telling sentences; their folded continuations go with them."""
    kept: list[str] = []
    chapter, dropping, depth = "", False, 0
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line and indent == 0:
            chapter = line
        if not (dropping and indent > depth):
            dropping = any(part in line for part in LEFT_OUT) or chapter in CHAPTERS
            depth = indent
        if not dropping and (line or (kept and kept[-1])):
            kept.append(line)
    return kept
