"""Before anything runs: help, `new`, `graph`, `tools` and `doctor`, and new projects from the built wheel."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from interlock.cli.doctor import packages
from tests.front import ROOT, Front, fresh

front = pytest.fixture(fresh)
HEAVY = ("langgraph", "langchain", "langchain_core", "mcp", "sqlalchemy", "pydantic", "a2a", "langfuse")


ENTRIES = (
    "runpy.run_module('interlock', run_name='__main__')",
    "from interlock.cli import main; sys.exit(main())",
)


@pytest.mark.parametrize("entry", ENTRIES, ids=["python -m interlock", "interlock"])
def test_help_imports_nothing_heavy(entry: str) -> None:
    """Help answers without LangGraph, LangChain, MCP, pydantic or a database library."""
    look = f"print(sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)"
    code = f"import atexit, runpy, sys; atexit.register(lambda: {look}); sys.argv[1:] = ['--help']; {entry}"

    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert told.stderr.strip() == "[]"
    assert all(
        f"\n  {name} " in told.stdout for name in ("new", "run", "runs", "approvals", "explain", "doctor")
    )


@pytest.mark.parametrize("command", [("runs", "list"), ("approvals", "list"), ("effects", "list")])
def test_lists_go_without_langgraph(front: Front, command: tuple[str, ...]) -> None:
    """Whoever only looks at the database does not wait for LangGraph, MCP or A2A to load."""
    front("run", "front", "--input", front.ticket("pay me"))
    heavy = ("langgraph", "langchain_core", "mcp", "a2a")
    look = f"print(sorted(set({heavy}) & set(sys.modules)), file=sys.stderr)"
    code = f"import atexit, sys; atexit.register(lambda: {look}); {ENTRIES[1]}"

    told = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=front.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stderr.strip() == "[]"


def test_every_command_has_help_and_a_first_line(front: Front) -> None:
    """Help of every command and group is on standard output, and exits with 0."""
    groups = {"": front("--help").out}
    names = re.findall(r"^  ([a-z]+)  ", groups[""].partition("Commands:")[2], re.MULTILINE)
    for name in names:
        told = front(name, "--help")
        assert told.code == 0 and told.err == ""
        assert told.out.startswith(f"Usage: interlock {name} ")
        assert told.out.splitlines()[2].strip()[0].isupper(), name
        assert "..." not in told.out.partition("\n")[2], "a first line that is cut off"

    assert "..." not in groups[""].partition("\n")[2]
    assert front().out == groups[""]
    assert front("--version").out.startswith("interlock 0.")
    assert set(names) >= {
        "new",
        "run",
        "runs",
        "approvals",
        "effects",
        "explain",
        "audit",
        "graph",
        "tools",
        "doctor",
    }


def test_the_smallest_project_is_small_and_runs_as_its_readme_says(front: Front) -> None:
    """Two agents, a tool server, a policy, a test: under 120 lines of Python; its README's commands work."""
    made = front("new", "my-desk")
    project = front.folder / "my-desk"
    lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in project.rglob("*.py"))
    moved = Front(project, front._patch, front._capture)

    small = (project / "ticket.json").read_bytes()
    large = b'{"email": "ben@example.com", "text": "My parcel is lost."}'

    told = moved.process("run", "desk", "--input", "-", stdin=small + large)

    assert made.code == 0 and "interlock run desk --input ticket.json" in made.out
    assert lines < 120
    assert "We paid back 49.90 EUR for order A-1001." in told.out
    assert told.code == 3 and "Waits for shift-lead" in told.out
    assert 'name = "my-desk"' in (project / "pyproject.toml").read_text(encoding="utf-8")


def test_a_project_is_made_only_where_nothing_is(front: Front) -> None:
    """An empty folder is filled; one with something in it, a file, and a bad name are refused."""
    (front.folder / "empty").mkdir()
    front.write("file", "x")

    assert front("new", "empty", "--json").json["project"] == "empty"
    for name in ("empty", "file", "..", "a b", "", "x" * 80):
        told = front("new", name)
        assert (told.code, told.out) == (2, ""), name
        assert told.sentence.endswith(".")


def test_the_example_brings_its_folders_and_its_registry(front: Front) -> None:
    """The support desk's graphs, agents, tools and cases, with nothing that a run left behind."""
    front("new", "shop", "--example", "support")
    shop = front.folder / "shop"
    there = {path.name for path in shop.iterdir()}

    assert there >= {"graphs", "agents", "tools", "evals", "langgraph.json", "ticket.json", "README.md"}
    assert not [*shop.rglob("__pycache__"), *shop.rglob("*.db")]
    assert json.loads((shop / "langgraph.json").read_text(encoding="utf-8"))["graphs"].keys() == {"support"}


def test_a_graph_is_drawn_with_the_most_it_can_cost(front: Front) -> None:
    """Mermaid with the numbers as comments; --json has both; --xray opens the crew."""
    told = front("graph", "front")
    both = front("graph", "front", "--xray", "--json").json
    rows = {row["route"]: row for row in both["worst_case"]}

    assert told.code == 0 and "graph TD;" in told.out and "intake --> plan;" in told.out
    numbers = told.out.partition("classDef last")[2].splitlines()[1:]
    assert numbers and all(line.startswith("%%") for line in numbers if line)
    assert rows.keys() == {"paying", "asking", "breaking", "both", "murmuring"}
    assert rows["both"]["tasks"] == ["payer", "asker"] and rows["both"]["hops"] > rows["paying"]["hops"]
    assert "payer" in both["mermaid"] and both["limits"]["seconds"] == 600


def test_the_example_is_drawn_with_the_graphs_of_its_agents() -> None:
    """--xray opens specialists that are graphs of their own."""
    command = [sys.executable, "-m", "interlock", "graph", "support", "--xray"]

    drawn = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "subgraph returns" in drawn and "subgraph drafting" in drawn


def test_tools_are_listed_with_what_the_policy_says(front: Front) -> None:
    """Who was granted which tool, whether it changes the world, and the rules in order."""
    told = front("tools", "list", "front")
    tools = {each["tool"]: each for each in front("tools", "list", "front", "--json").json}

    assert "books/pay" in told.out
    assert tools["books/look"]["effect"] == "no" and tools["books/pay"]["effect"] == "yes"
    assert "must ask" in tools["books/pay"]["rules"][0] and "may call" in tools["books/pay"]["rules"][1]


def test_doctor_finds_nothing_wrong_with_a_sound_project(front: Front) -> None:
    """Python, packages, settings with their origin, the graph, the database, the key, the tool servers."""
    told = front("doctor")
    lines = {line["what"]: line for line in front("doctor", "--json").json}

    assert told.code == 0 and told.out.rstrip().endswith("No problem.")
    assert lines["setting database_url"]["told"].endswith("(default)")
    assert {
        "python",
        "packages",
        "graph front",
        "database",
        "signing key",
        "tool server books",
    } <= lines.keys()
    assert "schema version" in lines["database"]["told"]


def test_doctor_names_every_problem_and_what_to_do(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open key, a server that is not there, a folder without __init__.py, lax checkpoints, broken code."""
    front("doctor")
    monkeypatch.delitem(sys.modules, "front_desk")
    (front.folder / ".interlock/keys/signing.key").chmod(0o644)
    (front.folder / "agents").mkdir()
    front.write("front_desk.py", "1 / 0\n")
    front.write("pyproject.toml", "[tool.interlock.tools.crm]\nurl = 'http://127.0.0.1:9/mcp'\n")
    monkeypatch.setenv("INTERLOCK_USER", "ann")
    monkeypatch.setenv("LANGGRAPH_STRICT_MSGPACK", "false")

    told = front("doctor", "--json")
    lines = {line["what"]: line for line in told.json}
    bad = {what for what, line in lines.items() if line["verdict"] == "problem"}

    assert told.code == 1
    assert bad == {"signing key", "folder agents/", "graph front", "tool server crm", "checkpoints"}
    assert "0600" in lines["signing key"]["told"]
    assert lines["setting user"]["told"] == "ann  (INTERLOCK_USER)"
    assert lines["setting tools"]["told"] == "crm  (pyproject.toml)"
    assert front("doctor").out.rstrip().endswith("5 problems.")


def test_doctor_looks_at_what_the_project_depends_on() -> None:
    """Its list of packages is the project's own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert {re.split(r"[\[<>=~! ]", line)[0] for line in project["dependencies"]} == set(packages())


def test_both_kinds_of_project_are_made_and_run_from_the_wheel(site: Path, tmp_path: Path) -> None:
    """Installed into a folder of its own, used away from the checkout; its test passes with pytest."""
    work = tmp_path / "work"
    work.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "INTERLOCK"))}
    env["PYTHONPATH"] = str(site)

    def run(*command: str, cwd: Path = work) -> str:
        told = subprocess.run(
            [sys.executable, "-m", *command], cwd=cwd, env=env, capture_output=True, text=True, check=False
        )
        assert told.returncode == 0, told
        return told.stdout

    run("interlock", "new", "desk")
    run("interlock", "new", "shop", "--example", "support")
    desk, shop = work / "desk", work / "shop"

    assert "We paid back 49.90 EUR" in run("interlock", "run", "desk", "--input", "ticket.json", cwd=desk)
    assert "1 passed" in run("pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", cwd=desk)
    told = run("interlock", "run", "support", "--input", "ticket.json", cwd=shop)
    assert "Hello Lena" in told and "in transit, tracking number TN40017DE" in told  # the carrier was asked
    assert {path.name for path in (site / "interlock/_scaffold").iterdir()} >= {"graphs", "langgraph.json"}
