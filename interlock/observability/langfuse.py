"""Langfuse: where its spans go, judgements as its scores, and prompts that it keeps.

Everything here goes through Langfuse's own API client, made when first needed. Its tracing client is
not used: that one installs itself for the whole process, and keeps threads of its own.
"""

import asyncio
import base64
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from interlock.core.canonical import digest
from interlock.core.trace import trace_of
from interlock.errors import BadInput
from interlock.observability.attributes import Content
from interlock.observability.exporting import TIMEOUT_S, check, place, unreachable
from interlock.observability.outbox import NotSent, Once, Outbox
from interlock.observability.traced import Score
from interlock.settings import Settings

if TYPE_CHECKING:
    from langfuse.api import LangfuseAPI

_log = logging.getLogger("interlock.tracing")
_PROMPT_S, _KEPT_S = 2.0, 60.0
_NAME = "interlock"
PROMPT_VERSION = "langfuse-"
"""What stands before the number in the version of a prompt that came from Langfuse."""


def configured(settings: Settings) -> bool:
    """Says whether both keys are given."""
    return bool(settings.langfuse_public_key and settings.langfuse_secret_key.get_secret_value())


def spans_url(settings: Settings) -> str:
    """Where Langfuse takes spans."""
    return f"{settings.langfuse_base_url}/api/public/otel"


def spans_headers(settings: Settings) -> dict[str, str]:
    """What Langfuse wants with them; version 4 of its intake shows them at once."""
    pair = f"{settings.langfuse_public_key}:{settings.langfuse_secret_key.get_secret_value()}"
    return {
        "authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
        "x-langfuse-ingestion-version": "4",
        "x-langfuse-sdk-name": _NAME,
        "x-langfuse-public-key": settings.langfuse_public_key,
    }


# Scores ----------------------------------------------------------------------------------------


def score(
    run: str,
    name: str,
    value: float | bool | str,
    *,
    comment: str = "",
    key: str = "",
    inbound: str = "",
) -> Score:
    """A judgement about a run: text is a category, a bool a yes or no, a number a measure.

    Args:
        run: The run's id.
        name: What was judged, such as `exact outcome`.
        value: What came of it.
        comment: Why, for people.
        key: Tells judgements of the same name about the same run apart, such as the name of an
            evaluation; the same one posted twice replaces the first.
        inbound: The run's `trace`, where it was asked for by another process.
    """
    kind = "CATEGORICAL" if isinstance(value, str) else "BOOLEAN" if isinstance(value, bool) else "NUMERIC"
    given = value if isinstance(value, str) else float(value)
    made = digest([run, name, key], "score")[:32]
    return Score(made, name, given, kind, trace_of(run, inbound), comment=comment)


def post(settings: Settings, scores: Sequence[Score]) -> str:
    """Sends judgements now, and waits; for evaluations, which have time.

    Comments leave as `trace_content` says.

    Returns:
        Why they were not sent; empty when they were, or when Langfuse is not configured. Never raises.
    """
    if not configured(settings) or not scores:
        return ""
    where = place(settings.langfuse_base_url)
    content = Content(settings.trace_content)
    sender = Scores(settings)
    try:
        sender([replace(each, comment=content.words(each.comment)) for each in scores])
    except NotSent as refused:
        return f"scores cannot be sent to {where}: {refused.why}."
    finally:
        sender.close()
    return ""


def scores_outbox(settings: Settings, once: Once) -> Outbox[Score]:
    """What sends judgements while runs go on."""
    return Outbox("scores", place(settings.langfuse_base_url), lambda: Scores(settings), once)


class Scores:
    """Posts judgements; used by one thread."""

    def __init__(self, settings: Settings) -> None:
        """Connects with the first batch."""
        self._environment = settings.trace_environment
        self._api, self._close = _client(settings, TIMEOUT_S)

    def __call__(self, batch: Sequence[Score]) -> None:
        """Sends one batch.

        Raises:
            NotSent: if it was not taken, or not wholly.
        """
        import httpx
        from langfuse.api.core import ApiError
        from langfuse.api.scores.types.create_score_batch_results import CreateScoreBatchResults

        request: Any = [self._body(each) for each in batch]
        try:
            answer = self._api.scores.create(request=request, request_options={"max_retries": 0})
        except httpx.HTTPError as error:
            raise unreachable(error) from None
        except ApiError as error:
            check(error.status_code or 0)
            raise NotSent("it answered something that is not its API's") from None
        if isinstance(answer, CreateScoreBatchResults) and answer.rejected:
            raise NotSent(f"it refused {answer.rejected} of {len(batch)}")

    def close(self) -> None:
        """Closes the connection."""
        self._close()

    def _body(self, each: Score) -> dict[str, object]:
        told = {
            "id": each.id,
            "traceId": each.trace,
            "observationId": each.span,
            "name": each.name,
            "value": each.value,
            "dataType": each.type,
            "comment": each.comment,
            "environment": self._environment,
        }
        return {name: value for name, value in told.items() if value != ""}


def _client(settings: Settings, seconds: float) -> "tuple[LangfuseAPI, Any]":
    """Langfuse's API client and what closes it."""
    import httpx
    from langfuse.api import LangfuseAPI

    http = httpx.Client(timeout=seconds)
    api = LangfuseAPI(
        base_url=settings.langfuse_base_url,
        username=settings.langfuse_public_key,
        password=settings.langfuse_secret_key.get_secret_value(),
        x_langfuse_sdk_name=_NAME,
        x_langfuse_public_key=settings.langfuse_public_key,
        httpx_client=http,
        timeout=seconds,
    )
    return api, http.close


# Prompts ---------------------------------------------------------------------------------------


def prompts(settings: Settings) -> "LangfusePrompts | None":
    """Where prompts come from as the settings say; None: from their files alone.

    Raises:
        BadInput: they shall come from Langfuse, but its keys are missing.
    """
    if settings.prompts_from == "files":
        return None
    if not configured(settings):
        raise BadInput(
            "`prompts_from` is langfuse, but a key is missing: set LANGFUSE_PUBLIC_KEY and "
            "LANGFUSE_SECRET_KEY."
        )
    return LangfusePrompts(settings)


class LangfusePrompts:
    """Reads prompts from Langfuse; implements the `Prompts` port.

    An answer is kept for a minute, and so is a failure: a dead Langfuse costs one wait a minute. What
    was read once is used until Langfuse answers again; before that, the file is.
    """

    def __init__(self, settings: Settings) -> None:
        """Connects with the first prompt."""
        self._settings = settings
        self._kept: dict[str, tuple[float, tuple[str, str] | None]] = {}
        self._turn = asyncio.Lock()
        self._client: tuple[Any, Any] | None = None
        self._told = False

    async def text(self, name: str, file_text: str) -> tuple[str, str]:
        """The prompt under the label, and its number; the file's text and nothing if there is none.

        It never raises, and waits no longer than two seconds.
        """
        async with self._turn:
            until, known = self._kept.get(name, (0.0, None))
            if monotonic() >= until:
                known = await self._fetched(name) or known
                self._kept[name] = monotonic() + _KEPT_S, known
        return known or (file_text, "")

    async def close(self) -> None:
        """Closes the connection."""
        if self._client is not None:
            self._client[1]()

    async def _fetched(self, name: str) -> tuple[str, str] | None:
        try:
            if self._client is None:
                # The import alone takes half a second, and must not hold up the loop or the clock.
                self._client = await asyncio.to_thread(_client, self._settings, _PROMPT_S)
            async with asyncio.timeout(_PROMPT_S):
                return await asyncio.to_thread(self._get, self._client[0], name)
        except Exception as error:
            if not self._told:
                self._told = True
                where = place(self._settings.langfuse_base_url)
                why = getattr(error, "status_code", None) or type(error).__name__
                _log.warning("prompt %s cannot be read from %s (%s): its file is used.", name, where, why)
            return None

    def _get(self, api: Any, name: str) -> tuple[str, str] | None:  # noqa: ANN401
        options: Mapping[str, Any] = {"max_retries": 0}
        label = self._settings.prompt_label
        found = api.prompts.get(quote(name, safe=""), label=label, request_options=options)
        # A conversation cannot stand in for one text; an empty one would leave an agent without any.
        if not isinstance(found.prompt, str) or not found.prompt.strip():
            return None
        return found.prompt, f"{PROMPT_VERSION}{found.version}"
