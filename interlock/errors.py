"""Every error Interlock raises, named by its cause.

The class docstring is the default message, so the text a person reads stands beside the name.

InterlockError
├── BadInput            ├── BuildError          ├── NotFound
├── PlanInvalid         ├── NotBound            ├── WrongState
│                       │   └── Bypassed        │
├── ToolDenied          ├── ToolFailed          ├── ToolUnavailable
├── OutcomeUnknown      ├── Rejected            ├── DoorsClosed
├── Diverged            ├── BudgetExceeded      ├── DeadlineExceeded
├── SchemaViolation     ├── LeaseLost           ├── RunBusy
├── AnswerRefused       ├── ReceiptUsed         ├── EffectTaken
├── ModelUnavailable    ├── RemoteFailed        ├── RecordBroken
│   └── ModelRefused    └── StoreUnavailable    └── FormatRefused
"""

import inspect
from typing import Any


class InterlockError(Exception):
    """Something Interlock attempted could not be done."""

    code = "error"
    retryable = False

    def __init__(self, message: str | None = None) -> None:
        """Takes the sentence for people; without one the class docstring serves."""
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or self.code))

    @property
    def message(self) -> str:
        """The sentence for people: what was attempted, with which value, what to do next."""
        return str(self)


class BadInput(InterlockError):
    """The input cannot be used as it is: correct it and try again."""

    code = "bad_input"


class BuildError(InterlockError):
    """The graph cannot be built as it is wired."""

    code = "build"


class NotFound(InterlockError):
    """There is nothing with that name or id."""

    code = "not_found"


class PlanInvalid(InterlockError):
    """The plan does not fit the agents it names."""

    code = "plan_invalid"


class NotBound(InterlockError):
    """This needs a bound graph: use `interlock.bind(graph)`; unbound graphs only read."""

    code = "not_bound"


class Bypassed(NotBound):
    """A body asked a model past its doors; strict mode did not let it."""

    code = "bypassed"


class WrongState(InterlockError):
    """The run is in a state in which this cannot be done."""

    code = "wrong_state"


class ToolDenied(InterlockError):
    """The policy does not allow this call."""

    code = "tool_denied"


class ToolFailed(InterlockError):
    """The tool answered with an error; nothing in the world was changed by it."""

    code = "tool_failed"


class ToolUnavailable(InterlockError):
    """The tool's server could not be reached or did not answer in time."""

    code = "tool_unavailable"
    retryable = True


class ModelUnavailable(InterlockError):
    """No model behind the route answered."""

    code = "model_unavailable"
    retryable = True

    def __init__(self, message: str | None = None, passed: tuple[Any, ...] = ()) -> None:
        """Takes the sentence for people, and who was asked (`Passed` values, in order)."""
        super().__init__(message)
        self.passed = passed


class ModelRefused(ModelUnavailable):
    """The model refused the request as it was put; asking again would not help."""

    code = "model_refused"
    retryable = False


class RemoteFailed(InterlockError):
    """The remote agent could not be reached, or its answer could not be used."""

    code = "remote_failed"
    retryable = True


class OutcomeUnknown(InterlockError):
    """It cannot be known whether the effect happened; a person has to settle it."""

    code = "outcome_unknown"


class Rejected(InterlockError):
    """A person said no to this call."""

    code = "rejected"


class DoorsClosed(InterlockError):
    """The task is over: its doors cannot be used any more."""

    code = "doors_closed"


class Diverged(InterlockError):
    """The body, run again, did not ask for an effect it had already caused."""

    code = "diverged"


class BudgetExceeded(InterlockError):
    """The call would spend more than its budget has left; it was not sent."""

    code = "budget_exceeded"

    def __init__(self, message: str | None = None, passed: tuple[Any, ...] = ()) -> None:
        """Takes the sentence for people, and which models were paid in vain before (`Passed` values)."""
        super().__init__(message)
        self.passed = passed


class DeadlineExceeded(InterlockError):
    """The time given to this work is over."""

    code = "deadline_exceeded"


class SchemaViolation(InterlockError):
    """A value does not have the declared shape."""

    code = "schema_violation"


class LeaseLost(InterlockError):
    """Another worker has taken this run over; this one must stop writing."""

    code = "lease_lost"


class RunBusy(InterlockError):
    """Another process is advancing this run right now; try again when it has stopped."""

    code = "run_busy"
    retryable = True


class StoreUnavailable(InterlockError):
    """The database could not be used; nothing of this step was stored, and the run can be resumed."""

    code = "store_unavailable"
    retryable = True


class AnswerRefused(InterlockError):
    """The answer was not taken; the question is as it was."""

    code = "answer_refused"


class ReceiptUsed(InterlockError):
    """The approval was already used once; it cannot be used again."""

    code = "receipt_used"


class EffectTaken(InterlockError):
    """Another run has already caused this effect."""

    code = "effect_taken"


class FormatRefused(InterlockError):
    """What is stored was written in a format that this version does not read."""

    code = "format_refused"


class RecordBroken(InterlockError):
    """The record does not verify."""

    code = "record_broken"
