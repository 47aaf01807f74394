"""A process that plays cases one after the other: `python -m interlock.evaluation.worker GRAPH PROJECT`.

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
from interlock.evaluation.cases import Person
from interlock.evaluation.judging import Observed


class Job(BaseModel, frozen=True):
    """A case to play."""

    ticket: dict[str, Json]
    weather: dict[str, str]
    person: Person | None


class Answer(BaseModel, frozen=True):
    """What came of a job; the first answer of a process says whether it can play at all."""

    status: Literal["ready", "played", "broken"]
    seen: Observed | None = None
    error: str = ""


def main() -> None:
    """Plays what it is told until its input ends."""
    graph, project = sys.argv[1], Path(sys.argv[2])
    answers = _answers()
    logging.disable(logging.CRITICAL)
    sys.path.insert(0, str(project))
    folder = Path(tempfile.mkdtemp(prefix="interlock-evaluation-"))
    try:
        _serve(graph, project, folder, answers)
    except InterlockError as error:
        _say(answers, Answer(status="broken", error=error.message))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _serve(graph: str, project: Path, folder: Path, answers: TextIO) -> None:
    from interlock.evaluation import world as worlds
    from interlock.evaluation.play import play
    from interlock.registry import Registry

    world = worlds.load(project / "evals" / graph)
    world.start(folder / "shared")
    try:
        loaded = Registry.read(project).load(graph)
        _say(answers, Answer(status="ready"))
        for number, line in enumerate(sys.stdin):
            job = Job.model_validate_json(line)
            own = folder / str(number)
            own.mkdir()
            begun = time.monotonic()
            try:
                seen = asyncio.run(play(loaded, world, job.ticket, job.weather, job.person, own))
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
