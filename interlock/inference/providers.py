"""One candidate's client: made when first needed, asked without retries of its own, read with care."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, cast

import httpx
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, SystemMessage
from langchain_core.runnables import Runnable
from langchain_core.runnables.config import var_child_runnable_config

from interlock.core.canonical import Json, canonical
from interlock.core.models import BEHIND_THE_DOOR, ModelCall
from interlock.errors import BadInput, InterlockError
from interlock.inference import messages
from interlock.inference.bounds import LONGEST
from interlock.inference.failures import ProviderFailed, failure
from interlock.inference.replies import Said, read, unfenced
from interlock.inference.routes import Candidate

MAX_TOKENS = 8_192
"""Tokens a model may answer with where nobody says otherwise."""
_OPENAI = ("openai", "azure_openai")
_DIALECT = (*_OPENAI, "deepseek", "fireworks", "groq", "openrouter", "together", "xai")
"""Providers whose clients take OpenAI's `response_format`; the others are told the schema in words."""
_REASONERS = ("openai", "azure_openai", "groq", "openrouter", "xai")
"""Providers that can be told `reasoning_effort`."""
_STEP = 256
"""Tokens by which a reply is shortened where the question leaves it less room."""
_CHARACTERS = 64
"""Characters of a long token. A stream of more than that is cut: each piece copies all that came before."""
_LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""The names under which a call may bound its reply."""
_OF_THE_ROUTE = ("model", "model_name", "n", "extra_body", "extra_headers", "extra_query")
"""What decides who answers, how often and at which price: never said by a call."""
_QUIET: Any = {"callbacks": [], "metadata": {BEHIND_THE_DOOR: True}}


@contextmanager
def _apart() -> Generator[None]:
    """Takes a call out of the graph that it is made in.

    The outer chat model is the one that graphs and tracers see. Inside a node LangChain would hand the
    graph's callbacks to the client as well, and LangGraph's message stream would show its words besides,
    also those of a client that broke off.
    """
    before = var_child_runnable_config.set(None)
    try:
        yield
    finally:
        var_child_runnable_config.reset(before)


class Provider:
    """What asks one candidate."""

    def __init__(self, candidate: Candidate, transport: Callable[[], httpx.AsyncClient]) -> None:
        """Opens nothing yet.

        Args:
            candidate: Who is asked.
            transport: The gateway's HTTP client, for clients that can be given one.
        """
        self.candidate = candidate
        self._transport = transport
        self._clients: dict[int, BaseChatModel] = {}
        self._making = asyncio.Lock()

    @property
    def kind(self) -> str:
        """The provider as LangChain names it; `url` for a compatible server, `own` for a model of yours."""
        if self.candidate.chat is not None:
            return "own"
        return "url" if self.candidate.url else self.candidate.model.partition(":")[0]

    async def ready(self) -> None:
        """Makes the client, once, beside the event loop: a provider's package may take seconds to load.

        Raises:
            ProviderFailed: if it cannot be made for want of a key.
            BadInput: if it can never be made as the settings stand.
        """
        if self.candidate.chat is not None or self._clients:
            return
        async with self._making:
            await asyncio.to_thread(self._client, self._most() or MAX_TOKENS)

    def may_answer(self, call: ModelCall, input_tokens: int) -> int:
        """How many tokens it may answer this call with, at most: beside the question, in its window."""
        most = self._most()
        said = [call.options.get(name) for name in _LENGTHS]
        wanted = min((each for each in said if isinstance(each, int) and each > 0), default=None)
        if wanted is not None:
            answer = wanted if most is None else min(wanted, most)
        elif most is not None:
            answer = most
        else:
            answer = min(MAX_TOKENS, self._profile().get("max_output_tokens") or MAX_TOKENS)
        window = self.window()
        if window is None or input_tokens + answer <= window:
            return answer
        # In steps, because each length has a client of its own.
        return max((window - input_tokens) // _STEP, 1) * _STEP

    def _most(self) -> int | None:
        """The operator's cap on a reply, by either way to set it."""
        told = self.candidate.options.get("max_tokens")
        return self.candidate.max_tokens or (told if isinstance(told, int) and told > 0 else None)

    def window(self) -> int | None:
        """Tokens of context that it takes; None where that is not known."""
        return self.candidate.window or self._profile().get("max_input_tokens")

    async def ask(self, call: ModelCall, most: int, heard: Callable[[str], None] | None) -> Said:
        """Asks once, for a reply of at most so many tokens.

        Raises:
            ProviderFailed: with the kind of failure, and none of the provider's words.
        """
        try:
            bound, options = self._bound(call, most)
            conversation = self._conversation(call)
            with _apart():
                if heard is None:
                    told = cast("AIMessage", await bound.ainvoke(conversation, _QUIET, **options))
                else:
                    told = await self._stream(bound.astream(conversation, _QUIET, **options), most, heard)
            said = read(told)
        except InterlockError:
            raise  # something to be set right by people
        except Exception as error:
            raise failure(error) from None
        return replace(said, text=unfenced(said.text)) if self._told_in_words(call) else said

    async def _stream(self, chunks: AsyncIterator[Any], most: int, heard: Callable[[str], None]) -> AIMessage:
        whole: AIMessageChunk | None = None
        left = min(LONGEST, most * _CHARACTERS)
        async for chunk in chunks:
            piece = cast("AIMessageChunk", chunk)
            text = messages.text_of(piece.content)
            left -= len(text)
            if left < 0:
                raise ProviderFailed("reply too long")
            whole = piece if whole is None else whole + piece
            if text:
                heard(text)
        if whole is None:
            raise ProviderFailed("malformed reply")
        if self._speaks_openai and not whole.response_metadata.get("finish_reason"):
            raise ProviderFailed("broken off")  # it ended without saying that it is the end
        return whole

    @property
    def _speaks_openai(self) -> bool:
        return self.kind in ("url", *_OPENAI)

    def _bound(self, call: ModelCall, most: int) -> tuple[Runnable[Any, Any], dict[str, Any]]:
        """The client, with the tools that it may call, and what else is said with every request."""
        options = self._options(call)
        client = self._client(most)
        if not call.tools:
            return client, options
        tools: list[Any] = [{"type": "function", "function": tool} for tool in call.tools]
        return client.bind_tools(tools, **options), {}

    def _options(self, call: ModelCall) -> dict[str, Any]:
        options: dict[str, Any] = dict(call.options)
        for name in _OF_THE_ROUTE:
            if name in options:
                raise BadInput(
                    f"a model call says {name!r}, which is for its route to say: put it into the "
                    "model's `options` in [tool.interlock.models], or name another route."
                )
        if self.candidate.chat is None:
            for name in _LENGTHS:
                options.pop(name, None)  # it was said when the client was made
        effort = options.pop("reasoning", None)
        if effort and self._reasons():
            options["reasoning_effort"] = effort
        if call.answer_schema is not None and not self._told_in_words(call):
            form = {"type": "json_schema", "json_schema": _named(call.answer_schema)}
            if self._speaks_openai:
                # Not by the client's own parameter: that one parses the reply too, and wants strict tools.
                options["extra_body"] = {"response_format": form}
            else:
                options["response_format"] = form
        return options

    def _told_in_words(self, call: ModelCall) -> bool:
        return call.answer_schema is not None and self.kind != "url" and self.kind not in _DIALECT

    def _reasons(self) -> bool:
        if self.candidate.reasoning is not None:
            return self.candidate.reasoning
        return self.kind in _REASONERS and self._profile().get("reasoning_output", True)

    def _conversation(self, call: ModelCall) -> list[BaseMessage]:
        said = messages.heard(call)
        if not self._told_in_words(call):
            return said
        words = f"Reply with JSON alone, of this JSON Schema: {canonical(call.answer_schema).decode()}"
        return [SystemMessage(words), *said]

    def _profile(self) -> dict[str, Any]:
        """What LangChain knows of the model; nothing for an unknown one, or a client that cannot be made."""
        try:
            return dict(self._client(self._most() or MAX_TOKENS).profile or {})
        except (ProviderFailed, BadInput):
            return {}

    def _client(self, max_tokens: int) -> BaseChatModel:
        """The client for replies of this length at most; made once."""
        if self.candidate.chat is not None:
            return cast("BaseChatModel", self.candidate.chat)
        client = self._clients.get(max_tokens)
        if client is None:
            client = self._clients[max_tokens] = self._made(max_tokens)
        return client

    def _made(self, max_tokens: int) -> BaseChatModel:
        given: dict[str, Any] = {**self.candidate.options, "max_tokens": max_tokens, "max_retries": 0}
        if self.candidate.key_env and not self.candidate.key:
            raise ProviderFailed(f"no key in {self.candidate.key_env}")
        if self.candidate.url:
            from interlock.inference.compatible import CompatibleChat

            given |= {"base_url": self.candidate.url, **self._wire()}
            given |= {"model": self.candidate.model, "api_key": self._key}
            given = {"stream_usage": True, **given}
            try:
                return CompatibleChat(**given)
            except Exception as error:  # its words may hold what the settings hold
                raise BadInput(
                    f"model {self.candidate.model!r} cannot be set up ({type(error).__name__}): look at its "
                    "`url` and `options` in [tool.interlock.models]."
                ) from None
        if self.kind in _OPENAI:
            given = {"use_responses_api": False, "stream_usage": True, **given}
            given |= self._wire()
        if self.candidate.key:
            given["api_key"] = self._key if self.kind == "openai" else self.candidate.key
        return self._known(given)

    def _wire(self) -> dict[str, Any]:
        """Our own connections, told so: LangChain's client would warn of the ones it makes beside them."""
        return {"http_async_client": self._transport(), "http_socket_options": ()}

    async def _key(self) -> str:
        """The key; asked for like this, LangChain's client makes no second one for synchronous calls."""
        return self.candidate.key or "none"

    def _known(self, given: dict[str, Any]) -> BaseChatModel:
        """A client of LangChain's own.

        Raises:
            BadInput: if LangChain has no such provider here; that is a setting to correct, not a failure.
        """
        from langchain.chat_models import init_chat_model

        make: Callable[..., BaseChatModel] = partial(cast("Any", init_chat_model), self.candidate.model)
        try:
            try:
                return make(**given)
            except (TypeError, ValueError):
                given.pop("max_retries")  # a few clients know no such word
                return make(**given)
        except ImportError as error:
            package = (error.name or f"langchain-{self.kind}").partition(".")[0].replace("_", "-")
            raise BadInput(
                f"model {self.candidate.model!r} needs a package that is missing: pip install {package}."
            ) from None
        except Exception as error:  # without a key most clients cannot even be made
            if "provider" in str(error).lower() and isinstance(error, ValueError):
                raise BadInput(
                    f"model {self.candidate.model!r} names no provider that LangChain knows: "
                    "write it as provider:model, or give the `url` of an OpenAI-compatible server."
                ) from None
            raise ProviderFailed("no key, or not set up") from None


def _named(schema: dict[str, Json]) -> dict[str, Json]:
    """A schema under the name that OpenAI asks for; `strict` where it is strict enough for that."""
    name = "".join(c if c.isalnum() else "_" for c in str(schema.get("title") or "answer"))[:60]
    return {"name": name, "schema": schema, "strict": _strict(schema)}


def _strict(schema: Json) -> bool:
    """Whether every object in a schema is closed and needs all its fields, as OpenAI's strict mode asks."""
    if isinstance(schema, list):
        return all(_strict(each) for each in schema)
    if not isinstance(schema, dict):
        return True
    fields = schema.get("properties")
    if schema.get("type") == "object":
        closed = schema.get("additionalProperties") is False and isinstance(fields, dict)
        needed = schema.get("required")
        if not closed or set(cast("dict[str, Json]", fields)) != set(cast("list[str]", needed or [])):
            return False
    return all(_strict(each) for each in schema.values())
