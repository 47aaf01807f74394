"""The story of a run: what `explain` finds in the record, as values.

All times are seconds since the run was created. A text reads "erased" where the record's body was.
"""

from datetime import datetime

from pydantic import BaseModel

from interlock.core.canonical import Json
from interlock.core.limits import Spend

ERASED = "erased"
"""Stands where a body was erased; the chain still says that something happened, by whom and when."""


class CandidateStory(BaseModel, frozen=True, extra="forbid"):
    """An agent that a planning model considered."""

    agent: str
    score: str
    """From 0 to 1."""
    reason: str


class RouteTried(BaseModel, frozen=True, extra="forbid"):
    """A route that looked at the request."""

    route: str
    about: str
    """The route's own docstring."""
    came_to: str
    """`chosen`, `does not apply`, `gave up`, `could not plan`, `rejected: …`, or `plan rejected`."""
    why: str = ""
    candidates: tuple[CandidateStory, ...] = ()
    """The agents that a planning model considered."""
    after: float


class PlannedInput(BaseModel, frozen=True, extra="forbid"):
    """Where one input of a planned task comes from."""

    name: str
    kind: str
    """`request`, `value`, `output` or `findings`."""
    tasks: tuple[str, ...] = ()
    path: tuple[str, ...] = ()


class PlannedStep(BaseModel, frozen=True, extra="forbid"):
    """A task of the plan."""

    task: str
    agent: str
    inputs: tuple[PlannedInput, ...]
    closing: bool

    @property
    def needs(self) -> tuple[str, ...]:
        """The tasks that must have ended before it starts."""
        return tuple(dict.fromkeys(name for each in self.inputs for name in each.tasks))


class PlanMade(BaseModel, frozen=True, extra="forbid"):
    """The plan that was carried out."""

    route: str
    why: str
    tasks: tuple[PlannedStep, ...]
    strands: tuple[tuple[str, ...], ...]
    after: float


class Given(BaseModel, frozen=True, extra="forbid"):
    """One input as it was handed to an attempt."""

    input: str
    kind: str
    sources: tuple[str, ...] = ()
    """The tasks it came from."""
    path: tuple[str, ...] = ()
    bytes: int | None = None
    """Size as JSON; absent where it was handed over by reference."""
    artifact: str | None = None


class Omitted(BaseModel, frozen=True, extra="forbid"):
    """What existed and was not handed over."""

    task: str
    rule: str


class ToolCall(BaseModel, frozen=True, extra="forbid"):
    """One call of a tool, and for an effect how far it came."""

    tool: str
    effect: bool
    state: str
    """`answered` or `denied`; of a remote agent also `sent`; of an effect also `planned`, `rejected`, `sent`,
    `confirmed`, `failed`, `unknown`, `compensated`."""
    arguments: Json = None
    verdict: str = ""
    """What the policy said: `allow`, `ask` or `deny`."""
    rule: str = ""
    reason: str = ""
    """The rule as a sentence."""
    answer: Json = None
    """Absent where it was too large to be recorded whole; then the digest names it."""
    digest: str | None = None
    bytes: int | None = None
    error: str = ""
    seconds: float | None = None
    key: str | None = None
    """The idempotency key it was sent under."""
    effect_key: str | None = None
    receipt: str | None = None
    by: str = ""
    """Who established what became of it, where the server's answer did not: a person, or a look-up."""
    notes: tuple[str, ...] = ()
    """What was in doubt on the way: why it was unknown, why a receipt did not cover it."""
    after: float


class ModelCall(BaseModel, frozen=True, extra="forbid"):
    """One question to a model."""

    route: str
    model: str
    prompt: str
    reply: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    usd: str | None = None
    seconds: float | None = None
    passed: tuple[str, ...] = ()
    """Who was asked before and did not answer, each with why: `openai:gpt-5: rate limited`."""
    failed: str = ""
    """Why there is no reply; empty where there is one."""
    after: float


class FittedStory(BaseModel, frozen=True, extra="forbid"):
    """The fullest conversation that had to be fitted to its model's window."""

    times: int
    """How many calls had to be fitted."""
    tokens: int
    sent_tokens: int
    cut: int
    """Answers of tools that were shortened."""
    dropped: int
    """Messages that were left out, with a line for each call in them."""


class AttemptStory(BaseModel, frozen=True, extra="forbid"):
    """One attempt of a task."""

    number: int
    agent: str
    version: str
    round: int = 0
    feedback: str = ""
    """Why it was tried again, as the agent was told."""
    stands_in: str = ""
    """The error of the task's own agent, where its fallback worked."""
    given: tuple[Given, ...] = ()
    omitted: tuple[Omitted, ...] = ()
    tools: tuple[ToolCall, ...] = ()
    models: tuple[ModelCall, ...] = ()
    skills: tuple[str, ...] = ()
    """What its model read up, as `skill/file`."""
    fitted: FittedStory | None = None
    """Absent where every conversation had room."""
    bypassed: tuple[str, ...] = ()
    """Models that its body asked past its doors, or tried to."""
    status: str = ""
    """How it ended; empty while it has not."""
    output: Json = None
    """The output, or its digest and size where it is large."""
    why: str = ""
    code: str = ""
    tried: tuple[str, ...] = ()
    """What was tried before it gave up."""
    needs: str = ""
    """What would be needed, where it gave up."""
    quarantined: str = ""
    """Why an output without its schema was kept from everybody."""
    judge: str | None = None
    """What the declared judge said: empty when content, absent where there is none."""
    diverged: str = ""
    """What it left out, run again, of what it had already caused."""
    evidence: tuple[str, ...] = ()
    """The sources whose answers it got."""
    artifacts: tuple[str, ...] = ()
    sent_after: float
    returned_after: float | None = None
    body_seconds: float | None = None
    """How long its last execution ran."""
    seconds: float = 0.0
    """Time a worker spent between handing it out and its return, without its own waiting for people."""
    barrier_wait: float = 0.0
    """Between the moment nothing it needs was missing and the moment it was handed out."""
    executions: int = 1
    """How often it was begun: again after a question, or after a worker died."""


class TaskStory(BaseModel, frozen=True, extra="forbid"):
    """A task with all its attempts."""

    task: str
    agent: str
    closing: bool = False
    status: str
    """How its last attempt ended; `never began`, or `open`."""
    why: str = ""
    attempts: tuple[AttemptStory, ...] = ()
    seconds: float = 0.0
    barrier_wait: float = 0.0


class ClaimStory(BaseModel, frozen=True, extra="forbid"):
    """What one source said."""

    source: str
    value: Json


class ConflictStory(BaseModel, frozen=True, extra="forbid"):
    """Sources that disagreed, and who was believed."""

    about: str
    claims: tuple[ClaimStory, ...]
    rule: str
    reason: str
    winner: ClaimStory | None
    """Absent where no rule could tell."""


class RefusedAnswer(BaseModel, frozen=True, extra="forbid"):
    """An answer that was not taken."""

    by: str
    why: str
    after: float


class QuestionStory(BaseModel, frozen=True, extra="forbid"):
    """One thing a person was asked."""

    id: str
    kind: str
    task: str
    agent: str
    title: str
    whom: str
    """The role or person who may answer."""
    why: str
    """The sentence of the rule that asked, or what was in doubt."""
    evidence: tuple[str, ...] = ()
    answer: Json = None
    """True or false where it was a yes or no."""
    comment: str = ""
    by: str | None = None
    receipt: str | None = None
    refused: tuple[RefusedAnswer, ...] = ()
    not_covered: tuple[str, ...] = ()
    """Why the yes did not cover a call, where one was refused."""
    unanswered: str = ""
    """`expired` or `withdrawn`, where it ended without an answer."""
    asked_after: float
    answered_after: float | None = None

    @property
    def waited(self) -> float | None:
        """Seconds until the answer; None without one."""
        return None if self.answered_after is None else self.answered_after - self.asked_after


class CheckStory(BaseModel, frozen=True, extra="forbid"):
    """One check of the gate."""

    check: str
    verdict: str
    problem: str = ""


class GateRound(BaseModel, frozen=True, extra="forbid"):
    """One look of the gate at a response."""

    number: int
    verdict: str
    checks: tuple[CheckStory, ...] = ()
    within: str = ""
    """The task whose supervisor's gate it was; empty for the run's own."""
    reviewed_by: str | None = None
    """The person who decided, where the gate asked one."""
    reason: str = ""
    after: float


class Delivery(BaseModel, frozen=True, extra="forbid"):
    """The handing over of the accepted response."""

    tool: str
    digest: str
    after: float


class Transition(BaseModel, frozen=True, extra="forbid"):
    """A change of the run's state."""

    old: str
    new: str
    reason: str
    actor: str
    after: float


class SegmentStory(BaseModel, frozen=True, extra="forbid"):
    """One worker's turn with the run."""

    worker: str
    fence: int | None
    claimed_after: float
    ended_after: float | None = None
    """Absent where the worker stopped without a word, or still works."""
    last_sign: float
    """The last event of this turn."""
    state: str = ""
    again: tuple[str, ...] = ()
    """Tasks that an earlier turn had begun and this one had to begin again."""


class PathStep(BaseModel, frozen=True, extra="forbid"):
    """A task on the critical path."""

    task: str
    seconds: float
    barrier_wait: float


class Timing(BaseModel, frozen=True, extra="forbid"):
    """Where the time went, in seconds."""

    total: float
    """From the request to the last thing that happened."""
    active: float
    """While a worker had the run."""
    people: float
    """While at least one question was open that has been answered since."""
    barrier: float
    """Sum of the barrier waits of all tasks."""
    path: tuple[PathStep, ...]
    """The chain of tasks, each needing the one before, that took the longest."""
    path_seconds: float


class Story(BaseModel, frozen=True, extra="forbid"):
    """Everything the record tells about one run."""

    run: str
    graph: str
    version: str
    owner: str
    state: str
    outcome: str | None
    reason: str
    began: datetime | None
    request: Json
    routes: tuple[RouteTried, ...] = ()
    plan: PlanMade | None = None
    tasks: tuple[TaskStory, ...] = ()
    supervisor_tools: tuple[ToolCall, ...] = ()
    """Calls of the supervisor's own: delivery, and what routes looked up."""
    supervisor_models: tuple[ModelCall, ...] = ()
    conflicts: tuple[ConflictStory, ...] = ()
    questions: tuple[QuestionStory, ...] = ()
    gate: tuple[GateRound, ...] = ()
    response: Json = None
    """The accepted response; absent where the gate accepted none."""
    delivered: Delivery | None = None
    transitions: tuple[Transition, ...] = ()
    segments: tuple[SegmentStory, ...] = ()
    spend: Spend | None = None
    timing: Timing
    events: int
    erased: int = 0
    """Events whose bodies were erased."""
    erased_by: str | None = None
