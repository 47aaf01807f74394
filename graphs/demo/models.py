"""The models of act 1: two scripted servers on loopback, of which the first misbehaves; or a real one.

With INTERLOCK_MODEL set, that model reads the tickets, and nothing misbehaves on purpose.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from graphs.demo.stage import ROOT
from interlock.bootstrap.models import script_of
from interlock.settings import ModelSettings, PriceSettings
from interlock.testing.model_server import Asked, Babbles, ModelServer, Refuses, Turn

QUICK, CAREFUL = "quick", "careful"
"""The names of the two models; the first is asked first."""
PRICE = PriceSettings.model_validate({"input": "1.00", "output": "4.00"})
"""USD per million tokens, so that the totals have something to add up."""
BROKEN, BUSY = "T-049", "T-050"
"""The tickets whose first reply is no JSON, and whose first request comes too soon."""


def _quick(asked: Asked) -> Turn:
    """The first model: one reply that never ends, then one refusal, as if too many had asked."""
    return Babbles() if BROKEN in asked.text else Refuses(429, retry_after_s=0.5)


@asynccontextmanager
async def models() -> AsyncGenerator[dict[str, Any]]:
    """The settings of the models, while they answer; a real model where the environment names one."""
    real = {name: os.environ.get(f"INTERLOCK_{name.upper()}", "") for name in ("model", "model_url")}
    if real["model"]:
        yield real
        return
    # Imported only now: whoever imports the desk's agents decides where its carrier is.
    from graphs.reading import ROUTE

    reader = script_of(f"{ROOT / 'evals' / 'support' / 'reader.py'}:script")
    async with ModelServer(_quick) as quick, ModelServer(reader) as careful:
        asked = [(QUICK, quick), (CAREFUL, careful)]
        listed = [ModelSettings(model=name, url=server.url, price=PRICE) for name, server in asked]
        yield {"model": "", "models": {ROUTE: tuple(listed)}}
