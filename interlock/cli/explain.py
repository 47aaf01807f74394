"""`interlock explain`: the story of a run, from its record alone."""

from typing import TYPE_CHECKING

from interlock.cli import options, project, runs, terminal

if TYPE_CHECKING:
    from interlock.observability.story import Story
    from interlock.settings import Settings


def explain(run: runs.Id, json: options.Json = False) -> None:
    """Tell what happened in a run, and why.

    Routes, tasks, tools, people, verdicts, time and spend. It reads the record alone, so it also works where
    the graph's code is gone.
    """
    from interlock.observability.narrate import narrate

    story = project.play(_story(project.settings(), run))
    if json:
        terminal.emit(story.model_dump(mode="json"), indent=2)
    else:
        terminal.say(*narrate(story))


async def _story(settings: "Settings", run: str) -> "Story":
    from interlock.observability.explain import explain as told

    async with project.stores(settings) as stores:
        return told(await stores.runs.get(run), await stores.record.lines(run))
