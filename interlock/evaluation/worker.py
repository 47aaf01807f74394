"""A process that plays cases one after the other: `python -m interlock.evaluation.worker SETUP`.

One JSON object a line: a job comes on standard input, its answer leaves on standard output. A process of its
own because a suite's world may live in the environment, and so that a case that kills it is one failed case.
"""

import asyncio
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal, TextIO

from pydantic import BaseModel

from interlock.core.canonical import Json
from interlock.errors import InterlockError
from interlock.evaluation.cases import Weather
from interlock.evaluation.judging import Observed


class Setup(BaseModel, frozen=True):
    """What a process plays, for as long as it lives."""

    project: Path
    suite: str
    """The folder in `evals/` that has the world."""
    graph: str
    """A graph that `langgraph.json` names, or `path/to/file.py:name`."""
    model: str = ""
    """What every model route stands for; empty: as configured."""
    script: str = ""
    """What answers while no model is configured: `path/to/file.py:name`; empty: as configured."""


class Job(BaseModel, frozen=True):
    """A case to play."""

    ticket: dict[str, Json]
    weather: Weather = Weather()
    prompts: dict[str, str] = {}
    """Agent -> the text of its prompt, in place of its file's."""


class Answer(BaseModel, frozen=True):
    """What came of a job; the first answer of a process says whether it can play at all."""

    status: Literal["ready", "played", "broken"]
    seen: Observed | None = None
    error: str = ""


def main() -> None:
    """Plays what it is told until its input ends."""
    setup = Setup.model_validate_json(sys.argv[1])
    answers = _answers()
    logging.disable(logging.CRITICAL)
    sys.path.insert(0, str(setup.project))
    folder = Path(tempfile.mkdtemp(prefix="interlock-evaluation-"))
    try:
        _serve(setup, folder, answers)
    except InterlockError as error:
        _say(answers, Answer(status="broken", error=error.message))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _serve(setup: Setup, folder: Path, answers: TextIO) -> None:
    from interlock.bootstrap import as_graph
    from interlock.evaluation import world as worlds
    from interlock.evaluation.play import play
    from interlock.registry import Registry

    world = worlds.load(setup.project / "evals" / setup.suite)
    world.start(folder / "shared")
    try:
        graph, _ = as_graph(Registry.of(setup.project, setup.graph).load(setup.graph))
        _say(answers, Answer(status="ready"))
        for number, line in enumerate(sys.stdin):
            job = Job.model_validate_json(line)
            own = folder / str(number)
            own.mkdir()
            begun = time.monotonic()
            try:
                seen = asyncio.run(play(graph, world, job, setup, own))
                seen = seen.model_copy(update={"seconds": round(time.monotonic() - begun, 3)})
                _say(answers, Answer(status="played", seen=seen))
            except Exception as error:
                _say(answers, Answer(status="broken", error=f"{type(error).__name__}: {error}"))
            shutil.rmtree(own, ignore_errors=True)
    finally:
        world.close()


def _answers() -> TextIO:
    """Standard output for answers alone: what graphs print goes to standard error."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


def _say(answers: TextIO, answer: Answer) -> None:
    print(json.dumps(answer.model_dump(mode="json")), file=answers, flush=True)


if __name__ == "__main__":
    main()
