"""The client of any OpenAI-compatible server, with the reasoning that such servers send beside the text."""

from typing import Any, cast

from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai.chat_models.base import BaseChatOpenAI


class CompatibleChat(BaseChatOpenAI):
    """LangChain's OpenAI client, speaking the dialect that other servers share.

    It says `max_tokens`, which all of them know, and keeps `reasoning_content` or `reasoning`,
    which LangChain's own drops.
    """

    @property
    def _llm_type(self) -> str:
        return "openai-compatible"

    def _create_chat_result(self, response: Any, generation_info: Any = None) -> ChatResult:  # noqa: ANN401
        result: ChatResult = cast("Any", super())._create_chat_result(response, generation_info)
        told: Any = (
            cast("Any", response) if isinstance(response, dict) else response.model_dump(warnings=False)
        )
        for generation, choice in zip(result.generations, told["choices"], strict=False):
            _keep(generation.message.additional_kwargs, choice.get("message"))
        return result

    def _convert_chunk_to_generation_chunk(
        self,
        chunk: dict[str, Any],
        default_chunk_class: type,
        base_generation_info: Any,  # noqa: ANN401
    ) -> ChatGenerationChunk | None:
        made: ChatGenerationChunk | None = cast("Any", super())._convert_chunk_to_generation_chunk(
            chunk, default_chunk_class, base_generation_info
        )
        choices = cast("list[dict[str, Any]]", chunk.get("choices") or [])
        if made is not None and choices:
            _keep(made.message.additional_kwargs, choices[0].get("delta"))
        return made


def _keep(into: dict[str, Any], told: dict[str, Any] | None) -> None:
    said = told or {}
    thought = said.get("reasoning_content") or said.get("reasoning")
    if isinstance(thought, str):
        into["reasoning_content"] = thought
