"""The repository keeps its own house rules: packaging, pins, changelog, nothing from one machine."""

import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
TOP_FOLDERS = ("interlock", "graphs", "agents", "tools", "evals", "tests")

# Written so that the patterns do not match their own text.
FOREIGN = {
    "a machine path": re.compile(r"(?<![\w.])/(?:root|home|Users|tmp/v|work/main|work/shared)/"),
    "a package index": re.compile(
        r"(?:pypi|pythonhosted)\.org|--(?:extra-)?index[-]url|-[-]find-links|file:[/]{3}"
    ),
}


def tracked_texts() -> list[Path]:
    """Files under version control (in an unpacked archive: all but hidden folders) that are text."""
    if (ROOT / ".git").exists():
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        files = [ROOT / name for name in listing.decode().split("\0") if name]
    else:
        files = [path for path in ROOT.rglob("*") if not re.search(r"/\.\w", path.as_posix())]
    return [path for path in files if path.is_file() and b"\0" not in path.read_bytes()]


def foreign(text: str) -> list[str]:
    """What in a text belongs to one machine and not to the project."""
    return [f"{what}: {hit[0]}" for what, pattern in FOREIGN.items() for hit in pattern.finditer(text)]


@pytest.mark.parametrize("folder", TOP_FOLDERS)
def test_top_folder_is_a_package(folder: str) -> None:
    """Without its `__init__.py` a distribution of the same name (`agents` exists) would win the import."""
    assert (ROOT / folder / "__init__.py").is_file()


def test_changelog_opens_with_the_unreleased_or_the_current_version() -> None:
    """The newest heading of the changelog is what is being built or what was just released."""
    headings = re.findall(
        r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert headings[0] in ("Unreleased", VERSION)


def test_version_is_the_same_everywhere() -> None:
    """The version in pyproject.toml, in the package and in the installed distribution agree."""
    root_module = ROOT / "interlock" / "__init__.py"
    text = root_module.read_text(encoding="utf-8") if root_module.exists() else ""
    found = set(re.findall(r"^__version__(?:: \w+)? = [\"']([^\"']+)", text, re.MULTILINE))
    found |= {dist.version for dist in metadata.distributions(name="interlock")}

    assert found <= {VERSION}


def test_constraints_are_exact_pins_and_nothing_else() -> None:
    """No index address, no local file, no editable line, no range."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]

    assert pins
    assert [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.!+]+", line)] == []


def test_constraints_pin_every_direct_dependency() -> None:
    """Each name in pyproject.toml, extras included, has a pin."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(line for group in project["optional-dependencies"].values() for line in group),
    ]
    names = {re.split(r"[\[<>=~! ]", line)[0].lower().replace("_", "-") for line in wanted}
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")

    assert names <= set(re.findall(r"^([\w.-]+)==", pins, re.MULTILINE))


def test_no_file_carries_a_machine_path_or_a_package_index() -> None:
    """What is committed works anywhere, so nothing names one machine or one registry."""
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in tracked_texts()}

    assert {str(path.relative_to(ROOT)): foreign(text) for path, text in texts.items() if foreign(text)} == {}


def test_machine_paths_and_indexes_are_recognised() -> None:
    """The check above can fail: it sees a home folder, a registry and an index option, and no route."""
    assert foreign("open('{0}root{0}x')".format("/"))
    assert foreign("cd {0}home{0}ada".format("/"))
    assert foreign("see pypi" + ".org")
    assert foreign("--index" + "-url x")
    assert not foreign("GET /runs/1 and https://example.com/home/ada")
