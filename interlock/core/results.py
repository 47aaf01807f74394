"""What a task returns, and the evidence and artifacts that go with it.

Giving up is an answer, not an exception: a body that cannot do its job returns `GaveUp`.
"""

from typing import Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel

from interlock.core.canonical import Json

T = TypeVar("T")


class Evidence(BaseModel, frozen=True, extra="forbid"):
    """One answer a task got through its doors, by reference."""

    source: str
    """Who said it: `server/tool`, or `person` for a human answer."""
    digest: str
    """Digest of the journaled call whose answer it is."""
    value: Json = None
    """The answer itself; filled where evidence is read, left out where it is stored."""


class Artifact(BaseModel, frozen=True, extra="forbid"):
    """A file a task made, stored by the digest of its bytes."""

    name: str
    media_type: str
    digest: str
    size: int
    """Bytes."""


class Claim(BaseModel, frozen=True, extra="forbid"):
    """What one source says about one thing; two that differ are a conflict."""

    about: str
    """The thing and its property, such as `parcel TN1: status`."""
    value: Json
    source: str


class Completed(BaseModel, Generic[T], frozen=True, extra="forbid"):
    """The task did what was asked."""

    status: Literal["completed"] = "completed"
    output: T
    escalated: bool = False
    """True where it was handed over to a person."""
    evidence: tuple[Evidence, ...] = ()
    artifacts: tuple[Artifact, ...] = ()


class Degraded(BaseModel, Generic[T], frozen=True, extra="forbid"):
    """The task has an answer that is less than what was asked, and says why."""

    status: Literal["degraded"] = "degraded"
    output: T
    why: str
    evidence: tuple[Evidence, ...] = ()
    artifacts: tuple[Artifact, ...] = ()


class GaveUp(BaseModel, frozen=True, extra="forbid"):
    """Nobody here can do this: what was tried, and what would be needed."""

    status: Literal["gave_up"] = "gave_up"
    reason: str
    tried: tuple[str, ...] = ()
    needs: str = ""
    evidence: tuple[Evidence, ...] = ()


class Failed(BaseModel, frozen=True, extra="forbid"):
    """The task broke: an error that was not an answer."""

    status: Literal["failed"] = "failed"
    error: str
    """A sentence for people; the text of foreign exceptions is kept out of it."""
    code: str = "error"
    retryable: bool = False


Status: TypeAlias = Literal["completed", "degraded", "gave_up", "failed"]


class Stored(BaseModel, frozen=True, extra="forbid"):
    """A result as it stands in graph state: small JSON, large outputs by artifact digest."""

    v: Literal[1] = 1
    """Format version."""
    task: str
    agent: str
    """The agent that produced it: the fallback's name where the fallback did."""
    attempt: int
    status: Status
    output: Json = None
    """The validated output; absent for `gave_up` and `failed`, and where `artifact` holds it."""
    artifact: str | None = None
    """Digest of the stored output when it is larger than 8 KiB."""
    why: str = ""
    """Why it is degraded, why it gave up, or the error."""
    code: str = ""
    retryable: bool = False
    invalid: bool = False
    """True when the output was refused by its schema: quarantined, never read by anybody."""
    needs: str = ""
    tried: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    claims: tuple[Claim, ...] = ()
    round: int = 0
    """How many reflections this output has been through."""
    again: str = ""
    """A judge's words, when it wants another round; nobody reads the output then."""

    @property
    def usable(self) -> bool:
        """Says whether other tasks may read its output."""
        return self.status in ("completed", "degraded")


INLINE_BYTES = 8 * 1024
"""Outputs up to this many bytes stay in state; larger ones become artifacts."""
