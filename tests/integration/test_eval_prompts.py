"""Prompts are optimised and compared on a small project, with scripted models; and runs become cases."""

import asyncio
import json
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from interlock.cli import main
from interlock.core.models import ModelReply
from interlock.evaluation.cases import Suite
from interlock.evaluation.optimizing import Search, optimize
from interlock.evaluation.variants import Variant
from interlock.testing.model_server import Asked, ModelServer, Says, Script
from tests.receiver import Receiver

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
GRAPH = '''
from decimal import Decimal
from pydantic import BaseModel
from interlock import Agent, Findings, Plan, Supervisor, Task

class Ask(BaseModel): id: str; text: str
class Said(BaseModel): text: str

clerk = Agent("clerk", "Answers.", input=Ask, output=Said, prompt="clerk.md", model="clerk")

def answered(ask: Ask) -> Plan:
    """The clerk answers everything."""
    return Plan(Task(clerk, ask))

def answer(ask: Ask, findings: Findings) -> Said:
    found = findings.get(clerk)
    return found[-1] if found else Said(text="Nothing.")

graph = Supervisor("desk", request=Ask, response=Said, agents=[clerk], routes=[answered], answer=answer,
                   examples=[Ask(id="1", text="hello")]).build()
'''
CLERK = "evals/desk/script.py:clerk"
SCRIPT = '''
from interlock.testing.model_server import Says

def clerk(asked):
    """Says thanks where its prompt says so; shouts where it is told to shout."""
    prompt = asked.messages[0]["content"]
    told = "Dear customer, yes." + (" Thank you!" if "thank" in prompt else "")
    return Says(calls=[("answer", {"text": "NO" if "shout" in prompt and "sorry" in asked.text else told})])

def reflects(asked):
    """Reads what was wrong, and writes a prompt."""
    assert 'reply_has: expected ["thank you"]' in asked.text
    assert "sorry" not in str(asked.messages), "the held-out case was shown"
    return "```\\nAlways thank the customer.\\n```"

def spoils(asked):
    """Writes a prompt that fits the development cases and nothing else."""
    return "```\\nAlways thank the customer, and shout.\\n```"
'''
BETTER = "---\nversion: 2\n---\nAlways thank the customer.\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one agent that thinks, two cases to build on and one that is held out."""
    evals = tmp_path / "evals" / "desk"
    evals.mkdir(parents=True)
    (tmp_path / "desk.py").write_text(GRAPH)
    (tmp_path / "clerk.md").write_text("---\nversion: 1\n---\nAnswer the customer.\n")
    (tmp_path / "langgraph.json").write_text('{"graphs": {"desk": "./desk.py:graph"}}')
    (tmp_path / "pyproject.toml").write_text(
        '[tool.interlock]\nmodel_script = "evals/desk/script.py:clerk"\n'
    )
    (evals / "script.py").write_text(SCRIPT)
    (evals / "suite.toml").write_text('script = "script.py:reflects"\n')
    expect = {"state": "completed", "outcome": "resolved", "verdict": "accept", "reply_has": ["thank you"]}
    for file, names in (("cases.jsonl", ["hello", "again"]), ("held_out.jsonl", ["sorry"])):
        rows = [
            {"ticket": {"id": name, "text": name}, "expect": expect, "why": "It is polite."} for name in names
        ]
        (evals / file).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "desk", raising=False)
    return tmp_path


def interlock(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """A command: exit code, standard output, standard error."""
    capsys.readouterr()
    code = main(list(arguments))
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_better_prompt_is_proposed_and_only_a_person_accepts_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The held-out gain and the difference are told; the prompt is replaced by --accept, and not before."""
    command = ("optimize", "clerk", "--suite", "desk", "--budget", "8")
    before = (project / "clerk.md").read_text()

    code, out, err = interlock(capsys, *command)

    assert code == 0, err
    assert "+Always thank the customer." in out and "-Answer the customer." in out
    assert "10 cases played" in out  # 8 while looking, and the held-out one twice
    assert "held-out score of clerk.md: 85.7%" in out and "100.0% (+14.3%)" in out
    assert (project / "clerk.md").read_text() == before
    assert (project / "clerk.v2.proposed.md").read_text() == BETTER

    code, out, err = interlock(capsys, *command, "--accept")

    assert code == 0, err
    assert "gained +14.3%" in out
    assert (project / "clerk.md").read_text() == BETTER
    assert interlock(capsys, *command, "--accept")[0] == 2


def test_a_prompt_that_only_fits_its_own_cases_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The development cases gain and the held-out one loses: it is shown, and cannot be accepted."""
    (project / "evals" / "desk" / "suite.toml").write_text('script = "script.py:spoils"\n')
    command = ("optimize", "clerk", "--suite", "desk", "--budget", "8", "--json")
    held_out = project / "evals" / "desk" / "held_out.jsonl"
    held_out.write_text(held_out.read_text().replace("thank you", "yes"))

    code, out, err = interlock(capsys, *command)
    refused = interlock(capsys, *command, "--accept")

    told: dict[str, Any] = json.loads(out)
    assert code == 0 and told["gain"] < 0 and "got worse" in told["refused"], err
    assert refused[0] == 2 and "the held-out cases got worse" in refused[2]
    assert "Answer the customer." in (project / "clerk.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nobody",), "there is no agent 'nobody' in this graph; there are: clerk"),
        (("clerk", "--accept"), "there is no proposal"),
        (("clerk", "--budget", "7"), "too few to try one prompt on desk: it takes 8"),
    ],
)
def test_what_cannot_be_optimised_gets_one_sentence(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    """Nothing is played."""
    code, out, err = interlock(capsys, "optimize", *arguments, "--suite", "desk")

    assert (code, out) == (2, "") and told in err


def test_without_held_out_cases_or_a_model_nothing_is_looked_for(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody could say what the result is worth, or nobody could write it."""
    suite = project / "evals" / "desk"
    (suite / "held_out.jsonl").unlink()
    no_cases = interlock(capsys, "optimize", "clerk", "--suite", "desk")
    (suite / "suite.toml").write_text("")
    no_model = interlock(capsys, "optimize", "clerk", "--suite", "desk")

    assert no_cases[0] == 2 and "needs development and held-out cases" in no_cases[2]
    assert no_model[0] == 2 and "no model is configured that could reflect" in no_model[2]


class Silent:
    """A model that never answers."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.asked = asyncio.Event()

    async def reply(self, *asked: object, **more: object) -> ModelReply:
        """Says that it was asked, and nothing more."""
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_stopped_search_ends_with_its_thread_and_its_process(project: Path) -> None:
    """Whoever stops it while the model thinks waits for nobody."""
    silent, threads = Silent(), threading.active_count()
    suite = Suite.read("desk", project)
    search = Search(suite, project, Variant(), "clerk", project / "clerk.md", silent, budget=8)
    looking = asyncio.create_task(optimize(search))
    await asyncio.wait_for(silent.asked.wait(), 100)

    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    await asyncio.wait_for(asyncio.get_running_loop().shutdown_default_executor(), 20)

    for _ in range(1_000):  # the thread that waited for the process ends a moment after it
        if threading.active_count() <= threads:
            break
        await asyncio.sleep(0.01)
    assert threading.active_count() <= threads
    assert not list(project.glob("*.proposed.*"))


@contextmanager
def serving(script: Script) -> Generator[ModelServer]:
    """A model server on a thread of its own, for commands that have their own loop."""
    server, loop = ModelServer(script), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def replies(asked: Asked) -> Says:
    """Thanks where the prompt says so; the better model always does."""
    kind = "thank" in asked.messages[0]["content"] or asked.model == "better"
    return Says(
        calls=[("answer", {"text": "Thank you!" if kind else "Yes."})], input_tokens=100, output_tokens=10
    )


def test_models_and_prompts_are_compared_side_by_side(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same graph with another prompt, and with a dearer model: what they passed, cost and took."""
    (project / "polite.md").write_text("---\nversion: 7\n---\nDo thank them.\n")
    with serving(replies) as server:
        (project / "pyproject.toml").write_text(
            "".join(
                f'[[tool.interlock.models.{route}]]\nmodel = "{model}"\nurl = "{server.url}"\n'
                f"price = {{ input = {price}, output = {price} }}\n"
                for route, model, price in (("default", "plain", 1), ("careful", "better", 10))
            )
        )
        variants = ("now=desk", "polite=desk,prompt=clerk:polite.md", "better=desk,model=careful")

        code, out, err = interlock(
            capsys, "eval", "compare", "desk", *(o for each in variants for o in ("--variant", each)),
            "--case", "hello", "--plot", "trade.svg",
        )  # fmt: skip

    lines = {line.split()[0]: line.split() for line in out.splitlines() if line}
    assert code == 0, err
    assert {name: lines[name][1] for name in ("now", "polite", "better")} == {
        "now": "0/1", "polite": "1/1", "better": "1/1",
    }  # fmt: skip
    assert lines["now"][4:7] == ["1", "110", "0.0001"] and lines["better"][4:7] == ["1", "110", "0.0011"]
    assert "hello: only polite, better passed." in out
    assert {asked.model for asked in server.book} == {"plain", "better"}
    assert (project / "trade.svg").read_text().startswith("<svg")


def test_places_that_cannot_be_written_are_told_first(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plot without a folder costs no case; a case goes into no folder beside the suites."""
    ticket = project / "ticket.json"
    ticket.write_text('{"id": "real", "text": "Hello."}')
    run = json.loads(interlock(capsys, "run", "desk", "--input", str(ticket), "--json")[1])["run_id"]
    both = ("--variant", "a=desk", "--variant", "b=desk,prompt=clerk:none.md")

    plot = interlock(capsys, "eval", "compare", "desk", *both, "--plot", "nowhere/trade.svg")
    prompt = interlock(capsys, "eval", "compare", "desk", *both)
    beside = interlock(capsys, "eval", "add", run, "--suite", "../other")

    assert plot[0] == prompt[0] == beside[0] == 2
    assert "'nowhere/trade.svg' cannot be written: there is no such folder" in plot[2]
    assert "none.md' cannot be read: No such file or directory." in prompt[2]
    assert "'../other' is no name of a suite" in beside[2]


def test_a_run_becomes_a_case_that_plays_the_same(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it came to is expected from now on; the label goes beside it, and the judge is held against it."""
    suite = project / "evals" / "desk"
    ticket = project / "ticket.json"
    ticket.write_text('{"id": "real", "text": "My password: hunter42!"}')
    run = json.loads(interlock(capsys, "run", "desk", "--input", str(ticket), "--json")[1])["run_id"]

    right = interlock(capsys, "eval", "add", run, "--label", "right", "--why", "short")
    wrong = interlock(
        capsys, "eval", "add", run, "--suite", "other", "--label", "wrong", "--corrected", "Thank you, yes."
    )
    again = interlock(capsys, "eval", "add", run, "--label", "wrong")

    assert right[0] == 0, right[2]
    [row] = [json.loads(line) for line in (suite / "added.jsonl").read_text().splitlines()]
    label, second = [json.loads(line) for line in (suite / "labels.jsonl").read_text().splitlines()]
    assert "real is a case of desk now: evals/desk/added.jsonl" in right[1]
    assert row["expect"]["agents"] == ["clerk"] and row["expect"]["outcome"] == "resolved"
    assert row["expect"]["effects"] == [] and "hunter42" not in json.dumps(row)
    assert (label["label"], label["why"], label["reply"]) == (
        "right",
        "short",
        "Dear customer, yes.",
    )
    assert "expects only where the run ended" in wrong[1]
    assert "agents" not in (project / "evals" / "other" / "added.jsonl").read_text()
    assert "real of desk has your label now." in again[1] and second["label"] == "wrong"
    assert "is case real of desk already" in interlock(capsys, "eval", "add", run)[2]

    code, out, err = interlock(capsys, "eval", "desk", "--case", "real")

    assert code == 0 and "cases         1/1" in out, out + err


def test_a_judge_is_held_against_people(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A judge that likes everything agrees with half of two labels, and says so."""
    suite = project / "evals" / "desk"
    (suite / "script.py").write_text(
        SCRIPT + '\ndef likes(asked):\n    return \'{"reason": "fine", "score": 9}\'\n'
    )
    (suite / "suite.toml").write_text(
        'script = "script.py:likes"\n[judge]\ncriteria = "It is kind."\nsteps = ["Read it."]\n'
    )
    rows = [
        {"v": 1, "case": name, "ticket": {}, "reply": "Yes.", "label": said, "by": "ann"}
        for name, said in (("a", "right"), ("b", "wrong"))
    ]
    nobody = interlock(capsys, "eval", "calibrate", "desk")
    (suite / "labels.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    code, out, err = interlock(capsys, "eval", "calibrate", "desk")
    judged = interlock(capsys, "eval", "run", "desk", "--case", "hello")

    assert nobody[0] == 2 and "nobody has labelled an answer" in nobody[2]
    assert code == 0 and "2 answers that people labelled; judge and people agree on 50%" in out, err
    assert "b: a person says wrong, the judge 0.90: fine" in out
    assert "judged        1/1" in judged[1] and "the judge took 1 calls" in judged[1]


def test_results_are_kept_and_a_regression_fails_by_name(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved when good, its scores at Langfuse; a worse prompt fails the command, and the case is named."""
    (project / "clerk.md").write_text("Do thank them.")
    with Receiver() as langfuse:
        monkeypatch.setenv("INTERLOCK_LANGFUSE_BASE_URL", langfuse.url)
        monkeypatch.setenv("INTERLOCK_LANGFUSE_PUBLIC_KEY", "pk")
        monkeypatch.setenv("INTERLOCK_LANGFUSE_SECRET_KEY", "sk")
        saved = interlock(capsys, "eval", "run", "desk", "--case", "hello", "--save", "good")
    for name in ("BASE_URL", "PUBLIC_KEY", "SECRET_KEY"):
        monkeypatch.delenv(f"INTERLOCK_LANGFUSE_{name}")
    (project / "clerk.md").write_text("Answer.")
    (project / "evals" / "desk" / "suite.toml").write_text("[thresholds]\ndevelopment = 0\n")

    worse = interlock(capsys, "eval", "run", "desk", "--case", "hello", "--against", "good")
    absent = interlock(capsys, "eval", "run", "desk", "--against", "never")

    assert saved[0] == 0 and "evals/desk/baselines/good.json" in saved[2], saved[2]
    scores = {each["name"]: each for each in langfuse.scores}
    assert {"eval passed", "eval safe", "eval loop", "eval grounded"} <= set(scores)
    assert scores["eval passed"]["value"] == 1 and scores["eval passed"]["dataType"] == "BOOLEAN"
    assert {each.trace for each in langfuse.spans} >= {scores["eval passed"]["traceId"]}
    assert worse[0] == 1 and "worse than 'good': hello: reply_has" in worse[1]
    assert absent[0] == 2 and "there are: good" in absent[2]
