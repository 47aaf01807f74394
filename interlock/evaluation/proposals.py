"""A proposed prompt beside the one it would replace, with what was measured; only a person accepts it."""

import difflib
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from interlock.core.prompts import parse, split_head
from interlock.errors import BadInput, BuildError, NotFound

_VERSION = re.compile(r"^(version[ \t]*:[ \t]*)(.*)$", re.MULTILINE)


class Figures(BaseModel, frozen=True, extra="forbid"):
    """What was measured of a proposal, and of which prompt it is a proposal."""

    v: Literal[1] = 1
    """Format version."""
    agent: str
    suite: str
    before: str
    """SHA-256 of the prompt's file as it was."""
    after: str
    """SHA-256 of the proposed file."""
    held_out_before: float
    """Mean score on the held-out cases, from 0 to 1."""
    held_out_after: float
    harmed: int = 0
    """Held-out cases in which the proposal did what must never happen."""
    plays: int
    """Cases that were played for it in all."""

    @property
    def gain(self) -> float:
        """Held-out score won."""
        return self.held_out_after - self.held_out_before

    @property
    def refused(self) -> str:
        """Why it must not be accepted; empty where it may."""
        if self.harmed:
            return f"it did what must never happen in {self.harmed} held-out cases"
        if self.gain < 0:
            return f"the held-out cases got worse by {-self.gain:.1%}"
        return ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A prompt's file and the one that would replace it."""

    prompt: Path
    file: Path
    """Where the proposal is, or will be written."""

    @classmethod
    def beside(cls, prompt: Path, out: Path | None = None) -> "Proposal":
        """The proposal of a prompt: `NAME.vN.proposed.md` beside it, or where `out` says."""
        return cls(prompt, out or prompt.with_name(f"{prompt.stem}.v{_next(_read(prompt))}.proposed.md"))

    @property
    def figures_file(self) -> Path:
        """Where its figures are."""
        return self.file.with_suffix(".json")

    def write(self, text: str, figures: Figures) -> None:
        """Writes the proposal and its figures.

        Raises:
            BadInput: if they cannot be written.
        """
        try:
            self.file.write_text(text, encoding="utf-8")
            told = json.dumps(figures.model_dump(mode="json"), indent=1, sort_keys=True)
            self.figures_file.write_text(f"{told}\n", encoding="utf-8")
        except OSError as error:
            raise BadInput(f"the proposal {str(self.file)!r} cannot be written: {error.strerror}.") from error

    def accept(self) -> Figures:
        """Puts the proposal in the prompt's place and removes it; what was measured is returned.

        Raises:
            NotFound: if there is no proposal.
            BadInput: if prompt or proposal are not those that were measured, or the held-out cases got worse.
        """
        if not self.file.is_file() or not self.figures_file.is_file():
            raise NotFound(f"there is no proposal {str(self.file)!r}: make one without --accept.")
        try:
            figures = Figures.model_validate_json(self.figures_file.read_text(encoding="utf-8"))
        except (OSError, ValueError, ValidationError) as error:
            raise BadInput(f"{str(self.figures_file)!r} cannot be read: make the proposal again.") from error
        text = _read(self.file)
        if digest(_read(self.prompt)) != figures.before:
            raise BadInput(
                f"{str(self.prompt)!r} has changed since the proposal was measured: make the proposal again."
            )
        if digest(text) != figures.after:
            raise BadInput(
                f"{str(self.file)!r} has changed since it was measured, so nobody knows its worth: make the "
                "proposal again, or copy what you want into the prompt yourself."
            )
        if figures.refused:
            raise BadInput(f"the proposal cannot be accepted: {figures.refused}.")
        self.prompt.write_text(text, encoding="utf-8")
        self.file.unlink()
        self.figures_file.unlink()
        return figures

    def diff(self, text: str) -> list[str]:
        """What would change in the prompt's file, as a unified diff."""
        before, after = _read(self.prompt).splitlines(), text.splitlines()
        return list(difflib.unified_diff(before, after, self.prompt.name, self.file.name, lineterm=""))


def words_of_file(file: Path) -> str:
    """What stands below the head of a prompt's file: the part that is optimised."""
    return split_head(_read(file), f"prompt {file.name}")[1].strip()


def rewritten(file: Path, words: str) -> str:
    """The prompt's file with other words; its head is kept, but for the version, which counts up."""
    written = _read(file).replace("\r\n", "\n")
    head = written[: len(written) - len(split_head(written, f"prompt {file.name}")[1])]
    number = str(_next(written))
    if not head:
        head = f"---\nversion: {number}\n---\n"
    elif _VERSION.search(head):
        head = _VERSION.sub(lambda found: found[1] + number, head, count=1)
    else:
        head = head.replace("---\n", f"---\nversion: {number}\n", 1)
    return f"{head}{words.strip()}\n"


def usable(file: Path, text: str) -> bool:
    """Says whether a text can be a prompt's file."""
    try:
        parse(file.stem, text, file.name)
    except BuildError:
        return False
    return True


def digest(text: str) -> str:
    """What a file's text is known by."""
    return hashlib.sha256(text.encode()).hexdigest()


def _next(written: str) -> int:
    declared = split_head(written, "prompt")[0].get("version", "")
    number = re.match(r"\d+", declared)
    return int(number[0]) + 1 if number else 2


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BadInput(f"the prompt {str(file)!r} cannot be read: {type(error).__name__}.") from error
