"""The table of the docs is what was just seen; collected last, whatever the order of the rest."""

from tests.interop.board import DEEDS, DIRECTIONS, PAGE, PEERS, read, table, versions


def test_everything_was_seen() -> None:
    """Each peer, both directions, every deed: nothing in the table is a guess."""
    expected = {f"{p.name} {direction} {deed}" for p in PEERS for direction in DIRECTIONS for deed in DEEDS}

    assert set(read()) == expected, "run the whole ring: make interop"


def test_the_page_has_the_table_that_was_seen() -> None:
    """Where it differs, put the table that `make interop` printed into the page."""
    assert table(read()) in PAGE.read_text(encoding="utf-8")


def test_the_page_names_the_versions_of_the_frameworks_with_quirks() -> None:
    """A quirk is one of a version."""
    page = PAGE.read_text(encoding="utf-8")

    for name, distribution in (("fasta2a", "fasta2a"), ("agno", "agno"), ("langgraph_api", "langgraph-api")):
        assert f"{distribution} {versions(name)[distribution]}" in page
