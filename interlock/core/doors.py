"""What a body can reach, and all that it can reach."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, overload

from interlock.core.canonical import Json
from interlock.core.limits import Budget, Deadline
from interlock.core.models import ModelCall, ModelReply
from interlock.core.principal import Principal
from interlock.core.results import Artifact

if TYPE_CHECKING:
    from interlock.core.tools import Tool

P = ParamSpec("P")
T = TypeVar("T")


class Doors(Protocol):
    """The doors of one task and attempt, handed to its body; closed when the body returns.

    Every call is journaled: a body that is run again gets the recorded answers.
    """

    @property
    def principal(self) -> Principal:
        """On whose behalf the task acts."""
        ...

    @property
    def deadline(self) -> Deadline:
        """When the task must have stopped."""
        ...

    @property
    def budget(self) -> Budget:
        """What the task may still spend."""
        ...

    @property
    def feedback(self) -> str:
        """Why this is not the first attempt: a validation error, a judge's or the gate's words."""
        ...

    @overload
    async def call(self, tool: "Tool[P, T]", /, *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    async def call(self, tool: str, /, **kwargs: Json) -> Json: ...
    async def call(self, tool: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Calls a granted tool through the gateway and returns its answer.

        A tool that is not Python is called by its name, `"server/tool"`, and answers with JSON.

        Raises:
            ToolDenied: the policy refuses the call, or the task was not granted the tool.
            Rejected: a person said no, or nobody answered in time.
            ToolFailed: the tool refused; nothing happened.
            OutcomeUnknown: a person settled that it happened, and nobody knows its answer.
            EffectTaken: another run has caused this effect already; nothing happened.
            ToolUnavailable: a reading tool could not be reached.
            BudgetExceeded: there is not enough left; nothing was sent.
        """
        ...

    async def ask(
        self, question: str, *, whom: str = "owner", schema: Mapping[str, Json] | None = None
    ) -> Json:
        """Asks a person something the task needs to know and returns the answer.

        Args:
            question: One sentence.
            whom: The role or person asked.
            schema: JSON Schema of the answer; without one it is free text.

        Raises:
            Rejected: nobody would or did answer.
        """
        ...

    async def think(
        self,
        prompt: str | ModelCall,
        *,
        model: str = "default",
        heard: Callable[[str], None] | None = None,
    ) -> ModelReply:
        """Asks the model behind a route; the reply is journaled.

        Args:
            prompt: One question, or a whole conversation with tools and schema.
            model: The route.
            heard: Gets the reply's text in pieces while it is being said; all at once from the journal.
                An empty piece says that what was heard so far is void, because another model starts over.

        Raises:
            BudgetExceeded: there is not enough left; nothing was sent.
            ModelUnavailable: no model behind the route answered.
            NotBound: no models are configured.
        """
        ...

    async def now(self) -> datetime:
        """The time at which the task first asked; the same on every re-execution."""
        ...

    async def random(self) -> float:
        """A number in [0, 1); the same on every re-execution."""
        ...

    def claim(self, about: str, value: object, *, source: "Tool[..., Any] | str") -> None:
        """States what a source says about something, so that the aggregator can see sources disagree."""
        ...

    async def artifact(self, name: str, data: bytes, media_type: str = "text/plain") -> Artifact:
        """Stores a file that the task made."""
        ...
