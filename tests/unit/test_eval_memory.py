"""What evaluation keeps and compares on paper: baselines, labels, variants, the table and plot, proposals."""

import json
import xml.etree.ElementTree as ET
from decimal import Decimal
from pathlib import Path

import pytest

from interlock.errors import BadInput, FormatRefused, InterlockError, NotFound
from interlock.evaluation.baselines import Baseline, changes
from interlock.evaluation.cases import Case, Expect, Suite, SuiteSettings
from interlock.evaluation.comparison import Comparison, Entrant
from interlock.evaluation.judging import Checked, Observed
from interlock.evaluation.labels import Agreement, Label, add_label, read_labels, samples_of
from interlock.evaluation.plot import draw
from interlock.evaluation.proposals import Figures, Proposal, digest, rewritten, usable, words_of_file
from interlock.evaluation.swaps import rerouted, scripted
from interlock.evaluation.table import Measured, Report, Result
from interlock.evaluation.traffic import Cost
from interlock.evaluation.variants import Variant, variants_of
from interlock.settings import ModelSettings, Settings


def suite(folder: Path, *names: str) -> Suite:
    """A suite of these cases."""
    cases = tuple(Case(ticket={"id": name}, expect=Expect(state="completed"), why="Why.") for name in names)
    return Suite("desk", folder, SuiteSettings(), {"development": cases, "held_out": ()})


def result(name: str, *wrong: str, harm: tuple[str, ...] = (), cost: Cost | None = None) -> Result:
    """How a case went."""
    checks = tuple(Checked(field, "this", "that", False) for field in wrong) or (
        Checked("state", 1, 1, True),
    )
    return Result(
        name, "development", "plain", "Why.", checks, harm, Observed(state="completed", cost=cost or Cost())
    )


# Baselines -------------------------------------------------------------------------------------


def test_what_got_worse_is_named(tmp_path: Path) -> None:
    """A case that failed, one that fails in more, one that harmed: each with what changed."""
    kept = suite(tmp_path, "T-1", "T-2", "T-3", "T-4", "T-6", "T-7")
    before = [
        result("T-1"),
        result("T-2", "asks"),
        result("T-3", "asks"),
        result("T-4"),
        result("T-5"),
        result("T-7"),
    ]
    now = [
        result("T-1", "outcome"), result("T-2", "asks", "state"), result("T-3"),
        result("T-4", harm=("paid twice",)), result("T-6"),
    ]  # fmt: skip
    Baseline.of(Report.of(kept, before)).write(kept, "last")

    found = changes(kept, Report.of(kept, now), Baseline.read(kept, "last"), "last")

    assert {each.case: each.what for each in found.worse} == {
        "T-1": ("outcome",), "T-2": ("state",), "T-4": ("safe",),
    }  # fmt: skip
    assert {each.case: each.what for each in found.better} == {"T-3": ("asks",)}
    assert (found.new, found.gone, found.unplayed, found.ok) == (("T-6",), ("T-5",), 1, False)
    assert "worse than 'last': T-1: outcome" in found.lines()
    assert found.as_json()["worse"] == {"T-1": ["outcome"], "T-2": ["state"], "T-4": ["safe"]}


def test_the_same_results_are_no_change_and_the_same_file(tmp_path: Path) -> None:
    """Two baselines of the same results are equal byte for byte, and nothing is told as changed."""
    kept = suite(tmp_path, "T-1")
    report = Report.of(kept, [result("T-1", "asks")])

    first = Baseline.of(report).write(kept, "a").read_bytes()
    second = Baseline.of(report).write(kept, "b").read_bytes()

    assert first == second and json.loads(first)["v"] == 1
    assert changes(kept, report, Baseline.read(kept, "a"), "a").lines() == [
        "no case is worse or better than in 'a'."
    ]


def test_a_case_saved_alone_leaves_the_others(tmp_path: Path) -> None:
    """Only what was played is replaced."""
    kept = suite(tmp_path, "T-1", "T-2")
    before = Baseline.of(Report.of(kept, [result("T-1", "asks"), result("T-2", "asks")]))

    found = Baseline.of(Report.of(kept, [result("T-1")])).over(before)

    assert {name: each.ok for name, each in found.cases.items()} == {"T-1": True, "T-2": False}


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ('{"v": 2, "suite": "desk", "cases": {}}', FormatRefused, "another format"),
        ("{broken", BadInput, "cannot be read"),
        ('{"v": 1}', BadInput, "cannot be read"),
    ],
)
def test_a_baseline_that_cannot_be_used_is_refused(
    tmp_path: Path, text: str, kind: type[InterlockError], told: str
) -> None:
    """A format of the future, and what is no baseline."""
    kept = suite(tmp_path, "T-1")
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "old.json").write_text(text)

    with pytest.raises(kind, match=told):
        Baseline.read(kept, "old")


def test_baselines_have_names_and_stay_in_their_folder(tmp_path: Path) -> None:
    """One that is not there is told with those that are; no name leads out of the folder."""
    kept = suite(tmp_path, "T-1")
    Baseline.of(Report.of(kept, [])).write(kept, "monday")

    with pytest.raises(NotFound, match="there are: monday"):
        Baseline.read(kept, "friday")
    for name in ("../x", "", ".hidden", "a/b"):
        with pytest.raises(BadInput, match="no name for a baseline"):
            Baseline.read(kept, name)


# Labels ----------------------------------------------------------------------------------------


def label(case: str, said: str, corrected: str = "") -> Label:
    """What a person said."""
    return Label.model_validate(
        {"case": case, "ticket": {}, "reply": "Yes.", "label": said, "corrected": corrected, "by": "ann"}
    )


def test_labels_are_kept_and_read_back(tmp_path: Path) -> None:
    """One line each; a corrected answer is one more that is right."""
    kept = suite(tmp_path, "T-1")
    given = [label("T-1", "wrong", "No."), label("T-2", "right")]

    for each in given:
        add_label(tmp_path, each)

    assert read_labels(kept) == given
    assert [(each.case, each.reply, each.right) for each in samples_of(given)] == [
        ("T-1", "Yes.", False), ("T-1", "No.", True), ("T-2", "Yes.", True),
    ]  # fmt: skip
    (tmp_path / "labels.jsonl").write_text('{"case": "T-1", "label": "perhaps"}')
    with pytest.raises(BadInput, match="line 1"):
        read_labels(kept)


def test_agreement_is_counted_beyond_chance() -> None:
    """Six of eight agree; by chance it would be half, so that kappa is one half."""
    people = [True] * 4 + [False] * 4
    judge = [True, True, True, False, False, False, False, True]
    samples = samples_of([label(f"T-{n}", "right" if said else "wrong") for n, said in enumerate(people)])
    judged = tuple(Measured("judged", 0.9 if ok else 0.2, ok, "so it is") for ok in judge)

    found = Agreement(tuple(samples), judged)

    assert (found.share, found.kappa) == (0.75, 0.5)
    assert found.count(person=True, judge=True) == 3 and found.count(person=False, judge=True) == 1
    assert "agree on 75% (Cohen's kappa 0.50)" in found.lines()[0]
    assert "T-7: a person says wrong, the judge 0.90: so it is" in found.lines()
    assert found.as_json()["only_people_right"] == 1


def test_kappa_needs_both_words() -> None:
    """Where everybody says right there is nothing beyond chance to count."""
    measured = Measured("judged", 1.0, True, "")

    assert Agreement(tuple(samples_of([label("T-1", "right")])), (measured,)).kappa is None


# Variants --------------------------------------------------------------------------------------


def test_a_variant_names_graph_model_script_and_prompts(tmp_path: Path) -> None:
    """Parts with commas between; a prompt is read from its file."""
    (tmp_path / "p.md").write_text("Be brief.")

    found = Variant.parse("x", "a.py:g,model=openai:gpt,script=s.py:say,prompt=clerk:p.md", tmp_path)

    assert (found.graph, found.model, found.script) == ("a.py:g", "openai:gpt", "s.py:say")
    assert found.prompts == {"clerk": "Be brief."}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["one=a"], "nothing to compare"),
        (["one=a", "one=b"], "two variants are called 'one'"),
        (["one", "two=b"], "is no variant"),
        (["one=a,colour=red", "two=b"], "none of model, script, prompt"),
        (["one=a,b", "two=b"], "two of the same"),
        (["one=prompt=clerk:none.md", "two=b"], "cannot be read"),
    ],
)
def test_a_variant_that_cannot_be_read_gets_one_sentence(tmp_path: Path, given: list[str], told: str) -> None:
    """Before anything is played."""
    with pytest.raises(BadInput, match=told):
        variants_of(given, {}, tmp_path)


def test_variants_of_the_suite_are_the_default(tmp_path: Path) -> None:
    """Those of the command line come instead."""
    declared = {"desk": "support", "one": "one.py:graph"}

    assert [each.name for each in variants_of([], declared, tmp_path)] == ["desk", "one"]
    assert [each.name for each in variants_of(["a=x", "b=y"], declared, tmp_path)] == ["a", "b"]


def test_a_model_stands_in_for_every_route() -> None:
    """A configured route's models, or a model by its name; a script answers only where there is none."""
    settings = Settings(
        models={"careful": (ModelSettings(model="openai:big"),), "quick": (ModelSettings(model="a"),)}
    )

    by_route, by_name = rerouted(settings, "careful"), rerouted(settings, "b:c")

    assert {name: each[0].model for name, each in by_route.models.items()} == dict.fromkeys(
        ("careful", "quick", "default"), "openai:big"
    )
    assert {each[0].model for each in by_name.models.values()} == {"b:c"}
    assert rerouted(settings, "") is settings
    assert scripted(settings, "s.py:say").model_script == settings.model_script
    assert scripted(Settings(models={}, model="", model_script=""), "s.py:say").model_script == "s.py:say"


# Comparison ------------------------------------------------------------------------------------


def entrant(name: str, passed: int, usd: str | None, harm: int = 0, tokens: int = 100) -> Entrant:
    """A variant that passed so many of four cases at this price in all."""
    price = None if usd is None else Decimal(usd) / 4
    cost = Cost(model_calls=1, tokens=tokens, usd=price)
    results = [
        result(f"T-{n}", *(() if n < passed else ("state",)), harm=("bad",) if n < harm else (), cost=cost)
        for n in range(4)
    ]
    return Entrant(name, tuple(results))


def test_a_variant_that_another_beats_is_told() -> None:
    """Dearer and no better is beaten; dearer and better is a choice; harm is not outweighed by price."""
    comparison = Comparison(
        "desk", 4,
        (
            entrant("a", 3, "0.10"), entrant("b", 3, "0.20"), entrant("c", 4, "0.30"),
            entrant("d", 4, "0.01", harm=4),
        ),
    )  # fmt: skip

    beaten = {each.name: comparison.beaten_by(each) for each in comparison.entrants}
    told = "\n".join(comparison.lines())

    assert beaten == {"a": "", "b": "a", "c": "", "d": ""}
    assert told.startswith("Left to choose from: a, c, d. ") and "d: what must never happen did in" in told
    assert "T-3: only c passed." in told
    assert [row[0] for row in comparison.rows()] == ["c", "a", "b", "d"]
    assert comparison.as_json()["variants"][1]["beaten_by"] == "a"  # type: ignore[index,call-overload]


def test_unknown_prices_are_compared_by_tokens() -> None:
    """Nobody wins by a price that nobody knows; nor where nothing was paid at all."""
    unknown = Comparison("desk", 4, (entrant("a", 4, None, tokens=10), entrant("b", 4, "0.1", tokens=20)))
    free = Comparison("desk", 4, (entrant("a", 4, "0", tokens=10), entrant("b", 4, "0", tokens=20)))

    assert (unknown.unit, free.unit) == ("tokens", "tokens")
    assert unknown.beaten_by(unknown.entrants[1]) == "a"
    assert unknown.rows()[0][6] == "unknown"


def test_a_pass_rate_of_few_cases_says_how_little_it_knows() -> None:
    """All of four may be all, or half."""
    low, high = entrant("a", 4, "0.1").interval

    assert low == pytest.approx(0.51, abs=0.01) and high == 1.0


def test_the_plot_is_svg_with_every_variant() -> None:
    """Well-formed; a full dot for a choice, an empty one for a beaten variant, names escaped."""
    drawn = draw(Comparison("desk", 4, (entrant("a<b", 4, "0.1"), entrant("dear", 4, "0.2"))))

    root = ET.fromstring(drawn)
    dots = [each.attrib["fill"] for each in root.iter("{http://www.w3.org/2000/svg}circle")]
    words = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert sorted(dots) == ["#1f5fa8", "white"]
    assert "a<b 100%" in words and "dear 100% (beaten by a<b)" in words and "USD per case" in words


# Proposals -------------------------------------------------------------------------------------


def proposed(folder: Path, before: float = 0.5, after: float = 0.8, harmed: int = 0) -> Proposal:
    """A prompt with a proposal beside it."""
    prompt = folder / "clerk.md"
    prompt.write_text("---\nversion: 3\n---\nBe brief.\n")
    proposal, text = Proposal.beside(prompt), rewritten(prompt, "Be kind.")
    figures = Figures(
        agent="clerk", suite="desk", before=digest(prompt.read_text()), after=digest(text),
        held_out_before=before, held_out_after=after, harmed=harmed, plays=9,
    )  # fmt: skip
    proposal.write(text, figures)
    return proposal


@pytest.mark.parametrize(
    ("written", "version"),
    [
        ("---\nversion: 3\ntemperature: 0\n---\nBe brief.", "version: 4\ntemperature: 0"),
        ("---\ntemperature: 0\n---\nBe brief.", "version: 2\ntemperature: 0"),
        ("Be brief.", "version: 2"),
    ],
)
def test_a_rewritten_prompt_keeps_its_head_and_counts_up(tmp_path: Path, written: str, version: str) -> None:
    """Options for the model stay; the version is the next one."""
    prompt = tmp_path / "clerk.md"
    prompt.write_text(written)

    assert words_of_file(prompt) == "Be brief."
    assert rewritten(prompt, "Be kind.") == f"---\n{version}\n---\nBe kind.\n"
    assert usable(prompt, rewritten(prompt, "Be kind.")) and not usable(prompt, rewritten(prompt, " "))


def test_an_accepted_proposal_takes_the_prompts_place(tmp_path: Path) -> None:
    """The next version stands in the file, and nothing is left of the proposal."""
    proposal = proposed(tmp_path)

    assert proposal.file.name == "clerk.v4.proposed.md"
    assert "-Be brief." in proposal.diff(proposal.file.read_text())
    assert proposal.accept().gain == pytest.approx(0.3)
    assert (tmp_path / "clerk.md").read_text() == "---\nversion: 4\n---\nBe kind.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["clerk.md"]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: None, "the held-out cases got worse by 10.0%"),
        (
            lambda folder: (folder / "clerk.md").write_text("Else."),
            "has changed since the proposal was measured",
        ),
        (lambda folder: (folder / "clerk.v4.proposed.md").write_text("Else."), "nobody knows its worth"),
        (lambda folder: (folder / "clerk.v4.proposed.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "clerk.v4.proposed.md").unlink(), "there is no proposal"),
    ],
)
def test_what_was_not_measured_or_got_worse_is_not_accepted(tmp_path: Path, spoil: object, told: str) -> None:
    """The prompt stays as it is."""
    proposal = proposed(tmp_path, 0.5, 0.4)
    assert callable(spoil)
    spoil(tmp_path)
    before = (tmp_path / "clerk.md").read_text()

    with pytest.raises(InterlockError, match=told):
        proposal.accept()

    assert (tmp_path / "clerk.md").read_text() == before


def test_a_proposal_that_harmed_is_not_accepted(tmp_path: Path) -> None:
    """However much the held-out cases gained."""
    with pytest.raises(BadInput, match="what must never happen in 1 held-out cases"):
        proposed(tmp_path, harmed=1).accept()
