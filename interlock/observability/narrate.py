"""Tells a story in plain text, for a reader who has never seen the code."""

from collections.abc import Iterator, Sequence

from interlock.observability.chapters import ended, numbers, questions, task, verdicts, work
from interlock.observability.story import ERASED, Story
from interlock.observability.wording import folded, harmless, listed, sentence, shown

WIDTH = 100
_FOLDS = 4
"""Lines that one sentence may take; what is longer is cut."""


def narrate(story: Story) -> list[str]:
    """The story of a run in short sections of full sentences, with the numbers at its end."""
    lines = [f"The story of run {harmless(story.run) or '(unknown)'}"]
    for heading, sentences in _sections(story):
        if sentences:
            lines += ["", heading]
        for told in sentences:
            indent = "  " if not told.startswith("  ") else "    "
            folds = folded(told, WIDTH - len(indent) - 2, _FOLDS)
            lines += [f"{indent}{'' if n == 0 else '  '}{fold}" for n, fold in enumerate(folds)]
    return lines


def _sections(story: Story) -> Iterator[tuple[str, Sequence[str]]]:
    yield "What was asked", _asked(story)
    yield "How it ended", ended(story)
    yield "How the work was planned", _planned(story)
    yield "What was done", [line for each in story.tasks for line in task(each)]
    yield "What the supervisor did itself", work(story.supervisor_tools, story.supervisor_models, "It")
    yield "Where sources disagreed", _disputed(story)
    yield "What people were asked", questions(story)
    yield "How the answer was checked", verdicts(story)
    yield "In numbers", numbers(story)


def _asked(story: Story) -> list[str]:
    when = f" at {story.began:%H:%M:%S on %d %B %Y} (UTC)" if story.began else ""
    lines = [
        f"{harmless(story.owner) or 'Somebody'} asked {harmless(story.graph) or 'a graph'}{when}: "
        f"{shown(story.request, 300)}."
    ]
    if story.erased:
        by = f" by {harmless(story.erased_by)}" if story.erased_by else ""
        lines.append(
            f"The contents of {story.erased} of {story.events} entries of the record were erased{by}. What "
            "happened, when and by whom is still known; with what, is not."
        )
    return lines


def _planned(story: Story) -> list[str]:
    lines: list[str] = []
    for route in story.routes:
        name, why = harmless(route.route), f": {route.why}" if route.why else ""
        about = f" It is for this: {sentence(route.about)}" if route.about else ""
        if route.route == ERASED:
            lines.append("A route was tried; which one, and what it came to, was erased.")
        elif route.came_to == "chosen":
            lines.append(sentence(f"Route {name} was chosen{why}") + about)
        elif route.came_to == "does not apply":
            lines.append(f"Route {name} was tried and does not apply.{about}")
        else:
            lines.append(sentence(f"Route {name} was tried and {_came_to(route.came_to)}{why}"))
        lines += [
            "  " + sentence(f"It gave {harmless(each.agent)} {harmless(each.score)}: {each.reason}")
            for each in route.candidates
        ]
    if story.plan is None:
        nothing = story.routes and not story.tasks
        return [*lines, "No route had a plan that could be carried out."] if nothing else lines
    for step in story.plan.tasks:
        sources = [name for each in step.inputs for name in each.tasks]
        gets = [f"what {listed(list(dict.fromkeys(sources)))} found"] if sources else []
        gets = ["the request", *gets] if any(each.kind == "request" for each in step.inputs) else gets
        who = step.task if step.task == step.agent else f"{step.task} (agent {step.agent})"
        last = " at the end, after all other tasks," if step.closing else ""
        lines.append(f"{harmless(who)}{last} works on {' and '.join(gets) or 'fixed values'}.")
    if len(story.plan.strands) > 1:
        groups = "; ".join(listed(strand) for strand in story.plan.strands)
        lines.append(f"These groups of tasks do not depend on each other and ran side by side: {groups}.")
    return lines


def _came_to(came_to: str) -> str:
    refused, _, why = came_to.partition(": ")
    if refused == "rejected":
        return f"not taken: {why}"
    return "its plan does not fit" if came_to == "plan rejected" else came_to


def _disputed(story: Story) -> list[str]:
    lines: list[str] = []
    for conflict in story.conflicts:
        said = "; ".join(f"{harmless(c.source)} said {shown(c.value, 60)}" for c in conflict.claims)
        ruled = f"Rule {harmless(conflict.rule)} decided: {sentence(conflict.reason)}"
        if conflict.winner:
            end = f"{ruled} {harmless(conflict.winner.source)} was believed."
        else:
            end = f"No rule could tell who is right ({harmless(conflict.reason)}), so a person had to decide."
        lines.append(f"About {shown(conflict.about, 80)}: {said or 'what was said was erased'}. {end}")
    return lines
