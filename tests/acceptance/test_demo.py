"""The five acts of the demo: each is checked in what it says and in the books it leaves behind."""

import asyncio
import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from graphs.demo.stage import ROOT
from interlock.bootstrap import Stores
from interlock.observability.explain import explain
from interlock.observability.narrate import narrate
from tests.played import Played, audit, once, rows, settings_of, words
from tools.seed import seed

played = pytest.fixture(scope="session")(once)

# Act 1 ----------------------------------------------------------------------------------------------


def test_fourteen_tickets_come_to_what_was_expected_of_them(played: Played) -> None:
    """The runs in the database ended as the evaluation set says."""
    cases = [json.loads(line) for line in (ROOT / "evals/support/tickets.jsonl").read_text().splitlines()]
    expected = {case["ticket"]["id"]: case["expect"] for case in cases}

    found = rows(played.folder / "desk/interlock.db", "SELECT input, state, outcome FROM runs")
    came = {json.loads(asked)["id"]: (state, outcome) for asked, state, outcome in found}

    assert len(came) == 14
    assert came == {name: (expected[name]["state"], expected[name]["outcome"]) for name in came}
    assert {"resolved", "degraded", "escalated", "refused", "gave_up", None} == {o for _, o in came.values()}
    assert all(re.search(rf"^  {name}  \w", played.act[1], re.MULTILINE) for name in came)


def test_replies_are_the_accepted_responses_byte_for_byte(played: Played) -> None:
    """What the help desk sent is what the gate accepted, and is what the demo shows."""
    sent = Counter(rows(played.folder / "desk/shop/helpdesk.db", "SELECT ticket_id, text FROM replies"))
    accepted = rows(
        played.folder / "desk/interlock.db",
        "SELECT input, json_extract(body, '$.response.text') FROM events JOIN bodies USING (run, seq)"
        " JOIN runs ON runs.id = run WHERE kind = 'response.accepted'",
    )
    refused = rows(
        played.folder / "desk/interlock.db",
        "SELECT input, json_extract(response, '$.text') FROM runs WHERE outcome = 'refused'",
    )

    assert sent == Counter((json.loads(asked)["id"], text) for asked, text in accepted)
    assert len(sent) == 12 and len(refused) == 1 and refused[0] in accepted
    assert [text for _, text in sent if words(text) not in words(played.act[1])] == []


def test_refunds_are_those_expected(played: Played, tmp_path: Path) -> None:
    """The payments book holds one refund for each ticket that was to get one, beyond what was seeded."""
    seed(tmp_path, date.today())
    query = "SELECT order_id, amount FROM payments WHERE kind = 'refund'"
    new = Counter(rows(played.folder / "desk/shop/payments.db", query)) - Counter(
        rows(tmp_path / "payments.db", query)
    )

    assert new == {
        ("A-1008", "34.50"): 1,
        ("A-1012", "79.90"): 1,
        ("A-1013", "45.00"): 1,
        ("A-1046", "27.50"): 1,
        ("A-1059", "39.90"): 1,
    }


def test_tickets_in_other_languages_are_read_by_a_model(played: Played) -> None:
    """The first model fails on both, by a broken reply and by a refusal; the second reads them."""
    called = rows(
        played.folder / "desk/interlock.db",
        "SELECT json_extract(input, '$.id'), body FROM events JOIN bodies USING (run, seq)"
        " JOIN runs ON runs.id = run WHERE kind = 'model.called'",
    )
    told = {ticket: json.loads(body) for ticket, body in called}

    assert {name: each["model"] for name, each in told.items()} == {"T-049": "careful", "T-050": "careful"}
    assert {name: [(p["model"], p["why"]) for p in each["passed"]] for name, each in told.items()} == {
        "T-049": [("quick", "malformed reply")],
        "T-050": [("quick", "rate limited")],
    }
    assert all(each["prompt_version"].startswith("reading@1-") for each in told.values())


def test_their_risk_is_assessed_by_another_process(played: Played) -> None:
    """The A2A server has runs of its own, one for each of the two tickets, and the desk used them."""
    there = rows(played.folder / "risk/interlock.db", "SELECT input, outcome FROM runs")
    answered = rows(
        played.folder / "desk/interlock.db", "SELECT count(*) FROM events WHERE kind = 'remote.answered'"
    )

    assert {json.loads(asked)["id"]: outcome for asked, outcome in there} == {
        "T-049": "resolved",
        "T-050": "resolved",
    }
    assert answered == [(2,)]


def test_somebody_is_asked_and_the_card_is_shown(played: Played) -> None:
    """One ticket waits for the shift-lead's yes, and one for the customer's answer."""
    asked = rows(
        played.folder / "desk/interlock.db",
        "SELECT id, kind, whom, title FROM questions WHERE state = 'open'",
    )
    approve, clarify = sorted(asked, key=lambda row: row[1])

    assert (approve[1], approve[2]) == ("approve", "shift-lead")
    assert f"interlock approvals approve {approve[0]}" in played.act[1] and "249.00" in approve[3]
    assert clarify[1] == "clarify" and f"asks back: {clarify[3]}" in played.act[1]


def test_conflicts_handovers_and_outages_are_told(played: Played) -> None:
    """Who was believed, who has the ticket now, and that the carrier did not answer."""
    told = words(played.act[1])
    people = rows(played.folder / "desk/shop/helpdesk.db", "SELECT ticket_id, person FROM assignments")

    assert people == [("T-030", "Miriam Vogel")] and "escalated to Miriam Vogel" in told
    assert "shop/order says delivered, carrier/track says lost; carrier/track is believed" in told
    assert "degraded (orders: the carrier could not be reached)" in told
    assert "The carrier cannot be reached at the moment" in told
    assert "refused (The ticket tries to steer us" in told


# Act 2 ----------------------------------------------------------------------------------------------


def test_only_the_approved_call_is_paid(played: Played) -> None:
    """Three calls were asked about, one got a yes, and that one is in the till's book, once."""
    folder = played.folder / "approval"
    asked = rows(
        folder / "interlock.db",
        "SELECT json_extract(details, '$.arguments.amount'), json_extract(answer, '$.yes') FROM questions"
        " ORDER BY asked_at",
    )

    assert asked == [("10.00", 1), ("9999.00", 0), ("10.00", 0)]
    assert rows(folder / "till.db", "SELECT order_id, amount FROM payments") == [("B-1", "10.00")]
    assert rows(folder / "interlock.db", "SELECT used_at IS NOT NULL FROM receipts") == [(1,)]


def test_the_refusals_are_told(played: Played) -> None:
    """Nothing was paid for the other amount, and the used receipt is refused with a sentence."""
    told = words(played.act[2])

    assert "proposes 9,999.00 EUR. Paid so far: nothing." in told
    assert re.search(r"receipt rc-\w{12} was used at \S+ and covers one call only: ask again\.", told)
    assert told.endswith("In the till's own book: 1 payment (10.00 EUR for B-1).")


# Act 3 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scene", "column", "payments"), [("crash", 0, 1), ("crash-without-ledger", 1, 2)])
def test_a_killed_worker_pays_once_with_the_ledger(
    played: Played, scene: str, column: int, payments: int
) -> None:
    """Two processes worked on the run; the book has one payment, and two where the ledger was off."""
    folder = played.folder / scene
    table = [re.split(r" {2,}", line.strip()) for line in played.act[3].splitlines() if "   " in line]
    told = {line[0]: line[1:] for line in table}
    claimed = rows(
        folder / "interlock.db", "SELECT actor FROM events WHERE kind = 'run.claimed' ORDER BY seq"
    )
    workers = [actor.split(":")[2] for (actor,) in claimed]

    assert len(rows(folder / "till.db", "SELECT * FROM payments")) == payments
    assert rows(folder / "interlock.db", "SELECT state FROM runs") == [("completed",)]
    assert told["first worker"][column] == f"killed (SIGKILL), process {workers[0]}"
    assert told["second worker"][column] == f"completed, process {workers[1]}"
    assert told["payments in the till's book then"][column] == "1"
    assert told["payments in the till's book now"][column] == str(payments)


# Act 4 ----------------------------------------------------------------------------------------------


def test_the_story_is_that_of_the_record(played: Played) -> None:
    """The kept record tells the same story again, and the demo shows nothing that is not in it."""

    async def told() -> list[str]:
        folder = played.folder / "desk"
        async with Stores.open(settings_of(folder, "interlock.db")) as stores:
            (run,) = [each for each in await stores.runs.list() if '"T-011"' in json.dumps(each.input)]
            return narrate(explain(run, await stores.record.lines(run.id)))

    whole = asyncio.run(told())
    shown = [line[2:] for line in played.act[4].splitlines()[2:] if line.strip() and "(shortened" not in line]

    assert (played.folder / "desk/story.txt").read_text(encoding="utf-8").splitlines() == whole
    assert len(shown) > 25 and [line for line in shown if line not in whole] == []
    assert {"What was done", "Where sources disagreed", "How the answer was checked"} <= set(shown)


# Act 5 ----------------------------------------------------------------------------------------------


def test_every_edit_is_found_and_named(played: Played) -> None:
    """The kept copies of the edited databases fail, at the run and event the demo names."""
    folder = played.folder / "desk"
    told = words(played.act[5])
    wanted = re.search(r"\(event (\d+) of run (\S+)\)", told)
    edited, recomputed = audit(folder, "edited.db").first, audit(folder, "recomputed.db").first
    kept = audit(folder, "unsigned.db", exported_from="before.db").first

    assert wanted and edited and recomputed and kept
    assert (edited.run, edited.seq) == (wanted[2], int(wanted[1]))
    assert recomputed.run == wanted[2] and "a signed head has another hash" in recomputed.what
    assert "bodies can only be appended to" in told
    assert kept.run == wanted[2] and "an exported head has another hash" in kept.what
    assert all(words(str(finding)) in told for finding in (edited, recomputed, kept))
    assert told.count("audit: broken") == 3 and told.count("audit: ok") == 1


def test_only_the_signature_finds_the_recomputed_chain(played: Played) -> None:
    """Without the signed heads only their absence is found, not what was changed: it is no easy prey."""
    folder = played.folder / "desk"
    recomputed = audit(folder, "recomputed.db", heads=False).findings
    edited = audit(folder, "edited.db", heads=False).findings

    assert recomputed and all("there is no signature for it" in finding.what for finding in recomputed)
    named = [finding.what for finding in edited if "there is no signature for it" not in finding.what]
    assert named == ["its body was changed"]


def test_the_restored_record_verifies(played: Played) -> None:
    """What is in place at the end is what was there before, triggers included."""
    folder = played.folder / "desk"
    tables = "SELECT run, seq, hash, body FROM events JOIN bodies USING (run, seq) ORDER BY run, seq"

    assert audit(folder, "interlock.db").whole
    assert rows(folder / "interlock.db", tables) == rows(folder / "before.db", tables)
    assert rows(folder / "interlock.db", tables) != rows(folder / "recomputed.db", tables)
    with closing(sqlite3.connect(folder / "interlock.db")) as db, pytest.raises(sqlite3.DatabaseError):
        db.execute("UPDATE bodies SET body = ''")
