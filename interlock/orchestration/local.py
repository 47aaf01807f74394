"""What stands behind an unbound graph: memory, for as long as it runs. It reads and changes nothing."""

import hashlib
from collections.abc import Mapping
from typing import Any, cast

from interlock.core.canonical import plain
from interlock.core.journal import Entry, call_digest
from interlock.core.policy import Policy
from interlock.core.ports import Batch, Origin
from interlock.core.questions import Question, Receipt
from interlock.core.runs import RunState
from interlock.core.scope import TaskScope
from interlock.core.tools import Tool, matches
from interlock.errors import NotBound, NotFound, ToolDenied


class LocalLedger:
    """The `Ledger` port in memory: reads of one task are replayed, nothing outlives the process."""

    def __init__(self) -> None:
        """Starts empty."""
        self._entries: dict[tuple[str, str, int, str, str, int], Entry] = {}

    async def load(self, run: str, task: str | None = None) -> list[Entry]:
        """The journal of a task or of the run."""
        return [e for e in self._entries.values() if e.run == run and task in (None, e.task)]

    async def commit(self, batch: Batch) -> None:
        """Keeps the entries; events of an unbound graph are nobody's record."""
        self._entries.update({entry.name: entry for entry in batch.entries})

    def forget(self, run: str) -> None:
        """Drops what a run that has ended kept."""
        self._entries = {name: entry for name, entry in self._entries.items() if entry.run != run}

    async def question(self, question: str) -> Question | None:
        """Nobody is asked in an unbound graph."""
        return None

    async def receipt(self, question: str) -> Receipt | None:
        """So there are no receipts either."""
        return None

    async def outcome_of(self, run: str) -> RunState:
        """An unbound graph is always executing."""
        return "executing"


class LocalArtifacts:
    """The `Artifacts` port in memory."""

    def __init__(self) -> None:
        """Starts empty."""
        self._data: dict[str, bytes] = {}

    async def put(self, run: str, name: str, media_type: str, data: bytes) -> str:
        """Keeps the bytes."""
        made = hashlib.sha256(data).hexdigest()
        self._data[made] = data
        return made

    async def get(self, digest: str) -> bytes:
        """The bytes.

        Raises:
            NotFound: if they were never put here.
        """
        if digest not in self._data:
            raise NotFound(f"no artifact {digest[:12]} is kept here.")
        return self._data[digest]


class LocalTools:
    """The `Tools` port of an unbound graph: reads what was granted and allowed, and changes nothing."""

    def __init__(self, policy: Policy) -> None:
        """Decides by the graph's own policy."""
        self._policy = policy

    async def call(
        self,
        scope: TaskScope,
        tool: Tool[..., Any] | str,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> object:
        """Makes one reading call.

        Raises:
            NotBound: for effects, for calls that need a yes, and for tools called by name.
            ToolDenied: if it was not granted or the policy refuses it.
            ToolFailed, ToolUnavailable: as the server answers.
        """
        scope.check_open()
        if isinstance(tool, str) or tool.effect != "none":
            raise NotBound(
                f"{tool!r} needs a bound graph: use `interlock.bind(graph)`; unbound graphs only read."
            )
        arguments = tool.bind(*args, **kwargs)
        verdict = self._policy.evaluate(scope.agent, tool, arguments, scope.principal)
        if verdict.decision == "deny" or not any(matches(granted, tool.name) for granted in scope.tools):
            raise ToolDenied(f"{scope.agent} may not call {tool.name}: {verdict.reason}.")
        if verdict.decision == "ask":
            raise NotBound(f"{tool.name} needs somebody's yes, and an unbound graph has nobody to ask.")
        scope.budget.take(tool_calls=1)
        answer = await cast("Origin", tool.origin).read(tool, {k: plain(v) for k, v in arguments.items()})
        name = call_digest(tool.name, arguments)
        scope.journal.put(
            Entry(
                run=scope.run,
                task=scope.task,
                attempt=scope.attempt,
                digest=name,
                nth=scope.journal.occurrence(name).nth,
                kind="read",
                operation=tool.name,
                arguments=tool.shown(arguments),
                state="answered",
                answer=answer,
            )
        )
        scope.tell(tool.name, name, answer)
        return tool.returns.validate_python(answer)

    def under(self, policy: Policy) -> "LocalTools":
        """The same, decided by another policy."""
        return LocalTools(policy)

    async def close(self) -> None:
        """Nothing is kept open."""
