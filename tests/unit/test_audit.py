"""Verification: every change is found, the first bad row is named, and no more is claimed than is true."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.audit import Report, verify
from interlock.core.events import GENESIS, Draft, Head, chain, head_bytes
from interlock.core.stores import Line

AT = datetime(2026, 3, 1, tzinfo=UTC)
KNOWN = "known"


def sign(data: bytes, key: str = KNOWN) -> str:
    """A signature that this test's keys make."""
    return hashlib.sha256(key.encode() + data).hexdigest()


def check(key: str, data: bytes, signature: str) -> bool | None:
    """Verifies it; other keys are not known."""
    return signature == sign(data) if key == KNOWN else None


def lines(count: int = 6, run: str = "r-1") -> list[Line]:
    """A chain as the database stores it."""
    made: list[Line] = []
    prev = GENESIS
    for seq in range(1, count + 1):
        body: dict[str, Any] = {"n": seq}
        event = chain(
            run,
            seq,
            prev,
            Draft(id=f"id-{seq}", kind="tool.read", actor="agent:a", at=AT, body=body),
            f"s{seq}",
        )
        prev = event.hash
        made.append(Line(event=event, hash=prev, salt=f"s{seq}", body=body))
    return made


def head(chain: list[Line], seq: int, key: str = KNOWN) -> Head:
    """The signed head of one of its events."""
    line = chain[seq - 1]
    signature = sign(head_bytes(line.event.run, seq, line.hash), key)
    return Head(run=line.event.run, seq=seq, hash=line.hash, key_id=key, signature=signature, at=AT)


def rehashed(chain_: list[Line]) -> list[Line]:
    """The same events with hashes that fit again, as a forger would store them."""
    made: list[Line] = []
    prev = GENESIS
    for line in chain_:
        event = line.event.model_copy(update={"prev": prev})
        prev = event.hash
        made.append(replace(line, event=event, hash=prev))
    return made


def bad(report: Report) -> tuple[int, str]:
    """Where the first bad row is, and what is wrong with it."""
    assert report.first is not None
    return report.first.seq, report.first.what


def test_an_empty_record_verifies() -> None:
    """There is nothing in it that could be wrong."""
    assert verify([], [], check).whole


def test_a_whole_chain_verifies_up_to_its_head() -> None:
    """What comes after the last head is told to be unsigned, and is not wrong."""
    report = verify(lines(), [head(lines(), 2), head(lines(), 4)], check)

    assert report.whole and (report.events, report.signed) == (6, 4)
    assert [(note.seq, note.what) for note in report.unsigned] == [(5, "not yet signed")]
    assert "2 events are not signed yet, the first being event 5 of run r-1" in report.sentence


FIELDS: dict[str, Any] = {
    "id": "x", "prev": "x", "actor": "x", "kind": "x", "task": "x", "attempt": 9, "body_digest": "x",
    "at": datetime(2027, 1, 1, tzinfo=UTC),
}  # fmt: skip


@given(st.integers(1, 6), st.sampled_from(sorted(FIELDS)), st.integers(1, 6))
def test_any_change_to_any_field_is_found_at_its_row(seq: int, field: str, signed: int) -> None:
    """Whatever is signed."""
    made = lines()
    event = made[seq - 1].event.model_copy(update={field: FIELDS[field]})
    made[seq - 1] = replace(made[seq - 1], event=event)

    assert bad(verify(made, [head(lines(), signed)], check))[0] == seq


@given(st.integers(1, 6), st.data())
def test_any_row_taken_out_is_found(first: int, data: st.DataObject) -> None:
    """From the middle by its neighbours, from the end by the run's row."""
    last = data.draw(st.integers(first, 6))
    made = lines()
    end = (6, made[-1].hash)
    del made[first - 1 : last]

    assert bad(verify(made, [], check, ends={"r-1": end}))[0] == first


@given(st.integers(1, 6), st.integers(1, 6))
def test_a_recomputed_chain_is_found_by_a_later_head(seq: int, signed: int) -> None:
    """All hashes fit, the head does not; a head of earlier events says nothing about it."""
    made = lines()
    event = made[seq - 1].event.model_copy(update={"actor": "mallory"})
    made[seq - 1] = replace(made[seq - 1], event=event)
    report = verify(rehashed(made), [head(lines(), signed)], check)

    assert report.whole is (signed < seq)


@pytest.mark.parametrize(
    ("change", "seq", "what"),
    [
        (lambda line: replace(line, body={"n": 0}), 3, "its body was changed"),
        (lambda line: replace(line, body={"n": float("nan")}), 3, "its body was changed"),
        (lambda line: replace(line, body=None), 3, "its body was changed"),
        (lambda line: replace(line, salt="other"), 3, "its body was changed"),
        (lambda line: replace(line, body=None, salt=None), 3, "its body is gone"),
        (lambda line: replace(line, body=None, salt=None, erased=True), 3, "its body is gone"),
        (lambda line: replace(line, hash="x"), 3, "it does not have its own hash"),
    ],
)
def test_a_changed_row_is_named(change: Callable[[Line], Line], seq: int, what: str) -> None:
    """Bodies are tied to their events."""
    made = lines()
    made[seq - 1] = change(made[seq - 1])

    found = bad(verify(made, [], check))

    assert found[0] == seq
    assert what in found[1]


def test_a_row_changed_together_with_its_hash_is_named() -> None:
    """The one after it still names the hash it had."""
    made = lines()
    event = made[2].event.model_copy(update={"actor": "mallory"})
    made[2] = replace(made[2], event=event, hash=event.hash)

    assert bad(verify(made, [], check)) == (3, "it was changed together with its hash: event 4 names another")


def test_a_chain_has_to_begin_at_the_beginning() -> None:
    """The first event names 64 zeros."""
    made = lines()
    event = made[0].event.model_copy(update={"prev": "f" * 64})
    made[0] = replace(made[0], event=event, hash=event.hash)

    assert bad(verify(made, [], check)) == (1, "it does not begin the chain")


def test_a_number_given_twice_is_found() -> None:
    """An event put in between has no place."""
    made = lines()

    assert bad(verify([*made[:3], made[2], *made[3:]], [], check)) == (3, "its number was given before")


def test_an_erasure_that_is_recorded_is_not_wrong() -> None:
    """The event that says so comes after the bodies that are gone."""
    made = lines()
    last = made[-1].event.model_copy(update={"kind": "subject.erased"})
    made[-1] = replace(made[-1], event=last, hash=last.hash)
    erased = [replace(line, body=None, salt=None, erased=True) for line in made[:-1]]

    assert verify([*erased, made[-1]], [], check).whole


@pytest.mark.parametrize(
    ("end", "finding"),
    [
        ((6, "x"), (6, "the run's row names another hash for it")),
        ((8, "x"), (7, "the end was cut off: the run's row says it has 8 events")),
        ((4, "x"), (5, "the run's row says that the chain ends at event 4")),
    ],
)
def test_the_chain_ends_where_the_runs_row_says(end: tuple[int, str], finding: tuple[int, str]) -> None:
    """Otherwise something was cut off, added or changed."""
    assert bad(verify(lines(), [], check, ends={"r-1": end})) == finding


def test_a_head_signed_by_nobody_we_know_is_wrong() -> None:
    """A forger can make a key of their own."""
    assert "key mallory, which is not known" in bad(verify(lines(), [head(lines(), 6, "mallory")], check))[1]


def test_a_signature_of_something_else_is_wrong() -> None:
    """And covers nothing."""
    forged = head(lines(), 6).model_copy(update={"signature": sign(b"else")})
    report = verify(lines(), [forged], check)

    assert bad(report) == (6, "the signature of a signed head is not valid")
    assert report.signed == 0


def test_an_exported_head_counts_though_its_key_is_gone() -> None:
    """It was kept elsewhere, so it is believed; a forged one is told apart where the key is known."""
    whole = verify(lines(), [], check, exported=[head(lines(), 6, "old")])
    forged = head(lines(), 6).model_copy(update={"signature": "00"})

    assert whole.whole and whole.exported == 6
    assert "exported head is not valid" in bad(verify(lines(), [], check, exported=[forged]))[1]


def test_a_run_that_vanished_is_found_by_its_exported_head() -> None:
    """All its rows are gone."""
    report = verify([], [], check, exported=[head(lines(), 6)])

    assert bad(report) == (1, "the end was cut off: there is an exported head of event 6")


def test_the_sentence_says_whom_an_exported_head_excludes() -> None:
    """Up to it nobody, behind it only those without the key."""
    part = verify(lines(), [head(lines(), 6)], check, exported=[head(lines(), 4)])
    all_ = verify(lines(), [head(lines(), 6)], check, exported=[head(lines(), 6)])

    assert "Up to the exported heads (4 events) nobody" in part.sentence
    assert "Whoever holds the signing key could have rewritten the rest" in part.sentence
    assert "Whoever holds the signing key" not in all_.sentence


def test_runs_are_verified_one_by_one() -> None:
    """A bad row in one is named; the other counts as it did."""
    one, two = lines(), lines(3, "r-2")
    two[1] = replace(two[1], body={"n": 0})

    report = verify([*one, *two], [head(one, 6), head(two, 3)], check)

    assert (report.runs, report.events, len(report.findings)) == (2, 9, 1)
    assert report.sentence == "The record does not verify. run r-2, event 2: its body was changed."


def test_the_sentence_counts_what_else_is_wrong() -> None:
    """The first is named, the others are counted."""
    made = lines()
    for at in (1, 3, 4):
        made[at] = replace(made[at], body={})

    assert verify(made, [], check).sentence.endswith("event 2: its body was changed (2 more).")
