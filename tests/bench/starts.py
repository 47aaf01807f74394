"""How long it takes until something answers: whole processes, one after the other."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench import desk
from tests.bench.measure import Times

ROOT = Path(__file__).resolve().parents[2]
HELP = ("-m", "interlock", "--help")
PROCESSES: Mapping[str, tuple[str, ...]] = {
    "python": ("-c", "pass"),
    "help": HELP,
    "imports": ("-c", desk.IMPORTS),
    "first answer": ("-m", "tests.bench.first"),
}


@dataclass(frozen=True, slots=True)
class Starts:
    """Seconds of each process, from its start to its end."""

    cpu: dict[str, Times]
    wall: dict[str, Times]


def starts(rounds: int) -> Starts:
    """Starts the processes in turns, each in a new, empty folder."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in PROCESSES}
    for number in range(rounds + 1):
        for name, arguments in PROCESSES.items():
            seconds = _run(arguments)
            if number:  # the first round only fills caches
                taken[name].append(seconds)
    return Starts(
        {name: Times(tuple(cpu for cpu, _ in each)) for name, each in taken.items()},
        {name: Times(tuple(wall for _, wall in each)) for name, each in taken.items()},
    )


def _run(arguments: tuple[str, ...]) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        used, begun = _children(), time.perf_counter()
        subprocess.run(
            [sys.executable, *arguments], cwd=folder, env=environment, check=True, capture_output=True
        )
        return _children() - used, time.perf_counter() - begun


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
