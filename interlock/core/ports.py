"""The ports through which the rooms meet; bootstrap picks what stands behind them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from interlock.core.canonical import Json
from interlock.core.events import Draft
from interlock.core.journal import Entry
from interlock.core.limits import Budget, Deadline, Spend
from interlock.core.models import ModelCall, ModelReply
from interlock.core.questions import Question, Receipt
from interlock.core.remote_tasks import RemoteTask
from interlock.core.runs import Outcome, RunState

if TYPE_CHECKING:
    from interlock.core.agents import AnyAgent
    from interlock.core.doors import Doors
    from interlock.core.policy import Policy
    from interlock.core.scope import TaskScope
    from interlock.core.tools import Tool


class Clock(Protocol):
    """Time, so that tests can set it."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed point."""
        return monotonic()


@dataclass(frozen=True, slots=True)
class Move:
    """A change of a run's state, committed together with its event."""

    to: RunState
    reason: str
    outcome: Outcome | None = None
    response: Json = None


@dataclass(slots=True)
class Batch:
    """What is written in one transaction, or not at all."""

    run: str
    fence: int | None
    """The writer's fencing number; None for people, who hold no lease."""
    drafts: list[Draft] = field(default_factory=list[Draft])
    entries: list[Entry] = field(default_factory=list[Entry])
    questions: list[Question] = field(default_factory=list[Question])
    remotes: list[RemoteTask] = field(default_factory=list[RemoteTask])
    use_receipt: str | None = None
    """A receipt to mark as used; a second use fails the whole batch."""
    effect_key: tuple[str, str] | None = None
    """(tool, name) of a cross-run effect to claim; a claim of another run fails the whole batch."""
    move: Move | None = None
    then: Move | None = None
    """A second move, right after the first."""
    spend: Spend | None = None
    """What the run has used in all, when a segment ends."""


class Ledger(Protocol):
    """What runs write and read back: journal, events, questions, receipts."""

    async def load(self, run: str, task: str | None = None) -> list[Entry]:
        """The journal of one task, or of the whole run, in the order of the calls."""
        ...

    async def commit(self, batch: Batch) -> None:
        """Stores a batch in one transaction; drafts and questions already stored are left as they are.

        Raises:
            LeaseLost: if the fencing number is older than the run's.
            ReceiptUsed: if the receipt was used before.
            EffectTaken: if another run holds the effect key.
            WrongState: if the move is not in the table.
        """
        ...

    async def question(self, question: str) -> Question | None:
        """The question as it stands; None if it was never asked."""
        ...

    async def receipt(self, question: str) -> Receipt | None:
        """The receipt that the yes to this question left; None if there is none."""
        ...

    async def outcome_of(self, run: str) -> RunState:
        """The state of the run as stored."""
        ...


class Artifacts(Protocol):
    """Files and large outputs, by the digest of their bytes."""

    async def put(self, run: str, name: str, media_type: str, data: bytes) -> str:
        """Stores bytes and returns their SHA-256 digest; storing them twice is harmless."""
        ...

    async def get(self, digest: str) -> bytes:
        """The bytes.

        Raises:
            NotFound: if there are none with this digest.
        """
        ...


class Tools(Protocol):
    """The one door to tools; `interlock.mcp` implements it."""

    async def call(
        self,
        scope: "TaskScope",
        tool: "Tool[..., Any] | str",
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> object:
        """Makes one governed call on behalf of a task and returns the validated answer.

        Raises:
            ToolDenied, Rejected, BudgetExceeded, SchemaViolation: before anything was sent.
            ToolFailed: the tool refused; nothing happened.
            ToolUnavailable: a reading tool could not be reached.
        """
        ...

    def under(self, policy: "Policy") -> "Tools":
        """The same door over the same connections, governed by another policy; nobody closes it."""
        ...

    async def close(self) -> None:
        """Closes every connection."""
        ...


class Origin(Protocol):
    """A tool's server, as an unbound graph uses it."""

    async def read(self, tool: "Tool[..., Any]", arguments: Mapping[str, Json]) -> Json:
        """Makes one reading call on a connection of its own and returns the checked answer.

        Raises:
            ToolFailed, ToolUnavailable: as the server answers.
        """
        ...


class Models(Protocol):
    """The one door to models; a route is a name that configuration maps to providers."""

    async def reply(
        self,
        route: str,
        call: ModelCall,
        *,
        budget: Budget,
        deadline: Deadline,
        heard: Callable[[str], None] | None = None,
    ) -> ModelReply:
        """Asks the models behind the route, one after the other, until one answers.

        Reserves the most it may cost before it is sent, and settles what it did cost.

        Args:
            heard: Gets the reply's text in pieces while it is being said. An empty piece says that what
                was heard so far is void, because another model starts over.

        Raises:
            BudgetExceeded: there is not enough left; nothing was sent.
            ModelUnavailable: none of them answered; says which were asked and why each did not.
            NotFound: there is no such route.
        """
        ...


class Minds(Protocol):
    """Bodies that are prompts; `interlock.inference` implements it."""

    async def work(
        self, agent: "AnyAgent", inputs: Sequence[Any], doors: "Doors", scope: "TaskScope"
    ) -> object:
        """Lets a model work on one task and returns its output, unchecked, or `GaveUp` or `Failed`."""
        ...


class Prompts(Protocol):
    """Where prompts come from when not from their files alone, such as a prompt registry."""

    async def text(self, name: str, file_text: str) -> tuple[str, str]:
        """The prompt of that name and its version; an empty version means the file's own text.

        It is asked once in a task and attempt. It never raises: what it cannot find is
        `(file_text, "")`, and so is what it cannot find in time.
        """
        ...


class Remotes(Protocol):
    """Bodies that are A2A endpoints; `interlock.a2a` implements it."""

    def performs(self, agent: "AnyAgent") -> bool:
        """Says whether this agent works far away: declared so, or placed there by configuration."""
        ...

    async def work(self, agent: "AnyAgent", inputs: Sequence[Any], scope: "TaskScope") -> object:
        """Sends one task to its endpoint, once, and returns what came back, read but not validated."""
        ...

    async def cancel(self, run: str) -> None:
        """Asks every endpoint that still works for this run to stop; harmless if none does."""
        ...

    async def close(self) -> None:
        """Closes every connection."""
        ...


class Traces(Protocol):
    """Shows runs to people elsewhere; `interlock.observability` implements it.

    Neither method waits, raises, or changes anything about the run.
    """

    def begin(self, run: str) -> None:
        """A worker has taken a run."""
        ...

    def end(self, run: str) -> None:
        """A worker has let go of a run, or has found it ended."""
        ...
