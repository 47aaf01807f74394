"""Runs a suite: which cases in which spellings, handed to a few warm processes, judged as they come back."""

import asyncio
import os
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from interlock.errors import BadInput
from interlock.evaluation.cases import Case, Part, Suite
from interlock.evaluation.judging import Observed, judge
from interlock.evaluation.noise import Spelling, varied
from interlock.evaluation.table import Report, Result
from interlock.evaluation.variants import Variant
from interlock.evaluation.worker import Answer, Job, Setup

START_S = 120.0
"""How long a process may take to import the graph."""
CASE_S = 120.0
"""How long one case may take; the process that plays a longer one is ended."""
END_S = 10.0
"""How long a process may take to close what it opened."""
LINE_BYTES = 16 * 1024 * 1024
"""The longest answer of a process."""
SEED = 1
"""Of the noise: the same in every run, so that two runs of a suite can be compared."""


AS_IT_IS = Variant()


@dataclass(frozen=True, slots=True)
class Work:
    """A case in one spelling."""

    part: Part
    spelling: Spelling
    case: Case


async def run_suite(
    name: str,
    project: Path,
    *,
    variant: Variant = AS_IT_IS,
    held_out: bool = False,
    noise: bool = False,
    only: Collection[str] = (),
    processes: int | None = None,
    done: Callable[[Result, int], None] | None = None,
) -> Report:
    """Runs the cases of a suite and judges them by their expectations; metrics are not measured here.

    Args:
        name: The suite: a folder in `evals/`, called like its graph or naming it.
        project: The project's folder.
        variant: Another graph, model or prompt.
        held_out: Also the part that nobody builds against.
        noise: Each case also misspelt, and with its sentences reordered.
        only: The ids of the cases to play, from whichever part; by default every case.
        processes: How many play at the same time; by default as many as there are processors.
        done: Called with each result as it comes, and how many there will be.

    Raises:
        NotFound, BadInput: if the suite cannot be read, or the graph cannot be imported.
    """
    suite = await asyncio.to_thread(Suite.read, name, project)
    work = chosen(suite, held_out=held_out, noise=noise, only=only)
    waiting = asyncio.Queue[Work]()
    for each in work:
        waiting.put_nowait(each)
    results: list[Result] = []

    async def one_process() -> None:
        async with Process(suite, project, variant) as process:
            while not waiting.empty():
                each = waiting.get_nowait()
                result = await process.result(each)
                results.append(result)
                if done is not None:
                    done(result, len(work))

    count = min(processes or os.cpu_count() or 1, len(work))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(one_process())
    except ExceptionGroup as problems:
        raise problems.exceptions[0] from None
    order = {(each.case.id, each.spelling): place for place, each in enumerate(work)}
    results.sort(key=lambda result: order[result.case, result.spelling])
    return Report.of(suite, results)


def chosen(suite: Suite, *, held_out: bool, noise: bool, only: Collection[str] = ()) -> list[Work]:
    """What is to be played, plain cases first.

    Raises:
        NotFound: if there is no case of that id.
    """
    parts: list[Part] = ["development", "held_out"] if held_out else ["development"]
    cases = [suite.case(name) for name in dict.fromkeys(only)]
    cases = cases or [(part, each) for part in parts for each in suite.cases[part]]
    spellings: list[Spelling] = ["plain", "noisy", "reordered"] if noise else ["plain"]
    return [Work(part, spelling, each) for spelling in spellings for part, each in cases]


class Process:
    """One process that plays cases; started anew after a case that ended it."""

    def __init__(self, suite: Suite, project: Path, variant: Variant = AS_IT_IS) -> None:
        """Starts with the first case."""
        self._suite, self._variant = suite, variant
        self._graph = variant.graph or suite.graph
        setup = Setup(
            project=project,
            suite=suite.name,
            graph=self._graph,
            model=variant.model,
            script=str(project / variant.script) if variant.script else "",
        )
        self._command = (sys.executable, "-m", "interlock.evaluation.worker", setup.model_dump_json())
        self._project = project
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> "Process":
        """Starts it, so that a graph that cannot be imported is told before anything is played."""
        await self._start()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Ends it."""
        await self._end()

    async def result(self, work: Work, prompts: Mapping[str, str] | None = None) -> Result:
        """Plays one case, with the variant's prompts or these, and judges it."""
        ticket = varied(work.case.ticket, work.spelling, self._suite.settings.text, SEED)
        given = dict(self._variant.prompts if prompts is None else prompts)
        answer = await self.play(Job(ticket=ticket, weather=work.case.weather, prompts=given))
        seen: Observed | str = answer.seen or answer.error
        return Result(
            case=work.case.id,
            part=work.part,
            spelling=work.spelling,
            why=work.case.why,
            checks=tuple(judge(work.case.expect, seen)),
            harm=answer.seen.harm if answer.seen else (),
            seen=answer.seen,
        )

    async def play(self, job: Job) -> Answer:
        """Plays one case; whatever happens to the process, there is an answer."""
        if self._process is None:
            await self._start()
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(job.model_dump_json().encode() + b"\n")
            await self._process.stdin.drain()
            return await self._answer(CASE_S)
        except TimeoutError:
            why = f"it took longer than {CASE_S:g} s"
        except (EOFError, OSError):
            why = "it ended the process that played it"
        await self._end()
        return Answer(status="broken", error=why)

    async def _start(self) -> None:
        path = os.pathsep.join(filter(None, [str(self._project), os.environ.get("PYTHONPATH")]))
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=self._project,
            env={**os.environ, "PYTHONPATH": path},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LINE_BYTES,
        )
        try:
            first = await self._answer(START_S)
        except (EOFError, TimeoutError, OSError) as error:
            await self._end()
            raise BadInput(
                f"the process that plays the cases of {self._graph!r} did not start: `interlock graph "
                f"{self._graph}` imports the same graph and may say why."
            ) from error
        if first.status != "ready":
            await self._end()
            raise BadInput(first.error)

    async def _answer(self, seconds: float) -> Answer:
        assert self._process is not None and self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), seconds)
        if not line:
            raise EOFError
        return Answer.model_validate_json(line)

    async def _end(self) -> None:
        """Lets it close what it opened, and kills it if it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except (TimeoutError, asyncio.CancelledError):
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
