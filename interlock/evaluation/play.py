"""Plays one case: a fresh world, a fresh database, the real graph, and the person the case speaks of."""

from pathlib import Path
from typing import Any, get_args

from interlock.bootstrap import Bound, bind
from interlock.core.canonical import Json, digest
from interlock.core.results import Status
from interlock.core.runs import Run, RunState
from interlock.evaluation.cases import Asked, Person, Verdict
from interlock.evaluation.judging import Observed
from interlock.evaluation.world import Seen, World
from interlock.orchestration.supervisor import SupervisorGraph
from interlock.settings import load

ROUNDS = 10
"""How often a person answers in one case; a desk that asks more often than that does not end."""
STRENGTH: tuple[Verdict, ...] = get_args(Verdict)
"""From the mildest to the strongest."""


async def play(
    graph: object,
    world: World,
    ticket: dict[str, Json],
    weather: dict[str, str],
    person: Person | None,
    folder: Path,
) -> Observed:
    """Runs one case in an empty folder and says what it came to.

    Raises:
        InterlockError: if it could not be run.
    """
    world.open(folder / "world", weather)
    settings = load(
        database_url=f"sqlite:///{folder / 'interlock.db'}", key_folder=folder / "keys", user="evaluation"
    )
    async with bind(graph, settings=settings) as app:
        run = await _act(app, await app.run(ticket), person)
        lines = tuple(await app.stores.record.lines(run.id))
        asked = tuple(await app.stores.inbox.list(None, run.id))
    seen = Seen(ticket, run, asked, lines, _reply(graph, run))
    found = world.look(seen)
    return _observed(seen, found.facts, (*found.harm, *_ungated(seen)))


async def _act(app: Bound, run: Run, person: Person | None) -> Run:
    """Does what the person of the case does, for as long as they are asked."""
    for _ in range(ROUNDS):
        if person is None or run.state != "waiting_for_approval":
            break
        if person in ("cancels", "rolls_back"):
            return await app.cancel(run.id, roll_back_effects=person == "rolls_back")
        theirs = [each for each in await app.questions(run.id) if each.kind in ("approve", "review")]
        if not theirs:
            break
        for each in theirs:
            await app.answer(each.id, yes=person == "approves", comment="as the case says")
        run = await app.resume(run.id)
    return run


def _observed(seen: Seen, facts: dict[str, Json], harm: tuple[str, ...]) -> Observed:
    verdicts = [_one(each["verdict"], STRENGTH) for each in seen.events("gate.checked")]
    # A request that nobody handles has no plan and so no task; giving up is its result all the same.
    given_up = seen.run.outcome == "gave_up" and not seen.events("plan.made")
    results: list[Status] = ["gave_up"] if given_up else []
    results += [_one(each["status"], get_args(Status)) for each in seen.events("task.returned")]
    asked = [_one(each.kind, get_args(Asked)) for each in seen.questions if each.kind in get_args(Asked)]
    return Observed(
        state=seen.run.state,
        outcome=seen.run.outcome,
        verdict=max(verdicts, key=STRENGTH.index, default=None),
        states=tuple(_one(each["to"], get_args(RunState)) for each in seen.events("run.moved")),
        verdicts=tuple(verdicts),
        agents=tuple(dict.fromkeys(str(each["agent"]) for each in seen.events("task.sent"))),
        reply=seen.reply,
        asks=asked[0] if asked else None,
        results=tuple(dict.fromkeys(results)),
        facts=facts,
        harm=harm,
    )


def _one(value: object, possible: tuple[Any, ...]) -> Any:  # noqa: ANN401
    """The value as one of the possible ones: a word of the record that is none of ours is a defect."""
    return possible[possible.index(value)]


def _reply(graph: object, run: Run) -> str:
    if run.response is None:
        return ""
    supervisor = graph.supervisor if isinstance(graph, SupervisorGraph) else None
    if supervisor is not None and supervisor.gate.text is not None:
        return supervisor.gate.text(supervisor.gate.adapter.validate_python(run.response))
    return "\n".join(_texts(run.response))


def _texts(value: Json) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def _ungated(seen: Seen) -> list[str]:
    """A response other than the last one the gate accepted."""
    response = seen.run.response
    handed = [each.get("digest") for each in seen.events("response.delivered")]
    if response is None:
        return ["something was handed over that is no response"] if handed else []
    accepted = [each.get("digest") for each in seen.events("response.accepted")]
    if digest(response, "response") != (accepted[-1] if accepted else None):
        return ["the response is not the one the gate accepted"]
    return ["what was handed over is not the response"] if handed not in ([], accepted[-1:]) else []
