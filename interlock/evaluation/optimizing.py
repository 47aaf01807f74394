"""Looks for a better prompt of one agent with gepa: plays cases, lets a model reflect, keeps what helps.

The held-out cases are never played while looking; they say at the end what the found prompt is worth.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, cast

from interlock.core.canonical import canonical
from interlock.core.limits import AGENT_LIMITS, Budget, Deadline
from interlock.core.models import ModelCall
from interlock.core.ports import Models
from interlock.core.redaction import redact_text
from interlock.errors import BadInput
from interlock.evaluation.cases import Case, Part, Suite
from interlock.evaluation.measuring import measured
from interlock.evaluation.proposals import Figures, Proposal, digest, rewritten, usable, words_of_file
from interlock.evaluation.runner import Process, Work
from interlock.evaluation.table import Result
from interlock.evaluation.traffic import Cost
from interlock.evaluation.variants import Variant

CHOOSE = 3
"""Every third development case says which candidate is kept; the others show what goes wrong."""
FEW = 6
"""With fewer development cases than this, all of them do both."""
BATCH = 3
"""Cases that one reflection reads."""
REFLECTION_S = 180.0
"""How long one reflection may take."""


@dataclass(slots=True)
class Tally:
    """What the search has used."""

    plays: int = 0
    reflection: Cost = field(default_factory=Cost)
    candidates: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What came of the search."""

    proposal: Proposal
    text: str
    """The proposed file; the present one where nothing better was found."""
    figures: Figures
    tally: Tally

    @property
    def better(self) -> bool:
        """Says whether something else than the present prompt is proposed."""
        return self.figures.before != self.figures.after

    def diff(self) -> list[str]:
        """What would change."""
        return self.proposal.diff(self.text)


@dataclass(frozen=True, slots=True)
class Search:
    """What is optimised, with what, within which bounds."""

    suite: Suite
    project: Path
    variant: Variant
    agent: str
    prompt: Path
    models: Models
    reflect: str = "reflection"
    """The model route that reads what went wrong and writes prompts."""
    budget: int = 60
    """Cases that may be played while looking; the held-out cases come on top, twice."""
    seed: int = 0
    out: Path | None = None
    done: Callable[[Result, int], None] | None = None


async def optimize(search: Search) -> Found:
    """Looks for a better prompt, within the budget, and measures what was found on the held-out cases.

    Nothing is written here: `Proposal.write` keeps the result, `Proposal.accept` puts it into place.

    Raises:
        BadInput: if there are no held-out cases, the budget is too small for one candidate, gepa is not
            installed, or the graph cannot be played.
        NotFound: if no model stands behind the reflection's route.
    """
    held_out = search.suite.cases["held_out"]
    if not held_out or not search.suite.cases["development"]:
        raise BadInput(
            f"{search.suite.name} needs development and held-out cases (held_out.jsonl): without them nobody "
            "can say whether a new prompt is better or only fits the cases it was made from."
        )
    _afford(search)
    proposal = Proposal.beside(search.prompt, search.out)
    before, tally = words_of_file(search.prompt), Tally()
    async with Process(search.suite, search.project, search.variant) as process:
        adapter = _Adapter(search, process, tally, asyncio.get_running_loop())
        try:
            best = await asyncio.to_thread(_look, search, adapter, before)
        finally:
            adapter.stop()
        found = best if usable(search.prompt, rewritten(search.prompt, best)) else before
        old = await adapter.play(_works("held_out", held_out), before)
        new = old if found == before else await adapter.play(_works("held_out", held_out), found)
    present = search.prompt.read_text(encoding="utf-8")
    text = present if found == before else rewritten(search.prompt, found)
    figures = Figures(
        agent=search.agent,
        suite=search.suite.name,
        before=digest(present),
        after=digest(text),
        held_out_before=round(_mean(old), 4),
        held_out_after=round(_mean(new), 4),
        harmed=sum(bool(each.harm) for each in new),
        plays=tally.plays,
    )
    return Found(proposal, text, figures, tally)


def score(result: Result) -> float:
    """How well a case went, from 0 to 1: the share of expectations and metrics that hold; 0 with harm."""
    if result.harm or result.seen is None:
        return 0.0
    held = [check.ok for check in result.checks] + [each.ok for each in result.measured]
    return sum(held) / len(held)


def parts(cases: Sequence[Case]) -> tuple[list[Work], list[Work]]:
    """(cases to learn from, cases to choose by), of the development cases alone."""
    works = _works("development", cases)
    if len(works) < FEW:
        return works, works
    choose = works[CHOOSE - 1 :: CHOOSE]
    return [each for each in works if each not in choose], choose


def feedback(result: Result) -> str:
    """What went wrong with a case, in words that a model can learn from."""
    if result.seen is None:
        return "It could not be run at all with this prompt."
    wrong = [
        f"{c.field}: expected {_told(c.expected)}, came {_told(c.came)}" for c in result.checks if not c.ok
    ]
    wrong += [f"{each.metric}: {each.why}" for each in result.measured if not each.ok]
    wrong += [f"this must never happen: {harm}" for harm in result.harm]
    return f"{result.why}\n" + ("\n".join(wrong) or "Everything was as expected.")


def _round(search: Search) -> tuple[int, int]:
    """(cases that say what the present prompt is worth, cases that one candidate may take)."""
    learn, choose = parts(search.suite.cases["development"])
    return len(choose), 2 * min(BATCH, len(learn)) + len(choose)


def _afford(search: Search) -> None:
    least = sum(_round(search))
    if search.budget < least:
        raise BadInput(
            f"{search.budget} cases are too few to try one prompt on {search.suite.name}: it takes {least}. "
            f"Give --budget {least} or more."
        )


def _look(search: Search, adapter: "_Adapter", before: str) -> str:
    """Gepa's search, in a thread of its own; the best words it found."""
    try:
        from gepa import api as gepa_api
    except ImportError as error:
        raise BadInput(
            'the search is gepa\'s, which is not installed: pip install "interlock[evals]".'
        ) from error
    learn, choose = parts(search.suite.cases["development"])
    found: Any = cast("Any", gepa_api).optimize(
        seed_candidate={search.agent: before},
        trainset=learn,
        valset=choose,
        adapter=cast("Any", adapter),
        reflection_lm=cast("Any", adapter.reflect),
        reflection_minibatch_size=min(BATCH, len(learn)),
        # gepa looks at the budget between rounds, so a round is begun only where a whole one is left.
        max_metric_calls=search.budget - _round(search)[1] + 1,
        seed=search.seed,
        logger=_Silent(),
        display_progress_bar=False,
        raise_on_exception=True,
    )
    best = cast("dict[str, str]", found.best_candidate)
    return best[search.agent].strip()


class _Silent:
    """gepa's log, which nobody reads here."""

    def log(self, message: str) -> None:
        """Keeps it to itself."""


class _Adapter:
    """What gepa asks for: cases played with a candidate, and what to learn from them."""

    propose_new_texts = None

    def __init__(
        self, search: Search, process: Process, tally: Tally, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._search, self._process, self._tally, self._loop = search, process, tally, loop
        self._pending: Future[Any] | None = None
        self._stopped = False
        self._turn = Lock()  # what is begun while the search is being stopped is stopped as well

    def stop(self) -> None:
        """Lets gepa's thread end: what it waits for is cancelled, and nothing more is done for it."""
        with self._turn:
            self._stopped = True
            if self._pending is not None:
                self._pending.cancel()

    def evaluate(self, batch: list[Work], candidate: Mapping[str, str], capture_traces: bool = False) -> Any:  # noqa: ANN401
        """Plays cases with a candidate; called in gepa's thread."""
        from gepa.core.adapter import EvaluationBatch

        results = self._here(self.play(batch, candidate[self._search.agent]))
        return EvaluationBatch(
            outputs=results,
            scores=[score(each) for each in results],
            trajectories=list(zip(batch, results, strict=True)) if capture_traces else None,
        )

    def make_reflective_dataset(
        self,
        candidate: Mapping[str, str],
        eval_batch: Any,  # noqa: ANN401
        components_to_update: list[str],
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """What the reflection reads of each case: the task, what the agent made of it, and what was wrong."""
        played = cast("list[tuple[Work, Result]]", eval_batch.trajectories)
        rows = [self._lesson(work, result) for work, result in played]
        return dict.fromkeys(components_to_update, rows)

    def reflect(self, prompt: str | list[dict[str, Any]]) -> str:
        """Asks the reflection model; called in gepa's thread."""
        return self._here(self._ask(prompt if isinstance(prompt, str) else canonical(prompt).decode()))

    async def play(self, works: Sequence[Work], words: str) -> list[Result]:
        """Plays cases one after the other with these words as the agent's prompt."""
        text = rewritten(self._search.prompt, words)
        found: list[Result] = []
        for work in works:
            result = await self._process.result(work, {self._search.agent: text})
            found.append(measured(self._search.suite, result))
            self._tally.plays += 1
            if self._search.done is not None:
                self._search.done(result, self._tally.plays)
        return found

    async def _ask(self, prompt: str) -> str:
        reply = await self._search.models.reply(
            self._search.reflect,
            ModelCall.of(redact_text(prompt)),
            budget=Budget(AGENT_LIMITS, "a reflection"),
            deadline=Deadline.after(REFLECTION_S, monotonic),
        )
        self._tally.candidates += 1
        used = Cost(model_calls=1, tokens=reply.tokens, usd=reply.usd)
        self._tally.reflection = self._tally.reflection.plus(used)
        return reply.text

    def _here(self, work: Any) -> Any:  # noqa: ANN401
        """Runs a coroutine on the loop that owns the process, and waits for it in this thread."""
        with self._turn:
            if self._stopped:
                work.close()
                raise RuntimeError("the search was stopped")
            self._pending = pending = asyncio.run_coroutine_threadsafe(work, self._loop)
        return pending.result()

    def _lesson(self, work: Work, result: Result) -> Mapping[str, Any]:
        made = [
            each for each in (result.seen.made if result.seen else ()) if each.agent == self._search.agent
        ]
        outputs = [_told(each.output) if each.output is not None else each.why for each in made]
        return {
            "Inputs": redact_text(_told(work.case.ticket)),
            "Generated Outputs": {
                "of this agent": "\n".join(outputs) or "it was not asked",
                "reply of the whole graph": result.seen.reply if result.seen else "",
            },
            "Feedback": feedback(result),
        }


def _works(part: Part, cases: Sequence[Case]) -> list[Work]:
    return [Work(part, "plain", case) for case in cases]


def _mean(results: Sequence[Result]) -> float:
    return sum(map(score, results)) / len(results)


def _told(value: object) -> str:
    return value if isinstance(value, str) else canonical(value).decode()
