"""A real LiteLLM proxy, with mock replies of its own and with the scripted model server behind it."""

import json
import random
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from interlock.testing import ModelServer
from tests.interop.environments import environment
from tests.interop.processes import QUIET, started

START_S = 180.0
"""Its first start compiles some thousand modules."""
KEY = "sk-wire"
MOCKED = {
    "mock": "hello from litellm",
    "limited": "litellm.RateLimitError",
    "broken": "litellm.InternalServerError",
    "full": "litellm.ContextWindowExceededError",
}
"""Models that LiteLLM answers for by itself."""


class Proxy:
    """Where the proxy is, and where it looks for the scripted server."""

    def __init__(self, port: int, upstream: int, folder: Path) -> None:
        """Writes its configuration; models without a mock go to the scripted server."""
        self.url = f"http://127.0.0.1:{port}/v1"
        self.port, self.upstream, self.key = port, upstream, KEY
        behind = {"api_base": f"http://127.0.0.1:{upstream}/v1"}
        models = [_model(name, mock_response=said) for name, said in MOCKED.items()]
        models += [_model("upstream", **behind), _model("second", **behind)]
        settings: dict[str, Any] = {
            "model_list": models,
            "litellm_settings": {"num_retries": 0, "telemetry": False, "request_timeout": 30},
            "router_settings": {"num_retries": 0, "disable_cooldowns": True},
            "general_settings": {"master_key": KEY},
        }
        self.config = folder / "litellm.yaml"  # JSON is YAML
        self.config.write_text(json.dumps(settings), encoding="utf-8")


def _model(name: str, **more: str) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_key": "none", **more}}


@pytest.fixture(scope="session")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Generator[Proxy]:
    """The proxy, running."""
    folder = tmp_path_factory.mktemp("litellm")
    made = Proxy(*_free_ports(), folder)
    command = [
        str(environment(Path(__file__).parent / "litellm.txt").parent / "litellm"),
        *(
            "--config",
            str(made.config),
            "--host",
            "127.0.0.1",
            "--port",
            str(made.port),
            "--telemetry",
            "False",
        ),
    ]
    log = folder / "litellm.log"
    with started(command, log, {**QUIET, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_DOCS": "True"}, folder):
        _wait(f"http://127.0.0.1:{made.port}/health/liveliness", log)
        yield made


def _wait(url: str, log: Path) -> None:
    deadline = monotonic() + START_S
    while monotonic() < deadline:
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            sleep(0.1)
    raise AssertionError(f"LiteLLM does not listen: {log.read_text(encoding='utf-8')[-2000:]}")


def _free_ports() -> tuple[int, int]:
    """Two ports for the whole session, below those that the system gives away to whoever asks for any."""
    found: list[int] = []
    for port in random.sample(range(20_000, 30_000), 50):
        with socket.socket() as each, suppress(OSError):
            each.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == 2:
            break
    return found[0], found[1]


@pytest.fixture
async def upstream(proxy: Proxy) -> AsyncGenerator[ModelServer]:
    """The scripted server that LiteLLM asks for `upstream` and `second`."""
    async with ModelServer(["hello from behind"], port=proxy.upstream) as server:
        yield server
