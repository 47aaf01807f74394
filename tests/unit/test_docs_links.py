"""Every link from one page of the repository to another leads to a file, and to a heading of it."""

import re
from pathlib import Path

import pytest

from tests.unit.test_docs import lines_of

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING", "CHANGELOG", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^()\s]+)\)|^\[[^\]]+\]:\s*(?P<named>\S+)", re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")


def prose(text: str) -> list[str]:
    """The lines of a page outside its blocks, blocks' lines left empty."""
    raw = text.splitlines()
    return [raw[line.number - 1] if line.fence is None else "" for line in lines_of(text)]


def targets(text: str) -> list[str]:
    """The links of a page that stay within the repository, in order."""
    shown = CODE.sub("", "\n".join(prose(text)))
    found = [match["target"] or match["named"] for match in LINK.finditer(shown)]
    return [each for each in found if not re.match(r"[a-z][a-z0-9+.-]*:", each)]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as web views of repositories make them."""
    found: dict[str, int] = {}
    names: set[str] = set()
    for line in prose(text):
        heading = re.match(r"#{1,6}\s+(.+?)\s*#*$", line)
        if not heading:
            continue
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).replace("`", "").lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        names.add(f"{name}-{found[name]}" if name in found else name)
        found[name] = found.get(name, 0) + 1
    return names


def broken(page: Path, text: str) -> list[str]:
    """The links of a page that lead nowhere."""
    return [target for target in targets(text) if not leads(page, text, *target.partition("#")[::2])]


def leads(page: Path, text: str, path: str, anchor: str) -> bool:
    """Says whether there is such a file in the repository, and such a heading in it."""
    there = (page.parent / path).resolve() if path else page
    if path and not (there.is_relative_to(ROOT) and there.exists()):
        return False
    return not anchor or anchor in anchors(there.read_text(encoding="utf-8") if path else text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_page_lead_somewhere(page: Path) -> None:
    """Files exist, within the repository; anchors are headings."""
    assert broken(page, page.read_text(encoding="utf-8")) == []


def test_every_page_is_reached_from_the_readme() -> None:
    """A page of the docs that nothing links to is a page that nobody reads."""
    seen: set[Path] = set()
    open_pages = [ROOT / "README.md"]
    while open_pages:
        page = open_pages.pop()
        seen.add(page)
        for target in targets(page.read_text(encoding="utf-8")):
            there = (page.parent / target.partition("#")[0]).resolve()
            if there.suffix == ".md" and there.is_file() and there not in seen:
                open_pages.append(there)

    assert [page for page in PAGES if page not in seen] == []


def test_lost_links_are_found() -> None:
    """A missing file, a missing heading and a file outside the repository; code and blocks hold no links."""
    page = ROOT / "page.md"
    text = (
        "# My `page`\n[a](nowhere.md) [b](#my-page) [c](#other) [d](../outside.md) [e](README.md)\n"
        "`[f](code.md)`\n```text\n[g](block.md)\n# other\n```\n[h]: gone.md\n[i](https://example.org/x.md)\n"
    )

    assert broken(page, text) == ["nowhere.md", "#other", "../outside.md", "gone.md"]
