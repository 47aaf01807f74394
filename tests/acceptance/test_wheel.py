"""What the wheel holds, and that the README's example runs from it where nothing else of ours is."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
APPLICATION = ("graphs", "agents", "tools", "evals", "tests")


def outside(site: Path, folder: Path, *command: str) -> str:
    """Runs Python in a folder that can import the wheel and its dependencies, and nothing of the checkout.

    `-S` leaves out what an editable installation adds to the path; the dependencies' folders are named.
    """
    dependencies = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "INTERLOCK", "LANGGRAPH"))}
    env["PYTHONPATH"] = os.pathsep.join([str(site), *dependencies])
    done = subprocess.run(
        [sys.executable, "-S", *command], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_the_package_and_the_example_and_nothing_else(wheel: Path) -> None:
    """One import name; type information, migrations and both projects of `interlock new` are inside."""
    names = zipfile.ZipFile(wheel).namelist()
    modules = {f"interlock/{path.relative_to(ROOT / 'interlock')}" for path in ROOT.glob("interlock/**/*.py")}
    migrations = [
        n for n in names if re.fullmatch(r"interlock/persistence/migrations/versions/\d+_\w+\.py", n)
    ]

    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"interlock"}
    assert modules - set(names) == set()
    assert migrations
    assert {
        "interlock/py.typed",
        "interlock/persistence/migrations/env.py",
        "interlock/persistence/migrations/script.py.mako",
        "interlock/_scaffolds/minimal/langgraph.json",
        "interlock/_scaffolds/support/pyproject.toml",
        "interlock/_scaffold/langgraph.json",
        "interlock/_scaffold/graphs/support.py",
        "interlock/_scaffold/evals/support/tickets.jsonl",
    } <= set(names)
    assert [name for name in names if "__pycache__" in name or ".interlock" in name] == []


@pytest.mark.parametrize("name", ["interlock", *APPLICATION])
def test_only_the_package_is_imported_from_the_wheel(site: Path, tmp_path: Path, name: str) -> None:
    """The application's folders take nobody's import names away: `agents` is one that is in use elsewhere."""
    code = f"import importlib.util as u; s = u.find_spec({name!r}); print(s and (s.origin or s.name))"
    origin = outside(site, tmp_path, "-P", "-c", code).strip()

    assert origin.startswith(str(site)) == (name == "interlock")
    assert not origin.startswith(str(ROOT))


def test_the_readme_runs_from_the_wheel_in_an_empty_folder(site: Path, tmp_path: Path) -> None:
    """It prints the two lines that the README promises, and leaves the database that it speaks of."""
    [block] = re.findall(r"^```python\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    promised = re.findall(r"`((?:waiting_for_approval - |\{'text')[^`]+)`", README)
    script, empty = tmp_path / "script" / "desk.py", tmp_path / "empty"
    script.parent.mkdir()
    empty.mkdir()
    script.write_text(block, encoding="utf-8")

    told = outside(site, empty, str(script))

    assert len(promised) == 2
    assert told.splitlines() == promised
    assert [path.name for path in empty.iterdir()] == [".interlock"]
    assert (empty / ".interlock" / "interlock.db").is_file()
    assert "audit: ok" in outside(site, empty, "-m", "interlock", "audit", "verify")
