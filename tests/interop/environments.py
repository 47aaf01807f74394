"""One virtual environment per list of pins, built when first needed and found again afterwards.

`python -m tests.interop.environments FILE...` builds them beforehand, so that no test waits for that.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(os.environ.get("INTERLOCK_ENVIRONMENTS") or ROOT / ".interlock" / "environments")
"""Where environments are kept between sessions; a folder that may be removed at any time."""


def environment(pins: Path) -> Path:
    """The Python of an environment that holds exactly what the file pins; its name is that of the file.

    Raises:
        RuntimeError: pip could not install it; says what pip said last.
    """
    version = f"{sys.implementation.name} {sys.version_info[:2]}"
    digest = hashlib.sha256(version.encode() + pins.read_bytes()).hexdigest()[:12]
    folder = KEPT / f"{pins.stem}-{digest}"
    with _alone(folder):
        if not (folder / "complete").exists():
            _build(folder, pins)
    return folder / "bin" / "python"


def _build(folder: Path, pins: Path) -> None:
    """Starts anew, whatever an interrupted build left there; the mark is the last thing that is written."""
    _run([sys.executable, "-m", "venv", "--clear", str(folder)], pins)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q", "-r", str(pins)]
    _run(install, pins)
    (folder / "complete").touch()


def _run(command: list[str], pins: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, env={**inherited, "PIP_NO_INPUT": "1"}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        told = (done.stderr or done.stdout).strip()[-2000:]
        raise RuntimeError(f"the environment of {pins.name} could not be built: {told}")


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Lets one process at a time build an environment."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    for given in map(Path, sys.argv[1:]):
        begun = monotonic()
        environment(given)
        print(f"{given.stem}: ready after {monotonic() - begun:.0f} s", flush=True)
