"""Verifies a record: recomputes every hash, compares it with what is stored and what was signed.

Pure: the caller reads the rows and knows the keys. It finds the first bad row and says which
attacker the result excludes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from interlock.core.events import GENESIS, Event, Head, body_digest, head_bytes
from interlock.core.stores import Line

Check: TypeAlias = Callable[[str, bytes, str], bool | None]
"""(key id, what was signed, signature): whether it is valid; None where the key is not known."""
End: TypeAlias = tuple[int, str]
"""(seq, hash) of a chain's last event; (0, 64 zeros) of an empty one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a record."""

    run: str
    seq: int
    """The first event it concerns."""
    what: str

    def __str__(self) -> str:
        """The finding as a sentence."""
        return f"run {self.run}, event {self.seq}: {self.what}"


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found."""

    runs: int
    events: int
    signed: int
    """Events up to the last valid signature of their run."""
    exported: int
    """Events up to the last exported head of their run."""
    findings: tuple[Finding, ...] = ()
    """What is wrong, first row first."""
    unsigned: tuple[Finding, ...] = ()
    """Ends of chains that no signature covers yet; that is not wrong."""

    @property
    def whole(self) -> bool:
        """Says whether nothing is wrong."""
        return not self.findings

    @property
    def first(self) -> Finding | None:
        """The first bad row."""
        return self.findings[0] if self.findings else None

    @property
    def sentence(self) -> str:
        """What is wrong first, or which attacker is excluded and which is not."""
        if self.first is not None:
            more = f" ({len(self.findings) - 1} more)" if len(self.findings) > 1 else ""
            return f"The record does not verify. {self.first}{more}."
        told = [f"{self.events} events of {self.runs} {'run' if self.runs == 1 else 'runs'} verify."]
        if self.signed:
            told.append(
                f"Somebody who can write the database but has not the signing key has changed none of the "
                f"{self.signed} signed events."
            )
        if self.unsigned:
            told.append(
                f"{self.events - self.signed} events are not signed yet, the first being event "
                f"{self.unsigned[0].seq} of run {self.unsigned[0].run}: whoever can write the database could "
                "have changed them."
            )
        if self.exported:
            told.append(
                f"Up to the exported heads ({self.exported} events) nobody has changed or removed anything, "
                "with the signing key or without it."
            )
        if self.exported < self.events:
            told.append(
                "Whoever holds the signing key could have rewritten "
                + ("the rest" if self.exported else "everything")
                + ", and whoever can write the database could have cut off the end together with its heads: "
                "only a head exported and kept elsewhere excludes that."
            )
        return " ".join(told)


def verify(
    lines: Sequence[Line],
    heads: Sequence[Head],
    check: Check,
    *,
    ends: Mapping[str, End] | None = None,
    exported: Sequence[Head] = (),
) -> Report:
    """Verifies the records of any number of runs.

    Args:
        lines: All events of these runs, in order within each run.
        heads: Their signed heads, as stored beside them.
        check: Verifies one signature.
        ends: run -> the end that the run's row names; without it a chain cut off behind its last
            head looks whole.
        exported: Heads that were kept elsewhere; they find even what the holder of the key changed.
    """
    ends = ends or {}
    names = dict.fromkeys([each.event.run for each in lines])
    names.update(dict.fromkeys([each.run for each in (*heads, *exported)]))
    names.update(dict.fromkeys(ends))
    findings: list[Finding] = []
    unsigned: list[Finding] = []
    signed = covered = 0
    for run in names:
        mine = [line for line in lines if line.event.run == run]
        chain = [(line.event, line.hash) for line in mine]
        broken = broken_links(run, chain)
        known = {finding.seq for finding in broken}
        last, bad = _heads(chain, [h for h in heads if h.run == run], check, known, kept=False)
        beyond, worse = _heads(chain, [h for h in exported if h.run == run], check, known, kept=True)
        wrong = [*broken, *_bodies(run, mine), *_end(run, chain, ends.get(run)), *bad, *worse]
        wrong += _unsigned_ends(run, chain, last)
        findings += sorted(wrong, key=lambda finding: finding.seq)
        if chain and last < chain[-1][0].seq:
            unsigned.append(Finding(run, last + 1, "not yet signed"))
        signed += min(last, len(chain))
        covered += min(beyond, len(chain))
    return Report(len(names), len(lines), signed, covered, tuple(findings), tuple(unsigned))


def _unsigned_ends(run: str, chain: Iterable[tuple[Event, str]], last: int) -> list[Finding]:
    """Turns of workers that ended without a signature: removed, or never made by a worker that was killed."""
    ended = [event.seq for event, _ in chain if event.kind == "segment.ended" and event.seq > last]
    if not ended:
        return []
    what = (
        "a worker let go of the run here, and there is no signature for it: it was removed, or the worker "
        "was killed before it signed"
    )
    return [Finding(run, ended[0], what)]


def broken_links(run: str, chain: Iterable[tuple[Event, str]], after: End = (0, GENESIS)) -> list[Finding]:
    """Where events do not follow one another, or are not what their hash says.

    Args:
        run: Whose chain it is.
        chain: Events with their stored hashes, in order.
        after: The end that the first of them must follow.
    """
    found: list[Finding] = []
    seq, prev = after
    for event, stored in chain:
        whole = event.hash == stored
        if event.seq > seq + 1:
            last = event.seq - 1
            gone = f"events {seq + 1} to {last} are missing" if last > seq + 1 else "it is missing"
            found.append(Finding(run, seq + 1, gone))
        elif event.seq <= seq:
            found.append(Finding(run, event.seq, "its number was given before"))
        elif not whole:
            found.append(Finding(run, event.seq, "it was changed: it does not have its own hash"))
        elif event.prev != prev:
            # The later one is as its hash says, so the earlier one got a new hash after it.
            what = f"it was changed together with its hash: event {event.seq} names another"
            found.append(
                Finding(run, seq, what) if seq else Finding(run, event.seq, "it does not begin the chain")
            )
        seq, prev = event.seq, stored
    return found


def _bodies(run: str, lines: Sequence[Line]) -> list[Finding]:
    """Bodies that are not what was recorded, or are gone without a recorded erasure."""
    found: list[Finding] = []
    erasure = max((line.event.seq for line in lines if line.event.kind == "subject.erased"), default=0)
    for line in lines:
        if line.erased or line.salt is None:
            if not line.erased or line.event.seq > erasure:
                found.append(Finding(run, line.event.seq, "its body is gone, and no erasure is recorded"))
        elif _digest(line.salt, line) != line.event.body_digest:
            found.append(Finding(run, line.event.seq, "its body was changed"))
    return found


def _digest(salt: str, line: Line) -> str:
    try:
        return body_digest(salt, line.body)
    except ValueError:  # numbers that no recorded body can have had
        return ""


def _end(run: str, chain: Sequence[tuple[Event, str]], end: End | None) -> list[Finding]:
    """Whether the chain ends where the run's row says."""
    if end is None:
        return []
    seq, stored = (chain[-1][0].seq, chain[-1][1]) if chain else (0, GENESIS)
    if seq < end[0]:
        return [Finding(run, seq + 1, f"the end was cut off: the run's row says it has {end[0]} events")]
    if seq > end[0]:
        return [Finding(run, end[0] + 1, f"the run's row says that the chain ends at event {end[0]}")]
    return [] if stored == end[1] else [Finding(run, seq, "the run's row names another hash for it")]


def _heads(
    chain: Sequence[tuple[Event, str]], heads: Sequence[Head], check: Check, known: set[int], *, kept: bool
) -> tuple[int, list[Finding]]:
    """The last event that a valid head covers, and what contradicts the heads.

    Args:
        chain: The events of one run, with their stored hashes.
        heads: Signed ends of it.
        check: Verifies one signature.
        known: Events already found to be bad; they say more than the head that cannot fit them.
        kept: True for heads kept elsewhere: those count even if their key is not known here.
    """
    what = "an exported head" if kept else "a signed head"
    hashes = {event.seq: stored for event, stored in chain}
    longest = max(hashes, default=0)
    found: list[Finding] = []
    covered = 0
    for head in sorted(heads, key=lambda head: head.seq):
        run = head.run
        valid = check(head.key_id, head_bytes(run, head.seq, head.hash), head.signature)
        if valid is False:
            found.append(Finding(run, head.seq, f"the signature of {what} is not valid"))
        elif valid is None and not kept:
            found.append(Finding(run, head.seq, f"it is signed with key {head.key_id}, which is not known"))
        elif head.seq > longest:
            found.append(
                Finding(run, longest + 1, f"the end was cut off: there is {what} of event {head.seq}")
            )
        elif hashes.get(head.seq) != head.hash:
            if known & set(range(covered + 1, head.seq + 1)):
                continue
            which = f"events {covered + 1} to {head.seq} were" if head.seq > covered + 1 else "it was"
            found.append(Finding(run, covered + 1, f"{which} rewritten: {what} has another hash"))
        else:
            covered = head.seq
    return covered, found
