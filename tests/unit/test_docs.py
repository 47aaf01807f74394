"""Every Python block of the README and the docs runs, from top to bottom of its page.

Blocks are plain synchronous Python, as in a file: a page that awaits calls `asyncio.run` itself. A block with
a title, such as `python title="agents/risk.py"`, is an excerpt: it is not run, but stands in that file.
"""

import linecache
import os
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from unittest.mock import patch

import pytest

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<indent> *)(?P<marks>```+|~~~+)(?P<language>[^`\s]*)(?P<rest>[^`]*)$")
TITLE = re.compile(r"\btitle=\"([^\"]*)\"")
PYTHON = ("python", "python3", "py")


class Line(NamedTuple):
    """A line of a page, with the fence of the block that it stands in."""

    number: int
    text: str
    fence: re.Match[str] | None

    @property
    def is_python(self) -> bool:
        """Says whether it is code of a Python block, excerpt or not."""
        return self.fence is not None and self.fence["language"].lower() in PYTHON

    @property
    def title(self) -> str:
        """The file that the block is an excerpt of; empty if it is none."""
        found = TITLE.search(self.fence["rest"]) if self.fence else None
        return found[1] if found else ""


def lines_of(text: str) -> list[Line]:
    """The page's lines; those that open or close a block belong to no block, and neither does prose."""
    lines: list[Line] = []
    opened: re.Match[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if opened is None:
            opened = fence
            lines.append(Line(number, "", None))
        elif fence and fence["marks"].startswith(opened["marks"]) and not fence["language"]:
            opened = None
            lines.append(Line(number, "", None))
        else:
            lines.append(Line(number, line.removeprefix(opened["indent"]), opened))
    if opened is not None:
        raise ValueError(f"a block is never closed: {opened.string!r}")
    return lines


def blocks_of(text: str) -> str:
    """The page with every line outside a block that runs emptied, so that line numbers stay true."""
    kept = [line.text if line.is_python and not line.title else "" for line in lines_of(text)]
    return "\n".join(kept) + "\n"


def excerpts_of(text: str) -> list[tuple[int, str, str]]:
    """The excerpts of a page: the line where one begins, the file it is from, and its code."""
    found: dict[int, tuple[int, str, list[str]]] = {}
    for line in lines_of(text):
        if line.is_python and line.title:
            found.setdefault(id(line.fence), (line.number, line.title, []))[2].append(line.text)
    return [(number, title, "\n".join(code) + "\n") for number, title, code in found.values()]


def missing_in(source: str, code: str) -> str:
    """The first part of an excerpt that is not in the source; a lone `...` leaves lines out."""
    rest = "\n" + source
    for part in re.split(r"^ *\.\.\.\n", code, flags=re.MULTILINE):
        lines = part.strip("\n")
        at = rest.find(f"\n{lines}\n") if lines else 0
        if at < 0:
            return part
        rest = rest[at + len(lines) + 1 :] if lines else rest
    return ""


def pages() -> list[Path]:
    """The pages that exist and hold at least one Python block, relative to the repository."""
    found = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if page.exists()]
    return [page.relative_to(ROOT) for page in found if blocks_of(page.read_text(encoding="utf-8")).strip()]


def excerpts() -> list[tuple[str, str, str]]:
    """The excerpts of all pages: where one stands, the file it is from, and its code."""
    return [
        (f"{page.relative_to(ROOT)}:{number}", title, code)
        for page in sorted((ROOT / "docs").rglob("*.md"))
        for number, title, code in excerpts_of(page.read_text(encoding="utf-8"))
    ]


def run_page(source: str, name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Run the blocks as one module that inspect, dataclasses and pydantic can find again by name."""
    module = ModuleType("docs_page")
    module.__file__ = name
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(linecache.cache, name, (len(source), None, source.splitlines(keepends=True), name))
    exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
    return module


@pytest.mark.parametrize("page", pages(), ids=str)
def test_blocks_of_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of one page share one namespace and an empty folder, as a reader would type them."""
    source = blocks_of((ROOT / page).read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)

    with patch.dict(os.environ):
        run_page(source, str(page), monkeypatch)


@pytest.mark.parametrize(("where", "file", "code"), [pytest.param(*each, id=each[0]) for each in excerpts()])
def test_excerpt_stands_in_its_file(where: str, file: str, code: str) -> None:
    """What a page shows of a file is what that file says, word for word."""
    assert missing_in((ROOT / file).read_text(encoding="utf-8"), code) == "", where


def test_a_failing_block_is_reported_at_its_line_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that raises points at the page's own line, not at the block's."""
    source = blocks_of(
        "# Title\n\n```python\nfine = 1\n```\n\ntext\n\n```python\nraise KeyError(fine)\n```\n"
    )

    with pytest.raises(KeyError) as raised:
        run_page(source, "page.md", monkeypatch)

    place = traceback.extract_tb(raised.tb)[-1]
    assert (place.filename, place.lineno) == ("page.md", 10)


def test_only_python_blocks_are_run() -> None:
    """Shell lines, prose and longer fences that quote a block are left out; indented blocks are run."""
    text = "```bash\nexit 1\n```\n````text\n```python\n1/0\n```\n````\n- step\n\n  ```py\n  x = 1\n  ```\n"

    assert blocks_of(text).split("\n")[:-1] == [*[""] * 11, "x = 1", ""]


def test_a_block_that_is_never_closed_is_an_error() -> None:
    """A forgotten fence would hide the rest of the page from this test."""
    with pytest.raises(ValueError, match="never closed"):
        blocks_of("```python\nx = 1\n")


def test_an_excerpt_is_compared_and_not_run() -> None:
    """A titled block belongs to a file; everything in it, in its order, must be there."""
    text = '```python title="a.py"\nx = 1\n...\ny = 2\n```\n```python\nz = 3\n```\n'
    [(number, title, code)] = excerpts_of(text)

    assert (number, title) == (2, "a.py")
    assert blocks_of(text).split() == ["z", "=", "3"]
    assert missing_in("x = 1\nw = 0\ny = 2\n", code) == ""
    assert missing_in("y = 2\nx = 1\n", code) == "y = 2\n"
    assert missing_in("x = 1  # one\ny = 2\n", code) == "x = 1\n"
