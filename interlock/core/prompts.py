"""Prompt files: Markdown with a small head, read once when the agent is made, and known by their content."""

import hashlib
import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from interlock.core.canonical import Json
from interlock.errors import BuildError

_HEAD = re.compile(r"\A---[ \t]*\n(?P<head>.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"(?P<name>[A-Za-z_][\w-]*)[ \t]*:[ \t]*(?P<value>.*)")
_PLACE = re.compile(r"\{input((?:\.[A-Za-z_]\w*)*)\}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not finite")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"{text!r} is less than 1")
    return number


_HINTS: dict[str, Callable[[str], Json]] = {
    "temperature": _finite,
    "top_p": _finite,
    "max_tokens": _count,
    "seed": int,
}
"""What the head may say to the model, and how it is read."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The words of a prompt with their version."""

    name: str
    """The file's name without its ending."""
    text: str
    """What the model is told, without the head."""
    version: str
    """The declared version and the digest of the whole file: `3-ab12cd`; the digest alone where none is."""
    hints: tuple[tuple[str, Json], ...] = ()
    """Options of the model call that the head names: `temperature`, `top_p`, `max_tokens`, `seed`."""
    window: int | None = None
    """Tokens that a conversation may have, where the head says so; else the route's window holds."""

    @property
    def label(self) -> str:
        """`name@version`, as it stands in the record of every call."""
        return f"{self.name}@{self.version}"

    @classmethod
    def read(cls, file: Path) -> "Prompt":
        """Reads a prompt's file.

        Raises:
            BuildError: if it is not there, holds no words, or has a head nobody understands.
        """
        return parse(file.stem, read_text(file, "prompt"), str(file.name))

    def other(self, text: str, version: str) -> "Prompt":
        """The same prompt in the words of another source, such as a prompt registry."""
        return Prompt(self.name, text, _version(version, text), self.hints, self.window)


def parse(name: str, written: str, where: str) -> Prompt:
    """A prompt from the text of its file.

    Raises:
        BuildError: naming the line of the head that cannot be used.
    """
    head, text = split_head(written, f"prompt {where}")
    if not text.strip():
        raise BuildError(f"prompt {where} says nothing: write what the model is to do below its head.")
    version, window = head.pop("version", ""), head.pop("window", None)
    unknown = sorted(set(head) - set(_HINTS))
    if unknown:
        known = ", ".join(["version", "window", *_HINTS])
        raise BuildError(f"prompt {where}: its head says {unknown[0]!r}; it may say {known}.")
    try:
        hints = tuple((each, _HINTS[each](value)) for each, value in head.items())
        fits = _count(window) if window is not None else None
    except ValueError as error:
        raise BuildError(f"prompt {where}: a number of its head is none: {error}.") from error
    return Prompt(name, text.strip(), _version(version, written), hints, fits)


def split_head(written: str, where: str) -> tuple[dict[str, str], str]:
    """The head's lines by name, and the text below it; a file without a head is all text.

    Raises:
        BuildError: naming a line that is not `name: value`.
    """
    written = written.replace("\r\n", "\n")
    found = _HEAD.match(written)
    if found is None:
        return {}, written
    head: dict[str, str] = {}
    for line in filter(str.strip, found["head"].splitlines()):
        said = _LINE.fullmatch(line.strip())
        if said is None:
            raise BuildError(f"{where}: {line.strip()!r} in its head is not `name: value`.")
        head[said["name"]] = said["value"].strip().strip("\"'")
    return head, written[found.end() :]


def places(text: str) -> list[tuple[str, ...]]:
    """The paths of `{input}` and `{input.field}` in a prompt."""
    return [tuple(found[1].split(".")[1:]) for found in _PLACE.finditer(text)]


def fill(text: str, words: Callable[[tuple[str, ...]], str]) -> str:
    """The prompt with what `words` has for each `{input.field}`; other braces are left as they are."""
    return _PLACE.sub(lambda found: words(tuple(found[1].split(".")[1:])), text)


def beside_caller(path: str | Path) -> Path:
    """A path as the program that declares an agent means it.

    A relative one is looked for in the folder of the file that makes the agent; where code stands in
    no file (a console, a notebook), in the working folder.
    """
    given = Path(path)
    if given.is_absolute():
        return given
    frame = inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith("interlock."):
        frame = frame.f_back
    file = Path(frame.f_code.co_filename) if frame is not None else Path()
    return (file.resolve().parent if file.is_file() else Path.cwd()) / given


def read_text(file: Path, what: str) -> str:
    """The text of a file that an agent is made of.

    Raises:
        BuildError: if it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BuildError(
            f"there is no {what} file {file}: a relative path starts in the folder of the file that "
            "makes the agent."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BuildError(f"the {what} file {file} cannot be read: {type(error).__name__}.") from error


def _version(declared: str, text: str) -> str:
    made = hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()[:6]
    return f"{declared}-{made}" if declared else made
