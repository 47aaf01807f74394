"""How an attempt at a remote agent ended, as the journal keeps it and the specialist gets it."""

from dataclasses import dataclass
from typing import Literal

from interlock.a2a.answers import Heard
from interlock.core.canonical import Json, canonical
from interlock.core.redaction import redact, redact_text

_MOST_ANSWER = 1024 * 1024
"""Bytes of an answer that are taken."""
_MOST_WORDS = 500


@dataclass(frozen=True, slots=True)
class End:
    """An answer, or why there is none."""

    answer: Json = None
    code: str = ""
    """Empty for an answer."""
    why: str = ""
    retryable: bool = False
    state: Literal["answered", "failed", "canceled"] = "answered"
    said: str = ""
    """The remote agent's own words about it; for the record alone."""
    outcome: str = ""
    """How a run at a server of ours came out, where it says so."""

    @property
    def error(self) -> dict[str, Json] | None:
        """As the journal keeps it."""
        if not self.code:
            return None
        return {"code": self.code, "message": self.why, "retryable": self.retryable}


def failed(why: str, *, code: str = "remote_failed", retryable: bool = False, said: str = "") -> End:
    """The end without an answer."""
    return End(code=code, why=why, retryable=retryable, state="failed", said=redact_text(said)[:_MOST_WORDS])


def of_heard(heard: Heard, agent: str, url: str) -> End:
    """How a task ended that is over at the peer. A new attempt may ask again; the same one never does."""
    if heard.standing == "canceled":
        end = failed(f"{agent} was canceled at {url}.", code="remote_canceled", said=heard.words)
    elif heard.standing == "rejected":
        end = failed(f"{agent} at {url} refused the task.", code="remote_rejected", said=heard.words)
    elif heard.outcome == "gave_up":
        end = failed(f"{agent} at {url} gave up.", code="gave_up", said=heard.words)
    elif heard.standing == "failed":
        end = failed(f"{agent} failed at {url}.", retryable=True, said=heard.words)
    else:
        end = _answered(heard, agent, url)
    return end


def _answered(heard: Heard, agent: str, url: str) -> End:
    answer = heard.answer
    if heard.empty:
        files = " with files alone, which are not fetched" if heard.files else " with nothing"
        return failed(f"{agent} at {url} answered{files}.", retryable=True, said=heard.words)
    try:
        size = len(canonical(answer))
    except ValueError:
        return failed(f"{agent} at {url} answered with what cannot be kept as JSON.", retryable=True)
    if size > _MOST_ANSWER:
        return failed(f"{agent} at {url} answered with {size} bytes; {_MOST_ANSWER} are taken.")
    return End(answer=redact(answer), outcome=heard.outcome)
