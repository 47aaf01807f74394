"""What is measured of a played case: loops, cost, effects, and DeepEval's metrics on our own record."""

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from interlock.core.principal import Principal
from interlock.core.runs import Run
from interlock.errors import BadInput, NotFound, SchemaViolation
from interlock.evaluation.cases import (
    Case,
    Effect,
    Expect,
    JudgeSettings,
    MetricSettings,
    Suite,
    SuiteSettings,
)
from interlock.evaluation.judging import Observed, judge
from interlock.evaluation.measuring import assess, measured
from interlock.evaluation.scores import post, scores_of
from interlock.evaluation.table import Measured, Report, Result
from interlock.evaluation.traffic import Called, Cost, cost_of, loops
from interlock.observability.explain import explain
from interlock.settings import Settings
from interlock.testing import ScriptedModels

ROOT = Path(__file__).resolve().parents[2]
RUBRIC = JudgeSettings(criteria="It answers the question.", steps=("Read it.", "Judge it."))


def called(tool: str, **more: Any) -> Called:
    """A call of a tool by an agent."""
    return Called.model_validate({"tool": tool, "agent": "clerk", "task": "t", "attempt": 1, **more})


def played(case: Case, seen: Observed) -> Result:
    """A result without metrics."""
    return Result(case.id, "development", "plain", case.why, tuple(judge(case.expect, seen)), (), seen)


def suite(case: Case, **settings: Any) -> Suite:
    """A suite of one case."""
    given = SuiteSettings.model_validate(settings)
    return Suite("desk", Path("evals/desk"), given, {"development": (case,), "held_out": ()})


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        ([called("a", arguments={"n": 1})] * 4, "clerk called a 4 times with the same arguments"),
        ([called("a", arguments={"n": 1})] * 3, ""),
        ([called("a", arguments={"n": n}) for n in range(9)], ""),
        ([called("ab"[n % 2], arguments={"n": n}) for n in range(8)], "clerk went round a, b 4 times"),
        ([called("ab"[n % 2], arguments={"n": n}) for n in range(7)], ""),
        ([called("a", arguments={"n": 1}, attempt=n) for n in range(9)], ""),
    ],
)
def test_a_loop_is_the_same_call_or_round_within_one_attempt(calls: list[Called], told: str) -> None:
    """More often than three times is a loop; other arguments and other attempts are other work."""
    assert loops(calls, 3) == ([told] if told else [])


def test_an_unknown_price_makes_the_sum_unknown() -> None:
    """Nobody is told that what has no known price was free."""
    known, unknown = Cost(model_calls=1, tokens=5, usd=Decimal("0.1")), Cost(model_calls=1, usd=None)

    assert known.plus(known).usd == Decimal("0.2")
    assert known.plus(unknown).usd is None and known.plus(unknown).model_calls == 2


def test_a_run_without_models_cost_nothing() -> None:
    """The record of a run that asked no model says so."""
    now = datetime.now(UTC)
    run = Run(id="r-1", graph="g", version="v", owner=Principal.local("ann"), session="s", created_at=now,
              updated_at=now)  # fmt: skip

    assert cost_of(explain(run, [])) == Cost()


@pytest.mark.parametrize(
    ("wanted", "ok"),
    [
        (None, True),
        ((Effect(tool="pay", arguments={"n": 1}), Effect(tool="pay")), True),
        ((Effect(tool="pay"), Effect(tool="pay", arguments={"n": 2})), True),
        ((Effect(tool="pay"),), False),
        ((Effect(tool="pay", arguments={"n": 3}), Effect(tool="pay")), False),
        ((), False),
    ],
)
def test_effects_are_exactly_those_expected(wanted: tuple[Effect, ...] | None, ok: bool) -> None:
    """One too many, one too few and other arguments fail; calls that were not confirmed are no effects."""
    calls = [called("pay", effect=True, state="confirmed", arguments={"n": n, "key": "k"}) for n in (1, 2)]
    seen = Observed(
        state="completed", calls=(*calls, called("pay", effect=True, state="failed"), called("look"))
    )

    checks = judge(Expect(state="completed", effects=wanted), seen)

    assert all(check.ok for check in checks) == ok


def test_metrics_read_the_record_through_deepeval() -> None:
    """Missing tools, forbidden tools, a loop, and what nobody said: each is told by name."""
    from interlock.evaluation.metrics import measure

    case = Case(
        ticket={"id": "T-1"}, expect=Expect(state="completed", tools=("a", "b"), never=("x",)), why="Why."
    )
    bad = Observed(
        state="completed", reply="It is 3 EUR.", unsupported=("amount '3 EUR'",),
        calls=(*[called("a", arguments={})] * 4, called("x"), called("b", state="denied")),
    )  # fmt: skip
    good = Observed(state="completed", calls=(called("a"), called("b"), called("c")))

    told = {each.metric: each for each in measure(case, played(case, bad), MetricSettings())}
    fine = measure(case, played(case, good), MetricSettings(never=("y",)))

    assert {name: each.ok for name, each in told.items()} == dict.fromkeys(
        ("tools", "forbidden", "loop", "grounded"), False
    )
    assert told["tools"].why == "not called: b" and told["tools"].score == 0.5
    assert told["forbidden"].why == "called: x"
    assert told["grounded"].why == "no evidence has amount '3 EUR'"
    assert [(each.metric, each.score) for each in fine] == [
        ("tools", 1.0), ("forbidden", 1.0), ("loop", 1.0), ("grounded", 1.0),
    ]  # fmt: skip


def test_assert_test_fails_a_case_that_is_not_as_expected() -> None:
    """In plain pytest a wrong outcome is an assertion with its reason; a right one passes."""
    from interlock.evaluation.metrics import ExactOutcome, assert_test, deepeval_case

    case = Case(ticket={"id": "T-1"}, expect=Expect(state="completed"), why="Why.")
    good, bad = Observed(state="completed"), Observed(state="failed")

    assert_test(deepeval_case(case, played(case, good)), [ExactOutcome()], run_async=False)
    with pytest.raises(AssertionError, match="expected 'completed', came 'failed'"):
        assert_test(deepeval_case(case, played(case, bad)), [ExactOutcome()], run_async=False)


def test_a_case_that_could_not_be_run_is_not_measured() -> None:
    """There is no record; that nothing was as expected says enough."""
    from interlock.evaluation.metrics import ExactOutcome, deepeval_case, measure

    case = Case(ticket={"id": "T-1"}, expect=Expect(state="completed"), why="Why.")
    result = Result("T-1", "development", "plain", "", (), (), None)

    assert measure(case, result, MetricSettings()) == ()
    assert ExactOutcome().measure(deepeval_case(case, result)) == 0.0


def test_a_metric_that_too_few_cases_pass_fails_its_column() -> None:
    """The least share is all of them, unless the suite says otherwise."""
    case = Case(ticket={"id": "T-1"}, expect=Expect(state="completed"), why="Why.")
    looped = Result(
        "T-1", "development", "plain", "", (), (), Observed(state="completed"),
        (Measured("loop", 0.0, False, "went round"),),
    )  # fmt: skip
    checked = played(case, Observed(state="completed"))
    results = [checked, looped]

    strict = Report.of(suite(case), results)
    lenient = Report.of(suite(case, metrics={"least": {"loop": 0.0}}), results)

    assert not strict.ok and "loop holds in 0/1 cases" in strict.verdict()[1]
    assert "    loop: went round" in strict.failures()
    assert lenient.ok


def scripted_judge(score: int) -> ScriptedModels:
    """A judge that always gives the same score, of ten."""
    return ScriptedModels({"judge": [f'Well: {{"reason": "as it is", "score": {score}}}']})


@pytest.mark.parametrize(("score", "ok"), [(9, True), (3, False)])
async def test_a_judge_reads_answers_by_its_rubric(score: int, ok: bool) -> None:
    """It is told the question, the answer and the evidence, with secrets masked; its score decides."""
    from interlock.evaluation.rubric import Judge, Judged

    models = scripted_judge(score)
    judge = Judge(RUBRIC, models)

    measured = await judge.read(Judged({"text": "Where is it?"}, "Here, password: hunter42!", ("Evidence",)))

    [(_, prompt)] = models.prompts
    assert (measured.metric, measured.score, measured.ok) == ("judged", score / 10, ok)
    assert "Where is it?" in prompt and "Evidence" in prompt and "hunter42" not in prompt
    assert judge.cost.model_calls == 1 and judge.cost.tokens > 0


async def test_a_judge_that_does_not_keep_to_its_schema_passes_nothing() -> None:
    """It is asked again once, and then the answer counts as not judged well."""
    from interlock.evaluation.rubric import Judge, Judged, RouteModel

    models = ScriptedModels({"judge": ["I like it, {5}."]})

    measured = await Judge(RUBRIC, models).read(Judged({}, "Here."))

    assert not measured.ok and "did not answer in the schema" in measured.why
    assert len(models.prompts) == 2
    with pytest.raises(SchemaViolation):
        await RouteModel(models, "judge").a_generate("?", Cost)


async def test_without_a_model_nothing_is_judged_and_that_is_told() -> None:
    """A suite with a judge stays usable where no model is configured."""
    case = Case(ticket={"id": "T-1"}, expect=Expect(state="completed"), why="Why.")
    given = suite(case, judge=RUBRIC.model_dump())
    report = Report.of(given, [played(case, Observed(state="completed", reply="Here."))])

    nobody = await assess(given, report, None)
    no_route = await assess(given, report, ScriptedModels({}))
    judged = await assess(given, report, scripted_judge(8))

    assert nobody.judging is None and "nothing was judged" in nobody.note
    assert no_route.judging is None and "nothing was judged" in no_route.note
    assert "judged" in {each.metric for each in judged.report.results[0].measured}
    assert judged.judging is not None and judged.judging.model_calls == 1


def test_plain_functions_can_ask_the_judge_too() -> None:
    """`assert_test` with the rubric works without a loop of one's own."""
    from interlock.evaluation.metrics import assert_test, deepeval_case
    from interlock.evaluation.rubric import RouteModel, geval

    case = Case(ticket={"id": "T-1"}, expect=Expect(state="completed"), why="Why.")
    test_case = deepeval_case(case, played(case, Observed(state="completed", reply="Here.")))

    assert_test(test_case, [geval(RUBRIC, RouteModel(scripted_judge(9), "judge"))], run_async=False)
    with pytest.raises(AssertionError, match="as it is"):
        assert_test(test_case, [geval(RUBRIC, RouteModel(scripted_judge(2), "judge"))], run_async=False)


def test_without_deepeval_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is called good that was not measured."""
    case = Case(ticket={"id": "T-1"}, expect=Expect(state="completed"), why="Why.")
    monkeypatch.delitem(sys.modules, "interlock.evaluation.metrics", raising=False)
    monkeypatch.setitem(sys.modules, "deepeval", None)

    with pytest.raises(BadInput, match="interlock\\[evals\\]"):
        measured(suite(case), played(case, Observed(state="completed")))


async def test_a_missing_route_is_not_taken_for_a_bad_answer() -> None:
    """Whoever calibrates is told that nobody could be asked."""
    from interlock.evaluation.rubric import Judge, Judged

    with pytest.raises(NotFound):
        await Judge(RUBRIC, ScriptedModels({})).read(Judged({}, "Here."))


def test_results_become_scores_of_the_runs_that_were_played() -> None:
    """Each case's verdict, its safety and its measures; the same result twice is the same score."""
    case = Case(ticket={"id": "T-1"}, expect=Expect(state="completed"), why="Why.")
    result = Result(
        "T-1", "development", "plain", "", (), ("paid twice",), Observed(state="completed", run="r-1"),
        (Measured("loop", 1.0, True, ""),),
    )  # fmt: skip

    scores = scores_of("desk", result)

    assert [(each.name, each.value) for each in scores] == [
        ("eval passed", 0.0), ("eval safe", 0.0), ("eval loop", 1.0),
    ]  # fmt: skip
    assert len({each.id for each in scores}) == 3 and scores == scores_of("desk", result)
    assert scores_of("desk", Result("T-1", "development", "plain", "", (), (), None)) == []
    assert post(Settings(langfuse_public_key=""), Report.of(suite(case), [result])) == ""


def test_deepeval_reports_nothing_reads_no_env_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """In a fresh process in a fresh folder: no output, no file, and nothing of the folder's `.env`."""
    (tmp_path / ".env").write_text("OPENAI_API_KEY=from-the-env-file\n")
    (tmp_path / ".env.local").write_text("OPENAI_API_KEY=from-the-env-file\n")
    code = (
        "import os; from interlock.evaluation.metrics import NoLoop; NoLoop();"
        "assert 'OPENAI_API_KEY' not in os.environ, 'read';"
        "assert os.environ['DEEPEVAL_TELEMETRY_OPT_OUT'] == '1'"
    )
    environment = {"PATH": "", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path / "home")}

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", ".env.local"]
