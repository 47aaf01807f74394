"""A LangChain chat model that thinks through the doors, so that agents and middleware need no other.

It holds no key and opens no connection: it names a route, and the task's doors do the rest.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, ClassVar, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCallChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.runtime import get_runtime
from pydantic import ConfigDict, Field

from interlock.core.canonical import canonical
from interlock.core.doors import Doors
from interlock.core.models import ModelReply
from interlock.errors import NotBound
from interlock.inference.messages import call_of, distinct, metadata, spoken, usage


class RoutedChat(BaseChatModel):
    """The model behind a route, as LangChain's chat model.

    Every call goes through `doors.think`: journaled, paid from the task's budget, and recorded. A
    streamed reply comes in pieces once it is whole, because what another model says after the first
    broke off must not be mixed with it; a body that wants pieces while they are said gives
    `doors.think` a `heard=`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True)

    route: str = "default"
    doors: Any = Field(default=None, exclude=True, repr=False)
    """The task's doors; without them, those in LangGraph's runtime context when it is called."""
    prompt: str = ""
    """`name@version` of the prompt file, for the record."""
    reasoning: str = ""
    """How hard to think, for models that can be told: `low`, `medium`, `high`."""

    def __init__(self, route: str = "default", doors: Doors | None = None, **more: Any) -> None:  # noqa: ANN401
        """Names a route; which model stands behind it is configuration.

        Args:
            route: The route's name.
            doors: The doors to think through; None finds them in the graph's runtime context.
            more: `prompt`, `reasoning`, and what every LangChain chat model takes.
        """
        given: dict[str, Any] = {"route": route, "doors": doors, **more}
        super().__init__(**given)

    @property
    def _llm_type(self) -> str:
        return "interlock"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"route": self.route, "prompt": self.prompt}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools it may ask to be called; nothing is called by it."""
        if tool_choice:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> ChatResult:
        raise NotBound("a routed model thinks asynchronously: use `ainvoke` or `astream`, in an async node.")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> ChatResult:
        reply = await self._think(messages, stop, kwargs)
        return ChatResult(generations=[ChatGeneration(message=spoken(reply))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> AsyncIterator[ChatGenerationChunk]:
        pieces: list[str] = []
        reply = await self._think(messages, stop, kwargs, pieces)
        if "".join(pieces) != reply.text:
            pieces = [reply.text]
        for piece in pieces:
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
        yield ChatGenerationChunk(message=_last(reply))

    async def _think(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        options: dict[str, Any],
        pieces: list[str] | None = None,
    ) -> ModelReply:
        if self.reasoning:
            options = {"reasoning": self.reasoning, **options}
        call = call_of(messages, options, stop=stop, prompt=self.prompt)
        heard = None if pieces is None else partial(_hear, pieces)
        return await self._open_doors().think(call, model=self.route, heard=heard)

    def _open_doors(self) -> Doors:
        doors = self.doors if self.doors is not None else _in_context()
        if doors is None:
            raise NotBound(
                f"model route {self.route!r} was asked outside a task: call it in an agent's body, "
                "or give it doors: `RoutedChat(route, doors)`."
            )
        return cast("Doors", doors)


def _in_context() -> object | None:
    """The doors of the task whose graph is running; None where there are none."""
    try:
        context = getattr(get_runtime(), "context", None)
    except (RuntimeError, KeyError):  # outside of any graph
        return None
    return context if hasattr(context, "think") else None


def _hear(pieces: list[str], piece: str) -> None:
    """Keeps a piece; an empty one says that another model starts over."""
    if piece:
        pieces.append(piece)
    else:
        pieces.clear()


def _last(reply: ModelReply) -> AIMessageChunk:
    """The end of a streamed reply: tool calls, reasoning, usage, and why it stopped."""
    return AIMessageChunk(
        content="",
        tool_call_chunks=[
            ToolCallChunk(
                name=each.name,
                args=canonical(each.arguments).decode(),
                id=each.id,
                index=position,
                type="tool_call_chunk",
            )
            for position, each in enumerate(distinct(reply.requests))
        ],
        additional_kwargs={"reasoning_content": reply.reasoning} if reply.reasoning else {},
        usage_metadata=usage(reply),
        response_metadata=metadata(reply),
        chunk_position="last",
    )
