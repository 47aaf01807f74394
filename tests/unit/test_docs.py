"""Every Python block of the README and the docs runs, from top to bottom of its page.

Blocks are plain synchronous Python, as in a file: a page that awaits calls `asyncio.run` itself.
"""

import linecache
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<indent> *)(?P<marks>```+|~~~+)(?P<language>[^`\s]*)")
PYTHON = ("python", "python3", "py")


def blocks_of(text: str) -> str:
    """The page with every line outside a Python block emptied, so that line numbers stay true."""
    kept: list[str] = []
    opened: re.Match[str] | None = None
    for line in text.splitlines():
        fence = FENCE.match(line)
        if opened is None:
            opened = fence
            kept.append("")
        elif fence and fence["marks"].startswith(opened["marks"]) and not fence["language"]:
            opened = None
            kept.append("")
        else:
            is_python = opened["language"].lower() in PYTHON
            kept.append(line.removeprefix(opened["indent"]) if is_python else "")
    if opened is not None:
        raise ValueError(f"a block is never closed: {opened.string!r}")
    return "\n".join(kept) + "\n"


def pages() -> list[Path]:
    """The pages that exist and hold at least one Python block, relative to the repository."""
    found = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if page.exists()]
    return [page.relative_to(ROOT) for page in found if blocks_of(page.read_text(encoding="utf-8")).strip()]


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

    run_page(source, str(page), monkeypatch)


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
