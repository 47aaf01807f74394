"""The ledger in memory: the same journal, events and chain as in the database, and no disk."""

import secrets

from interlock.core.events import GENESIS, Event, chain
from interlock.core.journal import Entry
from interlock.core.ports import Batch
from interlock.core.questions import Question, Receipt
from interlock.core.runs import RunState, check_move


class MemoryLedger:
    """Implements `core.ports.Ledger` for one run, in Python objects."""

    def __init__(self) -> None:
        """Starts as a run that was just created."""
        self.entries: dict[tuple[object, ...], Entry] = {}
        self.events: list[Event] = []
        self.state: RunState = "created"
        self._ids: set[str] = set()
        self._last = GENESIS

    async def load(self, run: str, task: str | None = None) -> list[Entry]:
        """The journal of one task, or of the whole run."""
        return [e for e in self.entries.values() if task in (None, e.task)]

    async def commit(self, batch: Batch) -> None:
        """Keeps entries and moves, and chains the events."""
        self.entries.update({entry.name: entry for entry in batch.entries})
        for draft in batch.drafts:
            if draft.id in self._ids:
                continue
            event = chain(batch.run, len(self.events) + 1, self._last, draft, secrets.token_hex(16))
            self._ids.add(draft.id)
            self.events.append(event)
            self._last = event.hash
        for move in filter(None, (batch.move, batch.then)):
            check_move(batch.run, self.state, move.to)
            self.state = move.to

    async def question(self, question: str) -> Question | None:
        """Nobody is asked here."""
        return None

    async def receipt(self, question: str) -> Receipt | None:
        """So there are no receipts."""
        return None

    async def outcome_of(self, run: str) -> RunState:
        """The state the run is in."""
        return self.state
