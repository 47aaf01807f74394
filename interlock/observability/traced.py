"""What a run looks like from outside: spans, judgements, and the labels by which they are found."""

from dataclasses import dataclass, field
from datetime import datetime

from interlock.core.runs import Run
from interlock.core.trace import caller_of
from interlock.observability import attributes as a
from interlock.observability.attributes import Attributes, Content, kept


@dataclass(frozen=True, slots=True)
class Span:
    """One thing that happened, ready to be sent."""

    trace: str
    id: str
    parent: str
    """Empty for a run that nobody called."""
    name: str
    begun: datetime
    ended: datetime
    attributes: Attributes
    client: bool = False
    """Whether it was a call to somewhere else."""

    @property
    def failed(self) -> bool:
        """Whether it ended in an error."""
        return self.attributes.get(a.LEVEL) == "ERROR"


@dataclass(frozen=True, slots=True)
class Score:
    """A judgement about a run or one span of it."""

    id: str
    """Deterministic: the same judgement sent twice is one score."""
    name: str
    value: str | float
    """Text for a category, 0 or 1 for a yes or no, any number for a measure."""
    type: str
    """`CATEGORICAL`, `BOOLEAN` or `NUMERIC`."""
    trace: str
    span: str = ""
    """Empty for a judgement about the whole run."""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Labels:
    """What an operator has said about all runs of a deployment."""

    environment: str = ""
    release: str = ""
    tags: tuple[str, ...] = ()
    content: Content = field(default_factory=Content)


@dataclass(slots=True)
class Seen:
    """What a stretch of the record came to."""

    spans: list[Span] = field(default_factory=list[Span])
    scores: list[Score] = field(default_factory=list[Score])


def labels_of(run: Run, labels: Labels) -> Attributes:
    """What every span of a run carries, so that it can be found by it."""
    own = caller_of(run.trace) is None
    return kept(
        {
            # A called run is part of its caller's trace, which has a name and tags already.
            a.TRACE_NAME: run.graph if own else None,
            a.TRACE_TAGS: [run.graph, *labels.tags] if own else None,
            a.TRACE_METADATA + "run": run.id if own else None,
            a.USER: run.owner.user,
            a.SESSION: run.session,
            a.CONVERSATION: run.session,
            a.ENVIRONMENT: labels.environment,
            a.RELEASE: labels.release or run.version,
            a.RUN: run.id,
        }
    )
