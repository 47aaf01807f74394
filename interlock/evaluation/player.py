"""Plays cases from plain functions, one at a time, so that a suite can be a pytest module of its own."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from interlock.evaluation.cases import Case, Suite
from interlock.evaluation.runner import AS_IT_IS, Process, Work
from interlock.evaluation.table import Result
from interlock.evaluation.variants import Variant


class Player:
    """One process that plays the cases of a suite; use it with `with`."""

    def __init__(self, suite: Suite, project: Path, variant: Variant = AS_IT_IS) -> None:
        """Starts nothing yet."""
        self._suite = suite
        self._process = Process(suite, project, variant)
        self._loop = asyncio.Runner()

    def __enter__(self) -> Self:
        """Imports the graph in a process of its own.

        Raises:
            BadInput: if it cannot be imported.
        """
        self._loop.__enter__()
        try:
            self._loop.run(self._process.__aenter__())
        except BaseException:
            self._loop.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the process."""
        try:
            self._loop.run(self._process.__aexit__())
        finally:
            self._loop.close()

    def play(self, name: str) -> tuple[Case, Result]:
        """Plays one case in a fresh world and compares it with what it expects.

        Raises:
            NotFound: if there is no such case.
        """
        part, case = self._suite.case(name)
        return case, self._loop.run(self._process.result(Work(part, "plain", case)))
