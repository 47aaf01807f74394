"""What a prompt's head says to its model, said with every call."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from langchain.agents.middleware.types import AgentMiddleware, ModelRequest, ModelResponse

from interlock.core.canonical import Json


class Hints(AgentMiddleware[Any, Any, Any]):
    """Gives every call of a conversation the options that its prompt names."""

    def __init__(self, options: Mapping[str, Json]) -> None:
        """Takes the options."""
        super().__init__()
        self._options = dict(options)

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Asks with the options."""
        return await handler(request.override(model_settings={**request.model_settings, **self._options}))
