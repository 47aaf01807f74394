"""Routes: the names that agents use for models, and the candidates that stand behind each, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from interlock.core.canonical import Json
from interlock.errors import NotFound

DEFAULT = "default"
"""The route that stands in for every route without candidates of its own."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in USD per million tokens."""

    input: Decimal
    output: Decimal


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model behind a route, and how it is reached."""

    model: str
    """A name for `init_chat_model`, such as `openai:gpt-5`; with `url`, the name its server knows."""
    url: str = ""
    """Base URL of an OpenAI-compatible server, such as `http://127.0.0.1:4000/v1`."""
    key: str = field(default="", repr=False)
    """The key; empty leaves it to the provider's own environment variable, and sends none to a `url`."""
    key_env: str = ""
    """Where the key was looked for, for the error text."""
    timeout_s: float = 60.0
    """Seconds that one request may take; the deadline may leave fewer."""
    window: int | None = None
    """Tokens of context that it takes; None where only the provider knows."""
    max_tokens: int | None = None
    """Tokens it may answer with; always sent, because this bounds what a call can cost."""
    price: Price | None = None
    """None looks it up in the kept price table."""
    reasoning: bool | None = None
    """Whether it can be told how hard to think; None goes by the provider."""
    options: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """More to say to the provider's client when it is made."""
    chat: Any = field(default=None, repr=False)
    """A LangChain chat model made by your own code, in place of `model` and `url`."""


class Routes:
    """Route name -> candidates, in the order in which they are asked."""

    def __init__(self, routes: Mapping[str, Sequence[Candidate]]) -> None:
        """Takes the candidates of each route."""
        self._routes = {name: tuple(candidates) for name, candidates in routes.items() if candidates}

    def candidates(self, route: str) -> tuple[Candidate, ...]:
        """Who is asked for this route; one without candidates of its own falls to `default`.

        Raises:
            NotFound: if there is no such route, and no default.
        """
        found = self._routes.get(route) or self._routes.get(DEFAULT)
        if found is None:
            known = ", ".join(sorted(self._routes)) or "none"
            raise NotFound(
                f"no model stands behind route {route!r} (routes with models: {known}): name one in "
                f"[tool.interlock.models] as {route} or default, or set INTERLOCK_MODEL."
            )
        return found
