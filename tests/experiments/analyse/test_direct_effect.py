"""The condition of CAUSES and HARMS where people and programs read it: sentence, JSON, page, picture, moment."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.utils import translation

from aha.report import moment_page
from experiments.analyse.codes import Code
from experiments.analyse.comparison.file_rows import RowData
from experiments.analyse.effects import Encouragement, Report
from experiments.analyse.engine import analyze
from experiments.analyse.result import Opened
from experiments.analyse.verdict import Verdict
from experiments.plan.design import Design, Kind, Outcome, Units
from experiments.report import behaviour, direct_effect, page
from experiments.report.document import document
from experiments.report.first_lines import opening
from experiments.report.stored_document import document as readout_document
from experiments.report.verdict import toward_zero, verdict_sentence
from reporting.document import dump, load
from stats.instrument.anderson_rubin import Shape
from stats.results import NotComputable, Reason, computable
from tests.experiments.make_readout import make_readout


def file_units(n: int = 4_000, *, sign: float = 1.0, numeric: bool = False, seed: int = 5, **more: Any) -> Units:
    """Half have used it before and all do it anyway; of the others the nudge moves 40 %."""
    rng = np.random.default_rng(seed)
    arm, old = rng.integers(0, 2, n), rng.integers(0, 2, n)
    did = np.where(old == 1, 1.0, (rng.random(n) < 0.1 + 0.4 * arm).astype(float))
    level = 0.5 + sign * 0.3 * did + sign * 0.02 * arm
    kept = rng.normal(10 * level, 1.0) if numeric else (rng.random(n) < level).astype(float)
    kind = Kind.MEAN if numeric else Kind.PROPORTION
    return Units(
        labels=("control", "nudge"),
        arm=arm,
        outcomes=(Outcome("kept", kind, kept),),
        rows=n,
        behaviour=did,
        segment=old,
        segment_labels=("new", "old"),
        **more,
    )


def report_of(direct: tuple[float, float] | None = None, **more: Any) -> Report:
    design = Design(
        variant="arm", control="control", outcomes=("kept",), behaviour="friends", segment="old", direct_effect=direct
    )
    return analyze("file.csv", design, file_units(**more))


def found_in(report: Report) -> Encouragement:
    found = report.outcomes[0].comparisons[0].encouragement
    assert found is not None
    return found


# ── The sentence ──────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("more", "code", "english", "korean"),
    [
        ({}, Code.CAUSES, "unless the nudge itself, without the behaviour, keeps more than", "넛지 자체의 효과가"),
        (
            {"sign": -1.0},
            Code.HARMS,
            "unless the nudge itself, without the behaviour, loses more than",
            "떠나는 사용자가",
        ),
        (
            {"numeric": True},
            Code.CAUSES,
            "the nudge itself, without the behaviour, raises kept by more than",
            "보다 더 오른다면",
        ),
        (
            {"numeric": True, "sign": -1.0},
            Code.HARMS,
            "without the behaviour, lowers kept by more than",
            "보다 더 내려간다면",
        ),
    ],
)
def test_sentence__behaviour_convicted__says_unless(
    more: dict[str, Any], code: Code, english: str, korean: str
) -> None:
    report = report_of(**more)
    verdict = report.verdict
    value = found_in(report).breakdown
    assert (verdict.code, verdict.reason, verdict.details["breakdown"]) == (code, "behaviour", value)
    assert english in verdict_sentence(verdict)
    with translation.override("ko"):
        assert korean in verdict_sentence(verdict)


def test_sentence__points_of_a_share__are_never_rounded_up() -> None:
    verdict = report_of().verdict
    for value, text in ((0.04791, "4.7%"), (0.1239, "12.3%"), (0.0000123, "0.0012%")):
        shown = replace(verdict, details={**verdict.details, "breakdown": value})
        assert f"more than {text} of users" in verdict_sentence(shown)
    assert [toward_zero(value, share=False) for value in (0.56789, 1.23456, 12.345, 12345.6)] == [
        0.5678,
        1.234,
        12.34,
        12345.0,
    ]


def test_sentence__payload_of_an_earlier_version__is_the_old_one() -> None:
    verdict = report_of().verdict
    old = replace(verdict, details={name: value for name, value in verdict.details.items() if name != "breakdown"})
    assert "unless" not in verdict_sentence(old)
    # Against a placebo the direct effect cancels: another sentence, without "unless".
    beside = replace(verdict, details={**verdict.details, "comparator": "placebo"})
    assert "unless" not in verdict_sentence(beside)


@pytest.mark.parametrize(("code", "word"), [(Code.CAUSES, "keeps"), (Code.HARMS, "loses")])
def test_sentence__bound_crossed_at_an_earlier_look__adds_the_condition(code: Code, word: str) -> None:
    size = 0.02 if code is Code.CAUSES else -0.02
    details: dict[str, Any] = {
        "outcome": "kept",
        "variant": "nudge",
        "day": "2026-03-01",
        "estimate": 2 * size,
        "low": size,
        "high": 3 * size,
        "kind": "proportion",
        "breakdown": size,
    }
    text = verdict_sentence(Verdict(code, "crossed", details))
    assert text.endswith(f"Nothing is shown about the behaviour if the nudge itself {word} more than 2.0% of users.")


# ── Records and JSON ──────────────────────────────────────────────────────────
def test_document__encouragement__has_breakdown_and_sets() -> None:
    report = report_of()
    found = document(report)["outcomes"][0]["comparisons"][0]["encouragement"]
    low = report.outcomes[0].comparisons[0].difference
    assert computable(low)
    assert found["breakdown"] == pytest.approx(low.low)
    assert [row.keys() for row in found["sensitivity"]] == [{"direct", "shape", "low", "high"}] * 13
    assert [row["direct"] for row in found["sensitivity"]][8] == found["breakdown"]
    assert found["sensitivity"][0] == {"direct": 0.0, **found["anderson_rubin"]}
    assert 0 < found["blind_spot"] < 1
    json.dumps(found, allow_nan=False)


def test_document__nothing_proved__says_why() -> None:
    rng = np.random.default_rng(1)
    units = file_units()
    shuffled = replace(units, outcomes=(Outcome("kept", Kind.PROPORTION, rng.permutation(units.outcomes[0].values)),))
    report = analyze("file.csv", Design(variant="arm", control="control", outcomes=("kept",), behaviour="x"), shuffled)
    found = document(report)["outcomes"][0]["comparisons"][0]["encouragement"]
    assert found["breakdown"] == {
        "not_computable": "The nudge's own effect isn't proved, so there is nothing that the nudge itself could "
        "explain."
    }
    assert (found["sensitivity"], found["zero_first_stage"]) == ([], None)


def test_payload__of_an_earlier_version__still_loads() -> None:
    payload = dump(make_readout())
    for outcome in payload["report"]["outcomes"]:
        for row in outcome["comparisons"]:
            for name in ("breakdown", "sensitivity", "blind_spot", "zero_first_stage"):
                del row["encouragement"][name]
    for through in payload["through"]:
        for name in ("limit_low", "limit_high", "level"):
            del through["bounds"][name]
    readout = load(Opened, payload)
    assert isinstance(readout, Opened)
    assert found_in(readout.report).breakdown == NotComputable(Reason.EARLIER_VERSION)
    assert direct_effect.shown(readout.report) == ()
    assert "direct" not in [section.slug for section in page.sections(readout)]
    assert not any("breakdown" in row[0] for row in _behaviour_rows(readout.report))
    text = json.dumps(readout_document(readout))
    assert "made by an earlier version" in text


def _behaviour_rows(report: Report) -> tuple[tuple[str, ...], ...]:
    table = behaviour.table(report, report.outcomes[0], report.outcomes[0].comparisons[0])
    assert table is not None
    return table.rows


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_registered_range__sets_and_picture__cover_it(sign: float) -> None:
    report = report_of((-0.01, 0.02), sign=sign)
    found = found_in(report)
    assert found.direct_range is not None
    assert computable(found.effect_set)
    assert [row.direct for row in found.sensitivity] == pytest.approx(np.linspace(-0.01, 0.02, 13))
    union = found.direct_range.effect_set
    assert union.low is not None
    assert union.high is not None
    assert found.effect_set.low is not None
    assert found.effect_set.high is not None
    assert union.low < found.effect_set.low < found.effect_set.high < union.high
    shown = document(report)["outcomes"][0]["comparisons"][0]["encouragement"]["direct_range"]
    assert (shown["low"], shown["high"], shown["anderson_rubin"]["low"]) == (-0.01, 0.02, union.low)
    assert "If the nudge by itself changes the outcome by" in direct_effect.note(report.outcomes[0], found)
    # The breakdown value lies outside the range: the picture doesn't mark it. The group "old" stands in it.
    chart, _marks = direct_effect.draw(found, True)
    drawn = json.dumps(chart.to_dict())
    assert "breakdown value" not in drawn
    assert "direct effect in old, with its interval" in drawn


def test_registered_range__breakdown_inside__is_a_row_and_marked() -> None:
    found = found_in(report_of((0.0, 0.3)))
    assert found.breakdown in [row.direct for row in found.sensitivity]
    chart, _marks = direct_effect.draw(found, True)
    assert "breakdown value: " in json.dumps(chart.to_dict())


# ── A group that the nudge can't move ─────────────────────────────────────────
def test_zero_first_stage__users_who_did_it_before__show_the_direct_effect() -> None:
    """The segment "old" has no first stage; the direct effect of 2 points is in its own effect."""
    report = report_of(n=40_000)
    group = found_in(report).zero_first_stage
    assert group is not None
    assert (group.group, group.take_up.difference) == ("old", 0.0)
    assert group.direct.low < 0.02 < group.direct.high
    assert group.effect_set.contains(0.3)
    rows = {row[0]: row for row in _behaviour_rows(report)}
    assert rows["Direct effect in old, where the nudge can't change the behaviour"][1].endswith("points")
    found = document(report)["outcomes"][0]["comparisons"][0]["encouragement"]["zero_first_stage"]
    assert (found["group"], found["units"]) == ("old", group.units)
    sentence = direct_effect.note(report.outcomes[0], found_in(report))
    assert "In old (" in sentence
    assert "beside a breakdown value of" in sentence


def test_levels__covariates_and_clusters__only_what_can_be_told_apart() -> None:
    names = ("paid", "os=ios", "age", "flat")
    rng = np.random.default_rng(2)
    n = 4_000
    columns = np.column_stack([rng.integers(0, 2, n), rng.integers(0, 2, n), rng.normal(size=n), np.zeros(n)])
    pair = RowData(file_units(covariates=columns, covariate_names=names)).pair("kept", 1)
    assert pair.levels == ("new", "old", "paid=1", "paid=0", "os=ios")
    both = pair.inside("paid=0").values, pair.outside("paid=0").values
    assert (len(both[0]), len(both[1])) == (int((columns[:, 0] == 0).sum()), int((columns[:, 0] == 1).sum()))
    assert pair.inside("os=ios").control.n + pair.inside("os=ios").variant.n == int(columns[:, 1].sum())
    # Clusters that reach into both parts would tie them together.
    tied = RowData(file_units(cluster=rng.integers(0, 40, n))).pair("kept", 1)
    assert tied.levels == ()
    with pytest.raises(KeyError):
        tied.inside("nowhere")


# ── Page and picture ──────────────────────────────────────────────────────────
@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ko"])
def test_page__behaviour_convicted__shows_the_condition_open(language: str) -> None:
    readout = make_readout()
    with translation.override(language):
        section = next(one for one in page.sections(readout) if one.slug == "direct")
        drawn = next(one for one in page.draw(readout) if one.slug == "direct-1")
        headline = opening(readout).sentence
    part = section.parts[0]
    assert (section.closed, part.picture, len(part.table.rows if part.table else ())) == (False, True, 13)
    assert drawn.label == part.finding
    assert "4.7" in headline
    assert "4.7" in part.finding
    layers = drawn.spec["layer"]
    assert len(layers) == 7
    if language == "ko":
        assert "넛지를 받는 것 자체의 효과(%p)" in json.dumps(drawn.spec, ensure_ascii=False)


def test_page__verdict_denies_the_behaviour__shows_no_effect_of_it() -> None:
    report = make_readout().report
    assert report is not None
    row = report.outcomes[0].comparisons[0]
    for verdict, places in (
        (Verdict(Code.NUDGE_NOT_BEHAVIOUR, "inequality"), 0),
        (Verdict(Code.CAUSES, "behaviour", {"comparator": "placebo"}), 0),
        (Verdict(Code.INCONCLUSIVE, "underpowered"), 1),
    ):
        changed = replace(report.outcomes[0], comparisons=(replace(row, verdict=verdict),))
        assert len(direct_effect.shown(replace(report, outcomes=(changed,)))) == places


def test_page__not_proved_or_unbounded__has_no_picture() -> None:
    report = make_readout().report
    assert report is not None
    outcome, found = report.outcomes[0], found_in(report)
    missing = replace(
        found, breakdown=NotComputable(Reason.NUDGE_NOT_PROVED), sensitivity=(), blind_spot=found.breakdown
    )
    assert not direct_effect.drawable(missing)
    assert direct_effect.table(outcome, "nudge", missing) is None
    assert direct_effect.finding(outcome, missing).startswith("The nudge's own effect isn't proved")
    rays = tuple(replace(row, shape=Shape.RAYS) for row in found.sensitivity)
    assert not direct_effect.drawable(replace(found, sensitivity=rays))


# ── The moment ────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            {"code": "CAUSES", "breakdown": 0.04709, "kind": "proportion"},
            "An experiment found that it causes retention. This holds unless the nudge itself keeps more than 4.7% of "
            "users.",
        ),
        (
            {"code": "HARMS", "breakdown": -0.04709, "kind": "proportion"},
            "An experiment found that it harms retention. This holds unless the nudge itself loses more than 4.7% of "
            "users.",
        ),
        (
            {"code": "CAUSES", "breakdown": 12.349, "kind": "mean"},
            "An experiment found that it causes a gain. This holds unless the nudge itself raises the outcome by "
            "more than 12.34.",
        ),
        ({"code": "CAUSES"}, "An experiment found that it causes retention."),
        ({"code": "INCONCLUSIVE", "breakdown": 0.01, "kind": "proportion"}, "An experiment could not decide."),
    ],
)
def test_moment__finding__carries_the_condition(found: dict[str, Any], text: str) -> None:
    assert moment_page.finding(found) == text


def test_moment__outcome_is_a_mean__effect_is_not_called_points() -> None:
    found = {
        "code": "CAUSES",
        "kind": "mean",
        "effect": {"estimate": 3.0},
        "effect_set": {"shape": "interval", "low": 1.0, "high": 5.0},
    }
    assert moment_page.finding(found).endswith("who did it because of the nudge: 3.00 (1.00\u00a0to\u00a05.00).")
