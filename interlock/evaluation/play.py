"""Plays one case: a fresh world, a fresh database, the real graph, and the person the case speaks of."""

from pathlib import Path
from typing import Any, get_args

from interlock.bootstrap import Bound, bind
from interlock.core.canonical import Json, digest
from interlock.core.grounding import ungrounded
from interlock.core.questions import Question
from interlock.core.results import Status
from interlock.core.runs import Run, RunState
from interlock.evaluation.cases import Asked, Person, Verdict, Weather
from interlock.evaluation.judging import Observed
from interlock.evaluation.swaps import prompted, rerouted, scripted
from interlock.evaluation.traffic import calls_of, cost_of, is_evidence, made_of, words_of
from interlock.evaluation.worker import Job, Setup
from interlock.evaluation.world import Seen, World
from interlock.observability.explain import explain
from interlock.orchestration.supervisor import SupervisorGraph
from interlock.settings import load

ROUNDS = 10
"""How often a person answers in one case; a desk that asks more often than that does not end."""
STRENGTH: tuple[Verdict, ...] = get_args(Verdict)
"""From the mildest to the strongest."""


async def play(graph: object, world: World, job: Job, setup: Setup, folder: Path) -> Observed:
    """Runs one case in an empty folder and says what it came to.

    Args:
        graph: What can be bound.
        world: The suite's world, started.
        job: The case.
        setup: Which model it thinks by.
        folder: Empty, and the case's own.

    Raises:
        InterlockError: if it could not be run.
    """
    world.open(folder / "world", job.weather.world)
    settings = load(
        database_url=f"sqlite:///{folder / 'interlock.db'}", key_folder=folder / "keys", user="evaluation"
    )
    settings = scripted(rerouted(settings, setup.model), setup.script)
    if job.prompts:  # they are what is being tried; a registry must not put its own in their place
        settings = settings.model_copy(update={"prompts_from": "files"})
    with prompted(graph, job.prompts):
        async with bind(graph, settings=settings) as app:
            run = await _act(app, await app.run(job.ticket), job.weather)
            lines = tuple(await app.stores.record.lines(run.id))
            asked = tuple(await app.stores.inbox.list(None, run.id))
            entries = await app.stores.ledger.load(run.id)
    seen = Seen(job.ticket, run, asked, lines, _reply(graph, run))
    found = world.look(seen)
    evidence = tuple(entry.answer for entry in entries if is_evidence(entry))
    observed = observed_of(seen, found.facts, (*found.harm, *_ungated(seen)))
    unsupported = _unsupported(graph, seen, evidence)
    return observed.model_copy(update={"evidence": evidence, "unsupported": unsupported})


async def _act(app: Bound, run: Run, weather: Weather) -> Run:
    """Does what the person of the case does, for as long as they are asked."""
    said = list(weather.answers)
    for _ in range(ROUNDS):
        if (weather.person is None and not said) or run.state != "waiting_for_approval":
            break
        if weather.person in ("cancels", "rolls_back"):
            return await app.cancel(run.id, roll_back_effects=weather.person == "rolls_back")
        answered = [await _answer(app, each, weather.person, said) for each in await app.questions(run.id)]
        if not any(answered):
            break
        run = await app.resume(run.id)
    return run


async def _answer(app: Bound, asked: Question, person: Person | None, said: list[Json]) -> bool:
    """Answers one question; False where the person of the case has nothing to say to it."""
    if asked.kind in ("approve", "review") and person is not None:
        await app.answer(asked.id, yes=person == "approves", comment="as the case says")
        return True
    if asked.kind in ("clarify", "relay") and said:
        await app.answer(asked.id, value=said.pop(0), comment="as the case says")
        return True
    return False


def observed_of(seen: Seen, facts: dict[str, Json], harm: tuple[str, ...]) -> Observed:
    """What a run came to, by its row and its record; evidence and grounding are left out."""
    story = explain(seen.run, seen.lines)
    verdicts = [_one(each["verdict"], STRENGTH) for each in seen.events("gate.checked")]
    # A request that nobody handles has no plan and so no task; giving up is its result all the same.
    given_up = seen.run.outcome == "gave_up" and not seen.events("plan.made")
    results: list[Status] = ["gave_up"] if given_up else []
    results += [_one(each["status"], get_args(Status)) for each in seen.events("task.returned")]
    asked = [_one(each.kind, get_args(Asked)) for each in seen.questions if each.kind in get_args(Asked)]
    return Observed(
        run=seen.run.id,
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
        calls=calls_of(story),
        cost=cost_of(story),
        made=made_of(story),
    )


def _unsupported(graph: object, seen: Seen, evidence: tuple[Json, ...]) -> tuple[str, ...]:
    """What the reply states that no evidence says, by the gate's own rules about what is known."""
    gate = graph.supervisor.gate if isinstance(graph, SupervisorGraph) else None
    request = (dict(seen.ticket),) if gate is not None and gate.request_is_known else ()
    found = ungrounded(seen.reply, [*evidence, *request], gate.known if gate is not None else ())
    return tuple(f"{each.kind} {each.text!r}" for each in found)


def _one(value: object, possible: tuple[Any, ...]) -> Any:  # noqa: ANN401
    """The value as one of the possible ones: a word of the record that is none of ours is a defect."""
    return possible[possible.index(value)]


def _reply(graph: object, run: Run) -> str:
    if run.response is None:
        return ""
    supervisor = graph.supervisor if isinstance(graph, SupervisorGraph) else None
    if supervisor is not None and supervisor.gate.text is not None:
        return supervisor.gate.text(supervisor.gate.adapter.validate_python(run.response))
    return words_of(run.response)


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
