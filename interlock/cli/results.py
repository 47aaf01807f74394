"""How a run ended, or what it waits for: as JSON for programs, as text with the next step for people."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from interlock.cli import terminal

if TYPE_CHECKING:
    from interlock.core.questions import Question
    from interlock.core.runs import Run


def as_json(run: "Run", asked: "list[Question]") -> dict[str, Any]:
    """What `run --json` prints; drafts and evidence are not in it, since the gate did not accept them."""
    return {
        "run_id": run.id,
        "state": run.state,
        "outcome": run.outcome,
        "response": run.response,
        "approvals": [brief(question) for question in asked],
        "spend": run.spend.model_dump(mode="json") | {"seconds": round(run.spend.seconds, 6)},
    }


def brief(question: "Question") -> dict[str, Any]:
    """A question without its details."""
    names = {"id", "kind", "title", "whom", "agent", "task", "asked_at", "expires_at"}
    return question.model_dump(mode="json", include=names)


def show(run: "Run", asked: "list[Question]", *, record: bool = False) -> None:
    """Prints a run for people.

    Standard output gets only what the gate accepted; the reason stands beside it, unless the command
    is one that shows the record.
    """
    name = run.input.get("id") if isinstance(run.input, dict) else None
    terminal.say(f"{run.id} {f'({name}) ' if isinstance(name, str) else ''}{headline(run)}")
    if run.response is not None and run.state == "completed":
        terminal.say(*(f"  {line}" for line in response_lines(run.response)))
    for question in asked:
        terminal.say(*(f"  {line}" for line in next_steps(question)))
    why = reason(run)
    if why and record:
        terminal.say(f"  {why}")
    elif why:
        terminal.tell(f"{run.id} {why}")


def headline(run: "Run") -> str:
    """State, outcome and spend in one line."""
    told = run.state.replace("_", " ")
    if run.outcome:
        told += f", {run.outcome.replace('_', ' ')}"
    return f"{told} ({spent(run)})"


def reason(run: "Run") -> str:
    """Why a run is where it is, where that is not plain; an agent's own words may be in it, ungated."""
    plain = run.state == "waiting_for_approval" or run.outcome == "resolved"
    return "" if plain else run.reason


def spent(run: "Run") -> str:
    """What a run has used so far."""
    from interlock.observability.wording import count, span

    parts = [span(run.spend.seconds)]
    if run.spend.tool_calls:
        parts.append(count(run.spend.tool_calls, "tool call"))
    if run.spend.model_calls:
        parts.append(count(run.spend.model_calls, "model call"))
    if run.spend.usd:
        parts.append(f"{run.spend.usd} USD")
    return ", ".join(parts)


def response_lines(response: object) -> list[str]:
    """An accepted response: a lone text as it is, else one field per line."""
    if isinstance(response, str):
        return response.splitlines() or [""]
    if not isinstance(response, Mapping):
        return [_value(response)]
    fields = cast("Mapping[str, object]", response)
    texts = [value for value in fields.values() if isinstance(value, str)]
    if len(fields) == 1 and texts:
        return texts[0].splitlines() or [""]
    lines: list[str] = []
    for name, value in fields.items():
        if isinstance(value, str) and "\n" in value:
            lines += [f"{name}:", *(f"  {line}" for line in value.splitlines())]
        else:
            lines.append(f"{name}: {_value(value)}")
    return lines


def next_steps(question: "Question") -> list[str]:
    """Who is asked what, and the commands that answer it."""
    from interlock.core.policy import OWNER

    whom = "the run's owner" if question.whom == OWNER else question.whom
    if question.kind == "settle":
        return [
            f"To be settled by {whom}: {question.title}",
            f"  it happened:    interlock effects settle {question.id} --happened",
            f"  it did not:     interlock effects settle {question.id} --did-not-happen",
        ]
    yes = ' --answer "..."' if question.in_words else ""
    return [
        f"Waits for {whom}: {question.title}",
        f"  look at it:  interlock approvals show {question.id}",
        f"  say yes:     interlock approvals approve {question.id}{yes}"
        if not yes
        else f"  answer:      interlock approvals approve {question.id}{yes}",
        f"  say no:      interlock approvals reject {question.id}",
    ]


def _value(value: object) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
