"""The support desk is evaluated through the command line: thresholds, defects, and what the set reaches."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from interlock.core.results import Status
from interlock.core.runs import RunState
from interlock.evaluation.cases import Suite, Verdict

ROOT = Path(__file__).resolve().parents[2]
SUITE = Suite.read("support", ROOT)
EVERY = [case for part in SUITE.cases.values() for case in part]
DEFECTS = {  # file -> what is replaced there, by what
    "agents/returns_policy.py": ("RETURN_DAYS = 30", "RETURN_DAYS = 3"),
    "graphs/routes.py": ("    grave_matter,\n", ""),
    "graphs/support.py": ('return arguments["amount"] > FREE_REFUND', "return False and arguments"),
}
WRITING = {"phrases.py", "drafting.py"}
"""Files that write to customers; what they say is not compared with a ticket by any route."""

NOT_READING = ("Ticket", "Agent")
"""Calls whose strings are an example of a ticket, or describe an agent."""


def evaluate(project: Path, *options: str) -> tuple[int, str, str]:
    """`interlock eval support` in a project: exit code, standard output, standard error."""
    command = [sys.executable, "-m", "interlock", "eval", "support", *options]
    # A copied project comes first, and finds this checkout's package, installed or not.
    path = os.pathsep.join([str(project), str(ROOT)])
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, timeout=280, check=False,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def copied(folder: Path) -> Path:
    """The support desk as a project of its own."""
    for name in ("graphs", "agents", "tools", "evals"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "langgraph.json", folder)
    return folder


def test_the_desk_meets_its_thresholds_and_the_set_reaches_everything() -> None:
    """Development and held-out cases; every verdict, result type and run state occurs in a real run."""
    code, out, err = evaluate(ROOT, "--held-out", "--json")
    told: dict[str, Any] = json.loads(out)
    seen = [result["seen"] for result in told["results"] if result["seen"]]

    assert len(told["results"]) == len(EVERY) >= 40
    assert {verdict for each in seen for verdict in each["verdicts"]} == set(get_args(Verdict))
    assert {status for each in seen for status in each["results"]} == set(get_args(Status))
    assert {"created", *(state for each in seen for state in each["states"])} == set(get_args(RunState))
    assert {each["asks"] for each in seen} == {None, "approve", "clarify", "review"}
    assert not [result["case"] for result in told["results"] if result["harm"]]
    assert code == 0, _failures(told) + err


@pytest.mark.long
def test_the_desk_meets_its_thresholds_also_for_hasty_writers() -> None:
    """Every third case, misspelt and with its sentences reordered."""
    some = [option for case in EVERY[::3] for option in ("--case", case.id)]

    code, out, err = evaluate(ROOT, "--noise", "--json", *some)

    told = json.loads(out)
    noisy, reordered = told["columns"]["noisy"], told["columns"]["reordered"]
    assert code in (0, 1), err  # the sample's plain cases are too few for a threshold
    assert noisy["cases"][1] == reordered["cases"][1] == len(EVERY[::3])
    assert noisy["ok"] and reordered["ok"], _failures(told)


def test_a_defect_fails_the_suite_and_names_its_cases(tmp_path: Path) -> None:
    """A shorter return window, a missing route, and a policy that asks nobody; a sound case is not named."""
    project = copied(tmp_path / "desk")
    for name, (right, wrong) in DEFECTS.items():
        text = (project / name).read_text(encoding="utf-8")
        assert right in text
        (project / name).write_text(text.replace(right, wrong), encoding="utf-8")
    cases = ["T-001", "T-010", "T-012", "T-030"]

    code, out, _ = evaluate(project, *(option for case in cases for option in ("--case", case)))

    assert code == 1
    assert "T-012 (development)" in out and "refunded: expected 45.00, came nothing" in out
    assert "T-030 (development)" in out and "outcome: expected escalated" in out
    assert "T-010 (development)" in out and "harm: 249.00 was paid back for A-1011 without a yes" in out
    assert "T-001" not in out
    assert "not good enough:" in out


def test_one_case_prints_a_table(tmp_path: Path) -> None:
    """A person sees each field, the share of expectations and the threshold."""
    code, out, err = evaluate(ROOT, "--case", "T-001")

    assert code == 0, out + err
    assert re.search(r"^refunded +1/1$", out, re.MULTILINE)
    assert re.search(r"^expectations +100\.0%$", out, re.MULTILINE)
    assert out.rstrip().endswith("good enough.")


def test_a_case_passes_under_plain_pytest_too(tmp_path: Path) -> None:
    """The suite's own module, with DeepEval's `assert_test`; nothing is left behind."""
    command = [sys.executable, "-m", "pytest", "-q", "evals/support", "-k", "T-001", "-p", "no:cacheprovider"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert not (ROOT / ".deepeval").exists()


def test_one_agent_is_set_against_the_desk() -> None:
    """Both play the same ticket: the one agent thinks and costs tokens, and does not know the rules."""
    command = [sys.executable, "-m", "interlock", "eval", "compare", "support", "--json"]

    done = subprocess.run(
        [*command, "--case", "T-012"], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )

    assert done.returncode == 0, done.stderr
    told = {each["name"]: each for each in json.loads(done.stdout)["variants"]}
    assert told["desk"]["passed"] == 1 and told["desk"]["harm"] == []
    assert told["one"]["passed"] == 0 and told["one"]["failed"].keys() == {"T-012"}
    assert told["one"]["model_calls"] >= 3 and told["one"]["tokens"] > 0


@pytest.mark.parametrize(
    ("options", "line", "told"),
    [
        (("--case", "T-999"), "", "there is no case 'T-999'"),
        ((), "{broken", "evals/support/tickets.jsonl, line 1, is not JSON"),
        (
            (),
            '{"ticket": {"id": "T-1"}, "expect": {"state": "completed", "mood": "good"}, "why": ""}',
            "mood",
        ),
    ],
)
def test_bad_suites_get_one_sentence(tmp_path: Path, options: tuple[str, ...], line: str, told: str) -> None:
    """Exit code 2, nothing is played, no traceback."""
    project = copied(tmp_path / "desk")
    if line:
        (project / "evals" / "support" / "tickets.jsonl").write_text(line, encoding="utf-8")

    code, out, err = evaluate(project, *options)

    assert (code, out) == (2, "")
    assert told in err and len(err.strip().splitlines()) == 1


def test_no_route_contains_a_phrase_of_a_ticket() -> None:
    """No text that reads tickets has three words in a row that stand so in any ticket, held out or not."""
    said = {gram for case in EVERY for gram in _grams(f"{case.ticket['subject']}\n{case.ticket['text']}")}

    found = {
        f"{path.relative_to(ROOT)}:{line}: {' '.join(gram)}"
        for folder in ("graphs", "agents")
        for path in sorted((ROOT / folder).glob("*.py"))
        if path.name not in WRITING
        for line, text in _literals(ast.parse(path.read_text(encoding="utf-8")))
        for gram in _grams(text) & said
    }

    assert len(said) > 1000
    assert not found


def _literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The strings of a module, but for documentation, examples of tickets, and descriptions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NOT_READING:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        yield from _literals(node)


def _grams(text: str) -> set[tuple[str, ...]]:
    """Every three words in a row."""
    words = re.findall(r"[^\W\d]+", text.casefold())
    return {tuple(words[at : at + 3]) for at in range(len(words) - 2)}


def _failures(told: dict[str, Any]) -> str:
    """What went wrong, for whoever reads a failing test."""
    wrong = [f"{r['case']} {r['spelling']}: {r['wrong']} {r['harm']}" for r in told["results"] if not r["ok"]]
    return "\n".join([json.dumps(told["columns"], indent=1), *wrong])
