"""Events name the one before them; bodies stand beside the chain."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.events import GENESIS, KINDS, Draft, Event, body_digest, chain, event_id, head_bytes

NOW = datetime(2030, 6, 15, 12, tzinfo=UTC)
DRAFT = Draft(
    id="e1",
    kind="tool.read",
    actor="agent:orders",
    at=NOW,
    task="orders",
    attempt=1,
    body={"tool": "shop/find"},
)
EVENT = chain("r-1", 2, "a" * 64, DRAFT, "salt")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "run": TEXT,
    "seq": st.integers(0, 2**53),
    "id": TEXT,
    "prev": TEXT,
    "at": st.timedeltas(timedelta(days=-9), timedelta(days=9)).map(lambda d: NOW + d),
    "actor": TEXT,
    "kind": TEXT,
    "task": TEXT,
    "attempt": st.integers(0, 2**53),
    "body_digest": TEXT,
}


def test_every_field_is_covered() -> None:
    """The test below changes all fields but the format version."""
    assert set(VALUES) == set(Event.model_fields) - {"v"}


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(VALUES)), st.data())
def test_any_change_of_any_field_changes_the_hash(name: str, data: st.DataObject) -> None:
    """What an event says cannot be edited without its hash telling."""
    value = data.draw(VALUES[name])
    other = EVENT.model_copy(update={name: value})

    assert (other.hash == EVENT.hash) == (value == getattr(EVENT, name))


def test_format_version_is_part_of_the_hash() -> None:
    """An event of another format is another event."""
    assert EVENT.model_copy(update={"v": 2}).hash != EVENT.hash


def test_hash_survives_storing() -> None:
    """Written as JSON and read back, an event has the same hash."""
    assert Event.model_validate_json(EVENT.model_dump_json()).hash == EVENT.hash


def test_draft_takes_its_place_as_it_is() -> None:
    """Nothing of the draft is changed, and its body is there by digest only."""
    fields = ("id", "kind", "actor", "at", "task", "attempt")

    assert [getattr(EVENT, f) for f in fields] == [getattr(DRAFT, f) for f in fields]
    assert (EVENT.run, EVENT.seq, EVENT.prev) == ("r-1", 2, "a" * 64)
    assert EVENT.body_digest == body_digest("salt", {"tool": "shop/find"})
    assert "shop/find" not in EVENT.model_dump_json()


@settings(deadline=None, max_examples=50)
@given(TEXT, TEXT, TEXT, TEXT)
def test_body_cannot_be_guessed_without_its_salt(one: str, two: str, body: str, other: str) -> None:
    """Two salts give two digests of one body, two bodies give two digests under one salt."""
    assert (body_digest(one, {"b": body}) == body_digest(two, {"b": body})) == (one == two)
    assert (body_digest(one, {"b": body}) == body_digest(one, {"b": other})) == (body == other)


@settings(deadline=None, max_examples=30)
@given(st.lists(TEXT, min_size=2, max_size=6), st.data())
def test_one_changed_event_breaks_the_chain_behind_it(words: list[str], data: st.DataObject) -> None:
    """Each event names the hash before it, so that an edit shows at the next one."""
    events: list[Event] = []
    for seq, word in enumerate(words, 1):
        draft = DRAFT.model_copy(update={"id": f"e{seq}", "body": {"word": word}})
        events.append(chain("r-1", seq, events[-1].hash if events else GENESIS, draft, "salt"))
    at = data.draw(st.integers(0, len(events) - 2))

    edited = [*events[:at], events[at].model_copy(update={"actor": "mallory"}), *events[at + 1 :]]
    links = [GENESIS, *(event.hash for event in edited)]

    assert [event.prev == link for event, link in zip(edited, links, strict=False)] == [
        i != at + 1 for i in range(len(events))
    ]


def test_same_fact_has_the_same_id() -> None:
    """A re-executed task adds nothing; another run, kind, task, attempt or tag is another fact."""
    fact = ("r-1", "tool.read", "orders", 0, "x")
    changed = ["r-2", "tool.denied", "risk", 1, "y"]
    others = [event_id(*(*fact[:i], other, *fact[i + 1 :])) for i, other in enumerate(changed)]  # type: ignore[arg-type]

    assert event_id(*fact) == event_id(*fact)
    assert len({event_id(*fact), *others}) == 6


def test_head_binds_run_position_and_hash() -> None:
    """What is signed changes with each of its parts."""
    heads = {
        head_bytes("r-1", 1, "a"),
        head_bytes("r-2", 1, "a"),
        head_bytes("r-1", 2, "a"),
        head_bytes("r-1", 1, "b"),
    }

    assert len(heads) == 4
    assert all(head.startswith(b"interlock/head/1\0") for head in heads)


@pytest.mark.parametrize(("kind", "told"), KINDS.items())
def test_every_kind_says_what_happened(kind: str, told: str) -> None:
    """A kind is a noun and a verb, and has a sentence for people."""
    assert kind.count(".") == 1 and kind == kind.lower()
    assert " " in told and not told.endswith(".")
