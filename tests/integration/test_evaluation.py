"""Suites played for real on a small project: what a case, a process or a world may do, and what is told."""

import asyncio
import sys
from pathlib import Path

import pytest

from interlock.errors import BadInput, InterlockError
from interlock.evaluation import Report, run_suite, runner

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
GRAPH = '''
import os, time
from pydantic import BaseModel
from interlock import Agent, Doors, Findings, Plan, Supervisor, Task

class Ask(BaseModel): id: str; text: str
class Said(BaseModel): text: str

async def say(ask: Ask, doors: Doors) -> Said:
    print("printed by the graph")
    if "die" in ask.text: os._exit(7)
    if "sleep" in ask.text: time.sleep(60)
    if "which" in ask.text: return Said(text=str(await doors.ask("Which one?")))
    return Said(text=f"You said: {ask.text}")

speaker = Agent("speaker", "Repeats.", run=say)

def repeat(ask: Ask) -> Plan:
    """Everything is repeated."""
    return Plan(Task(speaker, ask))

def answer(ask: Ask, findings: Findings) -> Said:
    return findings.get(speaker)[-1]

graph = Supervisor("desk", request=Ask, response=Said, agents=[speaker], routes=[repeat], answer=answer,
                   examples=[Ask(id="1", text="hello")]).build()
'''
WORLD = """
from interlock.evaluation.world import Found
class World:
    def start(self, folder): self.opened = 0
    def open(self, folder, weather): self.opened += 1; self.weather = dict(weather); folder.mkdir()
    def look(self, seen):
        return Found({"wet": self.weather.get("sky")}, ("it burns",) if "fire" in seen.reply else ())
    def close(self): pass
"""
EXPECT = '{"state": "completed", "outcome": "resolved", "verdict": "accept", "reply_has": ["you said"]}'


def project(folder: Path, *texts: str, graph: str = GRAPH, world: str = "") -> Path:
    """A project with one graph and a case for each text."""
    evals = folder / "evals" / "desk"
    evals.mkdir(parents=True)
    (folder / "desk.py").write_text(graph, encoding="utf-8")
    (folder / "langgraph.json").write_text('{"graphs": {"desk": "./desk.py:graph"}}', encoding="utf-8")
    cases = [
        f'{{"ticket": {{"id": "T-{number}", "text": "{text}"}}, "expect": {EXPECT}, "why": "{text}"}}\n'
        for number, text in enumerate(texts, 1)
    ]
    (evals / "cases.jsonl").write_text("".join(cases), encoding="utf-8")
    if world:
        (evals / "world.py").write_text(world, encoding="utf-8")
        (evals / "suite.toml").write_text('facts = ["wet"]\n[weather]\nsky = ["rain"]\n', encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Projects elsewhere find this checkout's package, installed or not."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


async def played(folder: Path, processes: int = 1) -> tuple[Report, dict[str, str]]:
    """The suite, played; and by case why it failed."""
    report = await run_suite("desk", folder, processes=processes)
    return report, {
        r.case: str(next((c.came for c in r.checks if not c.ok), r.harm))
        for r in report.results
        if not r.ok and r.checks
    }


async def test_cases_are_played_and_judged(tmp_path: Path) -> None:
    """What is as expected holds; what the graph prints disturbs nobody; a wait is an end, unless answered."""
    folder = project(tmp_path, "hello", "which")
    expect = EXPECT.replace("{", '{"asks": "clarify", ', 1)
    weather = '{"answers": ["You said it."]}'
    with (folder / "evals" / "desk" / "cases.jsonl").open("a") as cases:
        cases.write(
            f'{{"ticket": {{"id": "T-3", "text": "which"}}, "expect": {expect}, "weather": {weather}, '
            '"why": "It is said."}\n'
        )

    report, failed = await played(folder, processes=2)

    assert [(r.case, r.ok) for r in report.results] == [("T-1", True), ("T-2", False), ("T-3", True)]
    assert failed == {"T-2": "waiting_for_approval"}
    assert report.results[1].seen is not None and report.results[1].seen.asks == "clarify"


async def test_a_case_that_kills_its_process_is_one_failed_case(tmp_path: Path) -> None:
    """The others are played by a new process."""
    report, failed = await played(project(tmp_path, "hello", "die", "bye"))

    assert failed == {"T-2": "it ended the process that played it"}
    assert [r.ok for r in report.results] == [True, False, True]


async def test_a_case_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is ended with it, and says why."""
    monkeypatch.setattr(runner, "CASE_S", 3.0)
    monkeypatch.setattr(runner, "END_S", 0.5)

    _, failed = await played(project(tmp_path, "sleep", "hello"))

    assert failed == {"T-1": "it took longer than 3 s"}


async def test_a_ticket_that_is_no_request_fails_its_case(tmp_path: Path) -> None:
    """The reason stands where the result would."""
    folder = project(tmp_path, "hello")
    broken = GRAPH.replace("id: str; text: str", "id: int; text: str").replace('id="1"', "id=1")
    (folder / "desk.py").write_text(broken, encoding="utf-8")

    _, failed = await played(folder)

    assert "SchemaViolation" in failed["T-1"]


async def test_a_world_says_facts_and_harm(tmp_path: Path) -> None:
    """Every case gets a world of its own; harm fails a case in which everything else is as expected."""
    folder = project(tmp_path, "rain", "fire", world=WORLD)
    cases = folder / "evals" / "desk" / "cases.jsonl"
    text = cases.read_text(encoding="utf-8").replace(
        '"why": "rain"', '"weather": {"sky": "rain"}, "why": "w"'
    )
    cases.write_text(text.replace('"state"', '"wet": "rain", "state"', 1), encoding="utf-8")

    report, _ = await played(folder)

    assert [r.ok for r in report.results] == [True, False]
    assert report.results[1].harm == ("it burns",) and not report.ok


@pytest.mark.parametrize(
    ("graph", "world", "told"),
    [
        ("import nothing_of_that_name", "", "desk.py, line 1, cannot be imported"),
        (GRAPH, "class Sky: pass", "evals/desk/world.py cannot be used: AttributeError"),
        ("import os; os._exit(1)", "", "did not start"),
    ],
)
async def test_what_cannot_be_played_is_told_before_anything_is(
    tmp_path: Path, graph: str, world: str, told: str
) -> None:
    """A graph or a world that cannot be used is one sentence, and no case is played."""
    with pytest.raises(BadInput) as error:
        await run_suite("desk", project(tmp_path, "hello", graph=graph, world=world), processes=2)

    assert told in error.value.message


async def test_a_stopped_suite_leaves_no_process(tmp_path: Path) -> None:
    """Whoever is told to stop ends what they started."""
    folder = project(tmp_path, "sleep")
    suite = asyncio.create_task(run_suite("desk", folder, processes=1))
    await asyncio.sleep(3)

    suite.cancel()
    with pytest.raises(asyncio.CancelledError):
        await suite

    listing = await asyncio.create_subprocess_exec("ps", "-eo", "args", stdout=asyncio.subprocess.PIPE)
    told, _ = await listing.communicate()
    assert str(folder) not in told.decode()


def test_the_suite_is_read_without_the_graph_s_libraries() -> None:
    """The command line answers bad suites at once: nothing here imports LangGraph."""
    import subprocess

    code = "import sys, interlock.evaluation; sys.exit('langgraph' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert issubclass(BadInput, InterlockError)
