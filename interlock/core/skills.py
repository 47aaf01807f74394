"""Skills: folders with a SKILL.md, read once when the agent is made, so that no path can leave them later."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from interlock.core.prompts import read_text, split_head
from interlock.errors import BuildError

FILE = "SKILL.md"
_MAX_BYTES = 256 * 1024
"""Of one skill with everything in its folder: enough for text, too little for a data set."""


@dataclass(frozen=True, slots=True)
class Skill:
    """What a model may read up when it needs it."""

    name: str
    description: str
    """One sentence, which stands in the prompt; the rest is loaded when asked for."""
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """Every text file of the folder by its path in it; `SKILL.md` without its head."""

    @property
    def version(self) -> str:
        """Digest of everything in the folder."""
        whole = "\0".join(f"{name}\0{text}" for name, text in sorted(self.files.items()))
        return hashlib.sha256(f"{self.description}\0{whole}".encode()).hexdigest()[:6]


def read_skills(folders: Sequence[Path]) -> tuple[Skill, ...]:
    """Reads skills, each from a folder with a SKILL.md or from a folder of such folders.

    Raises:
        BuildError: for a folder without a skill, a head without name or description, a file that is
            no text or lies outside, too much text, or two skills of one name.
    """
    found: dict[str, Skill] = {}
    for folder in folders:
        for each in _folders(folder):
            skill = _read(each)
            if skill.name in found:
                raise BuildError(f"two skills are named {skill.name!r}: give one another name.")
            found[skill.name] = skill
    return tuple(found.values())


def _folders(folder: Path) -> list[Path]:
    if (folder / FILE).is_file():
        return [folder]
    inside = sorted(each.parent for each in folder.glob(f"*/{FILE}")) if folder.is_dir() else []
    for each in inside:
        _stays(each, folder)
    if not inside:
        raise BuildError(f"there is no skill in {folder}: a skill is a folder with a {FILE}.")
    return inside


def _read(folder: Path) -> Skill:
    _stays(folder / FILE, folder)
    head, text = split_head(read_text(folder / FILE, "skill"), f"skill {folder.name}")
    name, description = head.get("name", ""), head.get("description", "")
    if not name or not description:
        raise BuildError(f"skill {folder.name}: the head of its {FILE} needs `name:` and `description:`.")
    files = {FILE: text.strip(), **dict(_others(folder))}
    if sum(len(each.encode()) for each in files.values()) > _MAX_BYTES:
        raise BuildError(f"skill {name} holds more than {_MAX_BYTES // 1024} KiB of text: make it smaller.")
    return Skill(name, description, files)


def _stays(path: Path, folder: Path) -> None:
    """Refuses a link to somewhere else."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BuildError(f"skill {folder.name}: {path.relative_to(folder)} leads out of its folder.")


def _others(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        if (
            not file.is_file()
            or path == Path(FILE)
            or any(part.startswith((".", "__")) for part in path.parts)
        ):
            continue
        _stays(file, folder)
        if file.stat().st_size > _MAX_BYTES:
            raise BuildError(f"skill {folder.name}: {path} is larger than {_MAX_BYTES // 1024} KiB.")
        yield path.as_posix(), read_text(file, "skill")
