"""Models, as the settings name them; where they name none, a scripted model server on loopback."""

import asyncio
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, cast

from interlock.core.canonical import Json
from interlock.core.limits import Budget, Deadline
from interlock.core.models import ModelCall, ModelReply
from interlock.core.ports import Clock
from interlock.errors import BadInput, ModelUnavailable
from interlock.settings import ModelSettings, Settings, secret

if TYPE_CHECKING:
    from interlock.inference.gateway import ModelGateway
    from interlock.inference.routes import Candidate
    from interlock.testing.model_server import Asked, ModelServer, Script, Turn

SCRIPTED = "scripted"
_KEY = "INTERLOCK_MODEL_KEY"
_NO_MODEL = "no model is configured: set INTERLOCK_MODEL, or name one in [tool.interlock.models]"


class ChosenModels:
    """The `Models` port as the settings choose it; nothing is loaded or started before the first call."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Takes the settings; `close` ends what was started."""
        self._settings = settings
        self._clock = clock
        self._gateway: ModelGateway | None = None
        self._server: ModelServer | None = None
        self._opening = asyncio.Lock()
        self._making = Lock()
        self._told = False

    @property
    def scripted(self) -> bool:
        """Whether a script answers, because no model is configured."""
        return not (self._settings.model or self._settings.models)

    def news(self) -> str:
        """Which model answers, in a line for people: once, and only after one was asked; else empty."""
        if self._gateway is None or self._told or not self.scripted:
            return ""
        self._told = True
        return "model: scripted (no key found)"

    def window(self, route: str) -> int | None:
        """Tokens of context that the models behind a route take; None where that is not known.

        Raises:
            NotFound: there is no such route.
        """
        return None if self.scripted else self._made(routes_of(self._settings)).window(route)

    async def reply(
        self,
        route: str,
        call: ModelCall,
        *,
        budget: Budget,
        deadline: Deadline,
        heard: Callable[[str], None] | None = None,
    ) -> ModelReply:
        """Asks the models behind a route; see `Models.reply`."""
        gateway = self._gateway or await self._opened()
        try:
            return await gateway.reply(route, call, budget=budget, deadline=deadline, heard=heard)
        except ModelUnavailable as error:
            if not self.scripted or self._settings.model_script:
                raise
            raise ModelUnavailable(f"route {route!r} was asked, but {_NO_MODEL}.", error.passed) from None

    async def close(self) -> None:
        """Closes every connection and stops the scripted server, if there is one."""
        gateway, self._gateway = self._gateway, None
        server, self._server = self._server, None
        if gateway is not None:
            await gateway.close()
        if server is not None:
            await server.__aexit__()

    async def _opened(self) -> "ModelGateway":
        async with self._opening:
            if self._gateway is None:
                # LangChain takes seconds to load, and the run's lease must be kept alive meanwhile.
                await asyncio.to_thread(importlib.import_module, "interlock.inference.gateway")
                self._made(await self._script() if self.scripted else routes_of(self._settings))
            assert self._gateway is not None
            return self._gateway

    def _made(self, routes: "Mapping[str, Sequence[Candidate]]") -> "ModelGateway":
        from interlock.inference.gateway import ModelGateway

        with self._making:  # a window is asked for in a thread
            if self._gateway is None:
                self._gateway = ModelGateway(routes, clock=self._clock)
            return self._gateway

    async def _script(self) -> "dict[str, list[Candidate]]":
        """Starts the scripted server, which costs nothing to ask."""
        from decimal import Decimal

        from interlock.inference.routes import DEFAULT, Candidate, Price
        from interlock.testing.model_server import ModelServer

        script = script_of(self._settings.model_script) if self._settings.model_script else nobody
        self._server = await ModelServer(script).__aenter__()
        free = Price(Decimal(0), Decimal(0))
        return {DEFAULT: [Candidate(SCRIPTED, url=self._server.url, price=free, reasoning=True)]}


def routes_of(settings: Settings) -> "dict[str, list[Candidate]]":
    """The routes that the settings name; `model` stands behind every route without a list of its own."""
    from interlock.inference.routes import DEFAULT

    routes = {name: [_candidate(each) for each in listed] for name, listed in settings.models.items()}
    if settings.model:
        url = settings.model_url
        asked = ModelSettings(model=settings.model, url=url, key_env=_KEY if secret(_KEY) else "")
        routes[DEFAULT] = [_candidate(asked)]
    return routes


async def unready(settings: Settings) -> dict[tuple[str, str], str]:
    """What keeps models from being asked, as the settings stand: (route, model) -> why. Nobody is asked."""
    import httpx

    from interlock.inference.failures import ProviderFailed
    from interlock.inference.providers import Provider

    found: dict[tuple[str, str], str] = {}
    async with httpx.AsyncClient() as http:
        for route, candidates in routes_of(settings).items():
            for each in candidates:
                try:
                    await Provider(each, lambda: http).ready()
                except ProviderFailed as error:
                    found[route, each.model] = error.kind
                except BadInput as error:
                    found[route, each.model] = error.message
    return found


def _candidate(named: ModelSettings) -> "Candidate":
    from interlock.inference.routes import Candidate, Price

    price = named.price
    return Candidate(
        named.model,
        url=named.url,
        key=secret(named.key_env),
        key_env=named.key_env,
        timeout_s=named.timeout_s,
        window=named.window,
        max_tokens=named.max_tokens,
        price=Price(price.input, price.output) if price else None,
        reasoning=named.reasoning,
        options=named.options,
    )


def script_of(place: str) -> "Script":
    """The script at `path/to/file.py:name`: a list of replies, or a function of the request.

    Raises:
        BadInput: if there is none.
    """
    told, _, name = place.rpartition(":")
    file = Path(told).resolve()
    spec = importlib.util.spec_from_file_location(f"interlock_script_{file.stem}", file)
    if not name or spec is None or spec.loader is None or not file.is_file():
        raise BadInput(f"the setting `model_script` is {place!r}: give path/to/file.py:name.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        return cast("Script", getattr(module, name))
    except (Exception, SystemExit) as error:
        sys.modules.pop(spec.name, None)
        raise BadInput(
            f"the model script {place!r} cannot be loaded ({type(error).__name__}): it must import, and have "
            f"{name!r}."
        ) from error


def nobody(asked: "Asked") -> "Turn":
    """What the scripted model says where nobody wrote a script: that it cannot, and what would be needed."""
    from interlock.testing.model_server import Says

    if "give_up" in asked.tools:
        needs = "a model: set INTERLOCK_MODEL"
        reason: dict[str, Json] = {"reason": "no model is configured", "tried": [], "needs": needs}
        return Says(calls=[("give_up", reason)])
    return f"This is a script: {_NO_MODEL}."
