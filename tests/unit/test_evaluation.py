"""Suites on paper: reading cases, comparing them with what came, and when a suite is good enough."""

import json
from pathlib import Path
from typing import Any

import pytest

from interlock.errors import BadInput, NotFound
from interlock.evaluation.cases import Case, Expect, Suite, SuiteSettings
from interlock.evaluation.judging import Observed, judge
from interlock.evaluation.runner import chosen
from interlock.evaluation.table import Report, Result

GOOD: dict[str, Any] = {
    "ticket": {"id": "T-1", "text": "Where is it?"},
    "expect": {"state": "completed", "outcome": "resolved", "verdict": "accept", "refunded": "1.00"},
    "weather": {"person": "approves", "shop": "down"},
    "why": "It is asked where it is.",
}
SETTINGS = 'facts = ["refunded"]\n[weather]\nshop = ["down"]\n[thresholds]\nheld_out = 0.5\n'


def suite(folder: Path, *lines: str, settings: str = SETTINGS, file: str = "cases.jsonl") -> Suite:
    """A suite in a folder of its own, read."""
    evals = folder / "evals" / "desk"
    evals.mkdir(parents=True, exist_ok=True)
    (evals / "suite.toml").write_text(settings, encoding="utf-8")
    (evals / file).write_text("\n".join(lines), encoding="utf-8")
    return Suite.read("desk", folder)


def line(**changes: Any) -> str:
    """The good case, changed."""
    return json.dumps({**GOOD, **changes})


def test_a_case_is_read_with_what_the_suite_adds(tmp_path: Path) -> None:
    """Facts and weather that `suite.toml` declares are told from the words every suite has."""
    [case] = suite(tmp_path, line(), "").cases["development"]

    assert case.expect.facts == {"refunded": "1.00"}
    assert case.weather.person == "approves" and case.weather.world == {"shop": "down"}


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("{", "evals/desk/cases.jsonl, line 2, is not JSON"),
        ("[]", "evals/desk/cases.jsonl, line 2, is no JSON object"),
        (line(colour="red"), "line 2: colour: no such field"),
        (line(expect={"state": "completed", "refund": "1"}), "line 2: expect.refund: no such field"),
        (line(expect={"state": "completed", "facts": {}}), "line 2: expect.facts: no such field"),
        (line(expect={"state": "done"}), "line 2: expect.state: Input should be"),
        (line(expect={}), "line 2: expect.state: is missing"),
        (line(weather={"shop": "wet"}), "line 2: weather.shop: 'wet' is not one of: down"),
        (line(weather={"person": "sleeps"}), "line 2: weather.person: Input should be"),
        (line(ticket={"text": "no id"}), "line 2: ticket.id: a ticket needs an id"),
        (line(), "line 2: the id 'T-1' is taken by evals/desk/cases.jsonl, line 1"),
    ],
)  # fmt: skip
def test_a_bad_case_is_named_by_file_and_line(tmp_path: Path, broken: str, told: str) -> None:
    """One clear sentence says where and what."""
    with pytest.raises(BadInput) as error:
        suite(tmp_path, line(), broken)

    assert told in error.value.message and "\n" not in error.value.message


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("[thresholds]\nnoisy = 2", "thresholds.noisy: Input should be less than or equal to 1"),
        ("colour = 1", "colour: no such field"),
        ("= 1", "suite.toml cannot be read"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, settings: str, told: str) -> None:
    """What `suite.toml` cannot mean is refused in one sentence."""
    with pytest.raises(BadInput) as error:
        suite(tmp_path, line(), settings=settings)

    assert told in error.value.message


def test_a_suite_that_is_not_there(tmp_path: Path) -> None:
    """A graph without cases, an empty file and an unknown case are told apart."""
    with pytest.raises(NotFound, match="no cases for 'desk'"):
        Suite.read("desk", tmp_path)
    with pytest.raises(BadInput, match="have no case"):
        suite(tmp_path, "")
    with pytest.raises(NotFound, match="no case 'T-9'"):
        suite(tmp_path, line()).case("T-9")


def test_held_out_cases_and_noise_are_played_only_when_asked(tmp_path: Path) -> None:
    """`held_out.jsonl` is the part kept apart; every case runs in three spellings with noise."""
    suite(tmp_path, line())
    read = suite(tmp_path, line(ticket={"id": "T-2"}), file="held_out.jsonl")

    plain = chosen(read, held_out=False, noise=False)
    every = chosen(read, held_out=True, noise=True)
    one = chosen(read, held_out=False, noise=False, only=["T-2"])

    assert [(w.part, w.spelling, w.case.id) for w in plain] == [("development", "plain", "T-1")]
    assert len(every) == 6
    assert [(w.part, w.case.id) for w in one] == [("held_out", "T-2")]


EXPECT = Expect(
    state="completed", outcome="resolved", verdict="accept", agents=("orders",),
    reply_has=("49.90", "in transit"), asks=None, results=("completed",), facts={"refunded": None},
)  # fmt: skip
CAME = Observed(
    state="completed", outcome="resolved", verdict="accept", agents=("risk", "orders"),
    reply="It is In\n transit; 49.90 came back.", results=("completed", "degraded"), facts={"refunded": None},
)  # fmt: skip


def test_what_came_as_expected_holds_in_every_field() -> None:
    """More agents and results than expected are fine; replies are compared in whichever case and layout."""
    checks = judge(EXPECT, CAME)

    assert all(check.ok for check in checks)
    assert {check.field for check in checks} == {
        "state", "outcome", "verdict", "agents", "results", "reply_has", "asks", "refunded"
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"state": "failed"},
        {"outcome": "degraded"},
        {"verdict": "revise"},
        {"agents": ("risk",)},
        {"results": ()},
        {"reply": "It is in transit."},
        {"asks": "approve"},
        {"facts": {"refunded": "49.90"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_difference_fails_its_field_alone(change: dict[str, Any]) -> None:
    """One thing that came otherwise is one expectation that does not hold."""
    failed = [check.field for check in judge(EXPECT, CAME.model_copy(update=change)) if not check.ok]

    assert len(failed) == 1


def test_a_case_that_could_not_be_run_holds_nothing() -> None:
    """Also what happens to equal nothing does not count."""
    checks = judge(EXPECT, "it ended the process that played it")

    assert len(checks) == len(judge(EXPECT, CAME)) and not any(check.ok for check in checks)


def report(folder: Path, seen: Observed | str, harm: tuple[str, ...] = ()) -> Report:
    """A report of two cases: one as expected, and this one."""
    cases = [Case(ticket={"id": name}, expect=EXPECT, why="Why.") for name in ("T-1", "T-2")]
    came: list[Observed | str] = [CAME, seen]
    results = [
        Result(
            case=case.id, part="held_out", spelling="plain", why=case.why,
            checks=tuple(judge(case.expect, each)), harm=harm if case.id == "T-2" else (),
            seen=each if isinstance(each, Observed) else None,
        )
        for case, each in zip(cases, came, strict=True)
    ]  # fmt: skip
    settings = SuiteSettings.model_validate({"facts": ["refunded"], "thresholds": {"held_out": 0.9}})
    return Report.of(Suite("desk", folder, settings, {}), results)


def test_a_report_is_good_enough_from_its_threshold_on(tmp_path: Path) -> None:
    """One expectation of sixteen is forgiven at 0.9, two are not; the failing case is named."""
    one = report(tmp_path, CAME.model_copy(update={"asks": "review"}))
    two = report(tmp_path, CAME.model_copy(update={"asks": "review", "state": "failed"}))

    assert one.ok and one.verdict() == ["good enough."]
    assert not two.ok and "held-out: 87.5% of the expectations hold, 90.0% is the least." in two.verdict()[1]
    assert one.failures() == ["T-2 (held-out): Why.", "    asks: expected nothing, came review"]
    assert dict((row[0], row[1]) for row in two.rows())["state"] == "1/2"


def test_harm_is_never_good_enough(tmp_path: Path) -> None:
    """A case that did what must never happen fails the suite, however many expectations hold."""
    harmed = report(tmp_path, CAME, ("A-1 was refunded twice",))

    assert not harmed.ok and "T-2" in harmed.verdict()[1]
    assert "    harm: A-1 was refunded twice" in harmed.failures()
    assert dict((row[0], row[1]) for row in harmed.rows())["safe"] == "1/2"


def test_a_report_is_told_to_programs(tmp_path: Path) -> None:
    """JSON has every column, every case, and what was wrong with it."""
    told = json.loads(json.dumps(report(tmp_path, "it took too long").as_json()))

    assert told["ok"] is False and told["columns"]["held_out"]["cases"] == [1, 2]
    assert told["results"][1]["seen"] is None and told["results"][1]["wrong"][0]["came"] == "it took too long"
