"""What peers send is mended before anything reads it: times without a zone, and events by names of 0.3."""

import json
from typing import Any

import pytest

from interlock.a2a.lenient import mended


def event(**result: Any) -> bytes:
    """One event of a stream."""
    return b"data: " + json.dumps({"jsonrpc": "2.0", "id": "1", "result": result}).encode()


def result(line: bytes) -> Any:
    """What an event carries."""
    return json.loads(line.removeprefix(b"data: "))["result"]


@pytest.mark.parametrize(
    ("kind", "name"), [("artifact-update", "artifactUpdate"), ("status-update", "statusUpdate")]
)
def test_an_event_of_0_3_gets_its_name_in_1_0(kind: str, name: str) -> None:
    """A server that says 1.0 and streams the events of 0.3 is heard all the same."""
    line = event(kind=kind, taskId="t1", artifact={"artifactId": "a1"})

    assert result(mended(line)) == {name: result(line)}


def test_events_of_0_3_are_left_alone_where_0_3_was_asked_for() -> None:
    """Their reader knows them by `kind`."""
    line = event(kind="status-update", taskId="t1")

    assert mended(line, current=False) == line


def test_an_event_that_is_named_already_is_left_alone() -> None:
    """Words of an agent's own that look like the name of an event are none."""
    line = event(artifactUpdate={"artifact": {"parts": [{"data": {"kind": "artifact-update"}}]}})

    assert result(mended(line)) == result(line)


def test_a_bare_event_gets_its_zone_as_well() -> None:
    """Both are mended in one line."""
    line = event(kind="status-update", status={"state": "working", "timestamp": "2026-01-02T03:04:05"})

    assert result(mended(line))["statusUpdate"]["status"]["timestamp"] == "2026-01-02T03:04:05Z"
