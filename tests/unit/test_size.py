"""Every module stays small enough to be read in one sitting."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 400
FOLDERS = ("interlock", "graphs", "agents", "tools", "evals")
MODULES = sorted(path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_module_fits_one_sitting(module: Path) -> None:
    """A module has at most 400 lines."""
    lines = (ROOT / module).read_text(encoding="utf-8").splitlines()

    assert len(lines) <= LIMIT, f"{module} has {len(lines)} lines; split it by its nouns"
