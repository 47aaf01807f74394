"""The stage of the demo: its folder, what it says, the processes it started, and what it promised."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from interlock.core.principal import Principal
from interlock.settings import Settings, load

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 100
LEAD = Principal(user="Ruth Adeyemi", scopes=("shift-lead",))
"""The person who says yes and no."""
PROCESSES = "processes.txt"
"""The file in the demo's folder that names the process ids it started, one per line."""


class Stage(AbstractContextManager["Stage"]):
    """Everything the acts share; on leaving, no process it started is left."""

    def __init__(self, folder: Path, out: IO[str] | None = None) -> None:
        """Plays in `folder`, which must be there, and writes to `out`, by default standard output."""
        self.folder = folder.resolve()
        self.broken: list[str] = []
        """What did not come out as promised."""
        self._out = sys.stdout if out is None else out
        plain = not self._out.isatty() or "NO_COLOR" in os.environ
        self._bold = ("", "") if plain else ("\033[1m", "\033[0m")
        self._empty = False
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        """Nothing is opened before an act needs it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends every process that is still there."""
        for process in self._processes:
            self.end(process)

    def scene(self, name: str) -> Path:
        """A folder in the demo's folder, made if it is missing."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    # Words ----------------------------------------------------------------------------------------

    def act(self, number: int, title: str) -> None:
        """Begins an act with one sentence about what it shows."""
        bold, plain = self._bold
        self.print("", f"{bold}Act {number}. {title}{plain}", "")

    def say(self, text: str, indent: int = 2) -> None:
        """Says something, folded to the width of a page; a line that begins with spaces stays indented."""
        for line in text.splitlines():
            told = line.strip()
            first = " " * (indent + len(line) - len(line.lstrip()))
            # An id keeps its parts together: it is copied by hand.
            lines = textwrap.wrap(
                told,
                WIDTH,
                initial_indent=first,
                subsequent_indent=first,
                break_on_hyphens=False,
                break_long_words=False,
            )
            self.print(*lines)

    def print(self, *lines: str) -> None:
        """Prints lines as they are, at once; of empty lines one after the other, only one."""
        for line in lines:
            if line or not self._empty:
                print(line, file=self._out)
            self._empty = not line
        self._out.flush()

    def promise(self, kept: bool, what: str) -> None:
        """Checks something the demo promises; a broken promise is said, and makes the demo fail."""
        if not kept:
            self.broken.append(what)
            self.say(f"NOT AS PROMISED: {what}")

    # Processes ------------------------------------------------------------------------------------

    def start(
        self, module: str, *arguments: str, log: Path, folder: Path | None = None, **variables: str
    ) -> "subprocess.Popen[str]":
        """Starts a module of this project as a process of its own; its errors go to the log."""
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        with log.open("a", encoding="utf-8") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=folder or self.folder,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | variables,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._processes.append(process)
        self.note(process.pid)
        return process

    def note(self, pid: int) -> None:
        """Writes down the id of a process that the demo, or one of its processes, started."""
        with (self.folder / PROCESSES).open("a", encoding="utf-8") as file:
            file.write(f"{pid}\n")

    def end(self, process: "subprocess.Popen[str]") -> None:
        """Ends a process, by force if it does not end by itself, and closes its pipe."""
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout is not None:
            process.stdout.close()


def settings(folder: Path, lease_s: float = 3.0, **more: Any) -> Settings:  # noqa: ANN401
    """Settings that keep database and key in a folder, whatever the environment and pyproject.toml say.

    Args:
        folder: The scene's folder.
        lease_s: How long a silent worker keeps a run.
        more: Models and remote agents; without them there are none.
    """
    here: dict[str, Any] = {
        "database_url": f"sqlite:///{database(folder)}",
        "key_folder": folder / "keys",
        "user": LEAD.user,
        "lease_s": lease_s,
        "debug": False,
    }
    none: dict[str, Any] = {"tools": {}, "models": {}, "remotes": {}}
    none |= {name: "" for name in ("model", "model_url", "model_script", "otlp_endpoint")}
    return load(**here, **none | more)


def database(folder: Path) -> Path:
    """The database of a scene."""
    return folder / "interlock.db"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side."""
    lines = [head, *rows]
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    return [
        "  " + "   ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
