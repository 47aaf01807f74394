"""Makes new projects: the smallest complete one, or the example application.

The small one is package data. The example's folders are shipped in the wheel under `_scaffold`; in a
checkout they stand beside the package.
"""

import re
import shutil
from importlib import resources
from pathlib import Path

from interlock.errors import BadInput

FOLDERS = ("graphs", "agents", "tools", "evals")
EXAMPLES = ("support",)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_PLACEHOLDER = "my-project"
_PACKAGE = Path(str(resources.files("interlock")))
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", ".interlock", ".*_cache", "*.db")


def source() -> Path:
    """The folder of the example application: `interlock/_scaffold` in a wheel, the root of a checkout."""
    shipped = _PACKAGE / "_scaffold"
    return shipped if shipped.is_dir() else _PACKAGE.parent


def new(target: Path, example: str | None = None) -> list[str]:
    """Makes a project in `target` and returns what now stands in it.

    Raises:
        BadInput: if the name does not fit, the folder is not empty, or it cannot be written.
    """
    if not _NAME.fullmatch(target.name):
        raise BadInput(
            f"{target.name!r} is not a project's name: use letters, digits, '-' and '_', a letter first."
        )
    if example is not None and example not in EXAMPLES:
        raise BadInput(f"there is no example {example!r}; there is: {', '.join(EXAMPLES)}.")
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise BadInput(f"{str(target)!r} is there already and not an empty folder: choose another name.")
        _copy(_PACKAGE / "_scaffolds" / (example or "minimal"), target)
        if example is not None:
            for folder in FOLDERS:
                _copy(source() / folder, target / folder)
            shutil.copy(source() / "langgraph.json", target)
        for name in ("pyproject.toml", "README.md"):
            text = (target / name).read_text(encoding="utf-8")
            (target / name).write_text(text.replace(_PLACEHOLDER, target.name), encoding="utf-8")
        return sorted(each.name + ("/" if each.is_dir() else "") for each in target.iterdir())
    except (OSError, shutil.Error) as error:
        told = getattr(error, "strerror", None) or type(error).__name__
        raise BadInput(f"{str(target)!r} cannot be written ({told}): choose another place.") from error


def _copy(folder: Path, target: Path) -> None:
    shutil.copytree(folder, target, ignore=_NOT_COPIED, dirs_exist_ok=True)
