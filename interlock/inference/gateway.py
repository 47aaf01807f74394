"""The inference gateway: asks the candidates of a route in order, within budget and deadline.

Who is passed over, and why, goes into the reply. A candidate is passed over when it fails (error,
timeout, rate limit, no usable reply), or when it cannot be asked (no key, unknown model, too long a
conversation). A request that is refused as malformed is our own fault and would be refused by
everybody: it ends the call. So does a budget: it never decides who is asked.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from ssl import SSLContext
from threading import Lock
from typing import Any, Self

import httpx

from interlock.core.limits import Budget, Deadline, Reservation
from interlock.core.models import ModelCall, ModelReply, Passed
from interlock.core.ports import Clock, SystemClock
from interlock.errors import BudgetExceeded, ModelRefused, ModelUnavailable
from interlock.inference import prices
from interlock.inference.bounds import bounded
from interlock.inference.failures import ProviderFailed
from interlock.inference.providers import Provider
from interlock.inference.replies import Said, check, estimate, estimate_reply
from interlock.inference.routes import Candidate, Routes

_WAITS = 3
"""How often a call waits for candidates that have asked for time, before it is given up."""
_TOKEN = Decimal("0.0000001")
"""USD are kept to a tenth of a millionth."""

_NOTHING = (0, 0, Decimal(0), False)
"""What a call comes to that was not charged."""


@dataclass(slots=True)
class _Listening:
    """What was heard of a candidate's reply while it was being said."""

    tell: Callable[[str], None] | None
    text: str = ""
    broke: Exception | None = None

    def __call__(self, piece: str) -> None:
        self.text += piece
        if self.tell is not None and self.broke is None:
            try:
                self.tell(piece)
            except Exception as error:  # the listener's failure is not the model's
                self.broke = error

    def start_over(self) -> None:
        """Tells the listener that what it has heard is void."""
        if self.text and self.tell is not None:
            self.tell("")
        self.text = ""


@dataclass(slots=True)
class _Call:
    """One call on its way through the candidates."""

    route: str
    call: ModelCall
    budget: Budget
    deadline: Deadline
    heard: Callable[[str], None] | None
    input_tokens: int
    passed: list[Passed] = field(default_factory=list[Passed])


class ModelGateway:
    """The `Models` port over LangChain's clients; close it, or use it with `async with`."""

    def __init__(self, routes: Mapping[str, Sequence[Candidate]], *, clock: Clock | None = None) -> None:
        """Opens nothing yet.

        Args:
            routes: Route name -> candidates, in the order in which they are asked.
            clock: Time, for tests.
        """
        self._routes = Routes(routes)
        self._clock = clock or SystemClock()
        self._providers: dict[int, Provider] = {}
        self._cooling: dict[object, float] = {}
        self._http: httpx.AsyncClient | None = None
        self._making = Lock()

    async def __aenter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Closes every connection."""
        await self.close()

    async def close(self) -> None:
        """Closes every connection; the next call opens new ones."""
        http, self._http = self._http, None
        self._providers.clear()
        if http is not None:
            await http.aclose()

    def window(self, route: str) -> int | None:
        """Tokens of context that every candidate of a route takes; None where none of them is known.

        Raises:
            NotFound: there is no such route.
        """
        known = [self._provider(each).window() for each in self._routes.candidates(route)]
        return min((size for size in known if size), default=None)

    async def reply(
        self,
        route: str,
        call: ModelCall,
        *,
        budget: Budget,
        deadline: Deadline,
        heard: Callable[[str], None] | None = None,
    ) -> ModelReply:
        """Asks the candidates of the route until one answers; see `Models.reply`.

        Raises:
            BudgetExceeded: there is not enough left, or nobody knows what the call would cost.
            ModelUnavailable: none of them answered.
            ModelRefused: the request itself was refused.
            NotFound: there is no such route.
        """
        asked = _Call(route, call, budget, deadline, heard, estimate(call))
        left = [self._provider(each) for each in self._routes.candidates(route)]
        for _ in range(_WAITS + 1):
            reply = await self._round(asked, left)
            if reply is not None:
                return reply
            left = [each for each in left if self._rests_s(each) > 0]
            wait = min((self._rests_s(each) for each in left), default=None)
            if wait is None or wait >= deadline.left():
                break
            await asyncio.sleep(wait)
        raise ModelUnavailable(_nobody(asked), tuple(asked.passed))

    async def _round(self, asked: _Call, providers: list[Provider]) -> ModelReply | None:
        """Asks each of them that is not resting, until one answers."""
        for provider in providers:
            if self._rests_s(provider) > 0:
                asked.passed.append(_not_asked(provider, "resting after a rate limit"))
            elif asked.deadline.left() <= 0:
                asked.passed.append(_not_asked(provider, "no time left"))
            else:
                reply = await self._ask(asked, provider)
                if reply is not None:
                    return reply
        return None

    async def _ask(self, asked: _Call, provider: Provider) -> ModelReply | None:
        """Asks one candidate; None where it is passed over."""
        try:
            await provider.ready()
            await prices.ready(provider.candidate)
        except ProviderFailed as failed:
            self._pass(asked, provider, failed, _NOTHING, 0.0)
            return None
        most = provider.may_answer(asked.call, asked.input_tokens)
        held = self._reserve(asked, provider, most)
        listening = _Listening(asked.heard)
        begun = self._clock.monotonic()
        try:
            seconds = min(provider.candidate.timeout_s, asked.deadline.left())
            async with asyncio.timeout(seconds):
                said = await provider.ask(asked.call, most, listening if asked.heard else None)
            check(said, asked.call)
        except (ProviderFailed, TimeoutError) as error:
            failed = error if isinstance(error, ProviderFailed) else ProviderFailed("timeout")
            took = round(self._clock.monotonic() - begun, 6)
            charged = self._charged(asked, provider, held, failed.said, listening)
            listening.start_over()
            _tell(listening)
            self._pass(asked, provider, failed, charged, took)
            return None
        except BaseException:  # cancelled: what was already said is charged
            self._charged(asked, provider, held, None, listening)
            raise
        _tell(listening)
        return _reply(asked, provider, said, *self._charged(asked, provider, held, said, listening))

    def _reserve(self, asked: _Call, provider: Provider, answer: int) -> Reservation:
        """Sets aside the most this candidate can cost.

        Raises:
            BudgetExceeded: if that is more than is left, or not known where USD are limited.
        """
        usd = prices.most(provider.candidate, asked.input_tokens, answer)
        if usd is None and asked.budget.caps("usd"):
            raise BudgetExceeded(
                f"{asked.budget.name} has a limit in USD, and the price of model "
                f"{provider.candidate.model!r} is not known; it was not asked. Give it a `price` in "
                f"[tool.interlock.models], or limit tokens instead.",
                tuple(asked.passed),
            )
        try:
            return asked.budget.reserve(tokens=asked.input_tokens + answer, usd=usd or Decimal(0))
        except BudgetExceeded as error:
            raise BudgetExceeded(error.message, tuple(asked.passed)) from None

    def _charged(
        self, asked: _Call, provider: Provider, held: Reservation, said: Said | None, heard: _Listening
    ) -> tuple[int, int, Decimal | None, bool]:
        """Settles what the call did cost: input and output tokens, USD, and whether that is an estimate."""
        if said is None and not heard.text:
            held.release()
            return _NOTHING
        taken, given, cached = asked.input_tokens, estimate_reply(said or Said(heard.text)), 0
        estimated = True
        if provider.candidate.chat is None:  # it was told how much it may answer
            given = min(given, provider.may_answer(asked.call, asked.input_tokens))
        if said is not None and said.input_tokens is not None and said.output_tokens is not None:
            taken, given, cached, estimated = said.input_tokens, said.output_tokens, said.cached, False
        usd = prices.cost(provider.candidate, taken, given, cached)
        usd = None if usd is None else usd.quantize(_TOKEN).normalize()
        held.settle(tokens=taken + given, usd=usd or Decimal(0))
        return taken, given, usd, estimated

    def _pass(
        self,
        asked: _Call,
        provider: Provider,
        failed: ProviderFailed,
        charged: tuple[int, int, Decimal | None, bool],
        took: float,
    ) -> None:
        """Notes that a candidate was passed over, and lets it rest where it asked for that.

        Raises:
            ModelRefused: if the request itself was refused.
        """
        taken, given, usd, _ = charged
        name = provider.candidate.model
        asked.passed.append(Passed(model=name, why=failed.kind, seconds=took, tokens=taken + given, usd=usd))
        if failed.cooling_s is not None:
            self._cooling[_whose_limit(provider.candidate)] = self._clock.monotonic() + failed.cooling_s
        if failed.ours:
            raise ModelRefused(
                f"model route {asked.route!r}: {name} refused the request as it was put ({failed.kind}); "
                "nobody else was asked. Look at the call's options, tools and schema.",
                tuple(asked.passed),
            )

    def _rests_s(self, provider: Provider) -> float:
        return self._cooling.get(_whose_limit(provider.candidate), 0.0) - self._clock.monotonic()

    def _provider(self, candidate: Candidate) -> Provider:
        provider = self._providers.get(id(candidate))
        if provider is None:
            provider = self._providers[id(candidate)] = Provider(candidate, self._transport)
        return provider

    def _transport(self) -> httpx.AsyncClient:
        with self._making:  # clients are made in threads
            if self._http is None:
                hooks: Any = {"response": [bounded]}
                self._http = httpx.AsyncClient(verify=_certificates(), timeout=None, event_hooks=hooks)
            return self._http


@cache
def _certificates() -> SSLContext:
    """Whom TLS connections trust; read once, because that takes longer than a call."""
    return httpx.create_ssl_context()


def _tell(listening: _Listening) -> None:
    """Raises what the listener raised, now that it cannot be taken for a failure of the model."""
    if listening.broke is not None:
        raise listening.broke


def _reply(
    asked: _Call, provider: Provider, said: Said, taken: int, given: int, usd: Decimal | None, estimated: bool
) -> ModelReply:
    whole = usd
    for each in asked.passed:
        whole = None if whole is None or each.usd is None else whole + each.usd
    return ModelReply(
        text=said.text,
        model=provider.candidate.model,
        input_tokens=taken,
        output_tokens=given,
        estimated=estimated,
        usd=whole,
        requests=said.requests,
        reasoning=said.reasoning,
        finish=said.finish,
        passed=tuple(asked.passed),
    )


def _whose_limit(candidate: Candidate) -> object:
    """What a rate limit holds for: the same model under the same key, in whichever route it stands."""
    return id(candidate) if candidate.chat is not None else (candidate.model, candidate.url, candidate.key)


def _not_asked(provider: Provider, why: str) -> Passed:
    return Passed(model=provider.candidate.model, why=why, usd=Decimal(0))


def _nobody(asked: _Call) -> str:
    told = "; ".join(f"{each.model}: {each.why}" for each in asked.passed)
    return f"no model behind route {asked.route!r} answered ({told}). Try again later, or add another model."
