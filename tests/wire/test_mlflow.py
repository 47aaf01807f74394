"""A run opened in MLflow: the same spans, typed by a backend that nobody here wrote."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from interlock import bind
from interlock.core.trace import trace_of
from interlock.observability.exporting import encoded
from interlock.observability.traced import Span
from tests.desk import settings
from tests.interop.environments import ROOT, environment
from tests.receiver import Receiver
from tests.recorded import Scripted, Ticket, busy

HERE = Path(__file__).parent
START_S = 240.0


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python of MLflow's environment."""
    return environment(HERE / "mlflow.txt")


@pytest.fixture(scope="module")
def mlflow(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A running MLflow server, with whatever helpers it starts."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'm.db'}", "--workers", "1"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env = {**inherited, "MLFLOW_DISABLE_TELEMETRY": "true", "PATH": f"{python.parent}:{os.environ['PATH']}"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, server, folder / "log")
            yield url
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(30)


def _wait(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"MLflow did not start: {log.read_text()[-2000:]}")


def _warm(url: str, experiment: str) -> None:
    """Sends one span of no run: a server that has just started takes its time with the first."""
    now = datetime.now(UTC)
    request = urllib.request.Request(
        f"{url}/v1/traces",
        data=encoded([Span("a" * 32, "b" * 16, "", "warm", now, now, {})]),
        headers={"Content-Type": "application/x-protobuf", "x-mlflow-experiment-id": experiment},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert answer.status == 200


async def _whole(python: Path, url: str, experiment: str) -> list[dict[str, Any]]:
    """The traces of an experiment, once the last span of the run has arrived."""
    deadline = time.monotonic() + 180
    while True:
        found = await asyncio.to_thread(_read, python, url, experiment)
        if found and any(span["name"] == "segment" for span in found[0]["spans"]):
            return found
        assert time.monotonic() < deadline, found


def _experiment(url: str, name: str) -> str:
    request = urllib.request.Request(
        f"{url}/api/2.0/mlflow/experiments/create",
        data=json.dumps({"name": name}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())["experiment_id"]


def _read(python: Path, url: str, experiment: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [str(python), str(ROOT / "tests" / "wire" / "mlflow_reader.py"), url, experiment],
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


async def test_the_same_run_is_read_back_from_mlflow(mlflow: str, python: Path, tmp_path: Path) -> None:
    """MLflow has one trace with our spans, nested as ours, typed by either vocabulary, with its user."""
    _warm(mlflow, _experiment(mlflow, "warm"))
    experiment = _experiment(mlflow, "desk")
    with Receiver() as receiver:
        keys = {"langfuse_base_url": receiver.url, "langfuse_public_key": "pk", "langfuse_secret_key": "sk"}
        more = {"otlp_endpoint": mlflow, "otlp_headers": {"x-mlflow-experiment-id": experiment}}
        given = settings(tmp_path, **keys, **more)
        async with bind(busy().build(), settings=given, models=Scripted()) as app:
            run = await app.run(Ticket(text="anything"))
            traces = await _whole(python, mlflow, experiment)
        assert app.traces is not None and app.traces.problems == []

    (trace,) = traces
    assert trace["trace"] == f"tr-{trace_of(run.id)}"
    read = {span["id"]: span for span in trace["spans"]}
    assert {(span.id, span.parent or None) for span in receiver.spans} == {
        (span["id"], span["parent"]) for span in trace["spans"]
    }
    types = {span.name: read[span.id]["type"] for span in receiver.spans}
    assert (types["busy"], types["quick"]) == ("AGENT", "AGENT")
    assert types["scripted-1"] in ("CHAT_MODEL", "LLM")
    assert types["gate"] == "GUARDRAIL"
    assert trace["metadata"]["mlflow.trace.session"] == run.session
    assert trace["metadata"]["mlflow.trace.user"] == "olga"
    asked = next(span for span in trace["spans"] if span["name"] == "scripted-1")
    assert "Where is the parcel?" in json.dumps(asked["inputs"])
    assert "of a model" in json.dumps(asked["outputs"])
