"""The peers that serve, started when first asked for and ended with the session."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.interop.processes import Served, serving


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Callable[[str], Served]]:
    """Serves the agent of a peer, by name."""
    folder = tmp_path_factory.mktemp("peers")
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(serving(name, folder)))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The table is looked at when everything has been seen, whatever order the rest is in."""
    items.sort(key=lambda item: "test_table" in item.nodeid)
