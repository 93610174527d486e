"""Each check of a stored experiment exactly at its threshold and just beyond, on answers that are otherwise quiet."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from experiments.analyse.comparator import comparators
from experiments.analyse.gather.admission import SetAside, Unverified
from experiments.analyse.gather.answers import Answers
from experiments.analyse.health import senders, stored_checks
from experiments.analyse.health import split as live_split
from experiments.analyse.health.context import Audit, Context, expected_shares, split_of, stages_known
from experiments.analyse.health.file_checks import Finding, Severity
from experiments.analyse.result import FirstStage, LookTaken, Standing, State
from experiments.plan.design import Design
from experiments.plan.planned import Planned
from experiments.report.words import finding_sentence
from stats.instrument.encouragement import TakeUp
from stats.results import Estimate, NotComputable, Reason, computable
from tests.experiments.make_answers import END, WEEKS, draw_units, make_answers, make_cells, make_plan

QUIET = Audit(1_000, 0, {"control": 1_000, "nudge": 1_000})


def halves(control: int, nudge: int, **columns: Any) -> Answers:
    """Exactly so many exposed units in each arm."""
    n = control + nudge
    arm = np.repeat([0, 1], [control, nudge])
    units = draw_units(n, arm=arm, segment=np.arange(n) % 2, week=np.arange(n) % 2, level=np.arange(n) % 3)
    return make_answers({**units, **columns})


def context(answers: Answers | None = None, plan: Planned | None = None, **changes: Any) -> Context:
    plan = make_plan() if plan is None else plan
    answers = halves(1_000, 1_000) if answers is None else answers
    exposed = {
        label: int(answers.cells.exposed[answers.cells.variant == code].sum())
        for code, label in enumerate(plan.variants)
    }
    given: dict[str, Any] = {
        "plan": plan, "answers": answers,
        "standing": Standing(State.OPEN, "ended", None, True, False, 1.0, exposed, exposed), "audit": QUIET,
        "sample_ratio": split_of(plan, answers), "first_stage": (), "guardrails": {}, "running": False,
        "today": date(2026, 4, 1), **changes,
    }  # fmt: skip
    return Context(**given)


def found(check: Any, of: Context) -> list[Finding]:
    return list(check(of))


def only(check: Any, of: Context) -> Finding:
    (finding,) = check(of)
    assert isinstance(finding, Finding)
    assert "%(" not in finding_sentence(finding)
    return finding


def test_all_is_quiet__no_finding() -> None:
    assert stored_checks.examine(context()) == ()


# 1,000 units: chi-square 10.816 (p .0010) at 448, 10.404... the alarm is below .001, that is above 10.828.
@pytest.mark.parametrize(("control", "alarm"), [(553, True), (552, False)])
def test_sample_ratio__alarms_below_one_in_a_thousand(control: int, alarm: bool) -> None:
    of = context(halves(control, 1_000 - control))

    finding = only(live_split.check_sample_ratio, of)

    assert finding.check == ("sample_ratio" if alarm else "sample_ratio_watch")
    assert finding.invalid == ("srm" if alarm else None)


def test_sample_ratio__with_too_few_units__says_so() -> None:
    assert only(live_split.check_sample_ratio, context(halves(49, 50))).check == "sample_ratio_small"


def test_sample_ratio__weights_by_segment__are_expected_by_segment() -> None:
    n = 20_000
    rng = np.random.default_rng(2)
    segment = np.arange(n) % 2
    arm = (rng.random(n) < np.where(segment == 1, 0.1, 0.5)).astype(int)
    answers = make_answers(draw_units(n, arm=arm, segment=segment))
    plan = make_plan(shares={"new": (0.5, 0.5), "old": (0.9, 0.1)})

    of = context(answers, plan)

    assert expected_shares(plan, answers.cells) == pytest.approx({"control": 0.7, "nudge": 0.3}, abs=1e-3)
    assert found(live_split.check_sample_ratio, of) == []
    assert found(live_split.check_sample_ratio_by_segment, of) == []
    assert only(live_split.check_sample_ratio_by_segment, context(answers)).invalid == "srm"


# Two segments of 1,000: at .001/2 the alarm lies at chi-square 12.116, between 445 (12.100) and 444 (12.544) of 1,000.
@pytest.mark.parametrize(("control", "alarm"), [(445, False), (444, True)])
def test_sample_ratio__by_segment__alarms_at_a_thousandth_over_the_segments(control: int, alarm: bool) -> None:
    arm = np.concatenate([np.repeat([0, 1], [500, 500]), np.repeat([0, 1], [control, 1_000 - control])])
    segment = np.repeat([0, 1], 1_000)
    answers = make_answers(draw_units(2_000, arm=arm, segment=segment, week=np.zeros(2_000, dtype=int)))

    findings = found(live_split.check_sample_ratio_by_segment, context(answers))

    assert [finding.invalid for finding in findings] == (["srm"] if alarm else [])


def test_sample_ratio__mature_units_lost_in_one_arm__is_invalid() -> None:
    of = context()
    lost = replace(of.standing, mature={"control": 1_000, "nudge": 850})

    assert found(live_split.check_sample_ratio_mature, of) == []
    assert only(live_split.check_sample_ratio_mature, replace(of, standing=lost)).invalid == "srm"


def test_sample_ratio__mature_units_of_another_mix__are_expected_by_their_own() -> None:
    # "old" is split 20/80 and came too late to be mature: the mature half is 50/50, as planned for "new".
    segment = np.repeat([0, 1], [4_000, 4_000])
    arm = np.concatenate([np.repeat([0, 1], [2_000, 2_000]), np.repeat([0, 1], [800, 3_200])])
    units = draw_units(8_000, arm=arm, segment=segment, week=np.zeros(8_000, dtype=int), mature=segment == 0)
    plan = make_plan(shares={"new": (0.5, 0.5), "old": (0.2, 0.8)})
    of = context(make_answers(units), plan)
    mature = replace(of.standing, mature={"control": 2_000, "nudge": 2_000})

    assert found(live_split.check_sample_ratio_mature, replace(of, standing=mature)) == []


@pytest.mark.parametrize(("extra", "alarm"), [(43, True), (8, False)])
def test_sample_ratio__of_an_arm_planned_tiny__is_exact(extra: int, alarm: bool) -> None:
    plan = make_plan(shares={"": (0.999, 0.001)})

    findings = found(live_split.check_sample_ratio, context(halves(4_000 - extra, extra), plan))

    assert [finding.invalid for finding in findings] == (["srm"] if alarm else [])


def test_balance__a_covariate_that_goes_with_the_segment__is_no_imbalance() -> None:
    rng = np.random.default_rng(8)
    segment = np.arange(8_000) % 2
    arm = (rng.random(8_000) < np.where(segment == 1, 0.1, 0.5)).astype(int)
    level = np.where(rng.random(8_000) < 0.9, segment, 2)
    plan = make_plan(shares={"new": (0.5, 0.5), "old": (0.9, 0.1)})
    of = context(make_answers(draw_units(8_000, arm=arm, segment=segment, level=level)), plan)

    assert found(stored_checks.check_balance, of) == []


def test_sample_ratio__allocation_turned_round_over_time__warns() -> None:
    n = 2_000
    week = np.arange(n) % 2
    arm = (np.arange(n) // 2 % 10 < np.where(week == 1, 8, 2)).astype(int)
    of = context(make_answers(draw_units(n, arm=arm, week=week, segment=np.zeros(n, dtype=int))))

    finding = only(live_split.check_sample_ratio_over_time, of)

    assert found(live_split.check_sample_ratio, of) == []
    assert finding.severity is Severity.WARNING
    assert finding.details["week"] in {day.isoformat() for day in WEEKS}


@pytest.mark.parametrize(
    ("units", "several", "invalid"),
    [(1_000, 10, None), (990, 10, "multi_exposure"), (800, 9, None)],
)
def test_several_variants__one_percent_and_ten_units(units: int, several: int, invalid: str | None) -> None:
    answers = replace(halves(units // 2, units - units // 2), several_variants=several)

    assert only(stored_checks.check_several_variants, context(answers)).invalid == invalid


@pytest.mark.parametrize(("differ", "invalid"), [(1, False), (2, True)])
def test_assignments__more_than_one_in_a_thousand_differ__is_invalid(differ: int, invalid: bool) -> None:
    of = context(audit=Audit(1_000, differ, QUIET.assigned))

    findings = found(stored_checks.check_assignments, of)

    assert bool(findings) is invalid
    assert all(finding.invalid == "bucket_mismatch" for finding in findings)


@pytest.mark.parametrize(
    ("assigned", "check"),
    [
        ({"control": 1_250, "nudge": 1_250}, None),
        ({"control": 1_251, "nudge": 1_250}, "unexposed"),
        ({"control": 1_000, "nudge": 1_100}, "unexposed_differs"),
    ],
)
def test_unexposed__a_fifth_or_a_difference(assigned: dict[str, int], check: str | None) -> None:
    of = context(audit=Audit(0, 0, assigned))

    findings = found(stored_checks.check_unexposed, of)

    assert [finding.check for finding in findings] == ([] if check is None else [check])


@pytest.mark.parametrize(
    ("silent", "check"),
    [((499, 500), None), ((500, 500), "silent"), ((10, 60), "silent_differs")],
)
def test_silent__half_or_a_difference(silent: tuple[int, int], check: str | None) -> None:
    rows = tuple((label, 1_000, n) for label, n in zip(("control", "nudge"), silent, strict=True))
    of = context(replace(halves(1_000, 1_000), silent=rows))

    assert [finding.check for finding in found(stored_checks.check_silent, of)] == ([] if check is None else [check])


@pytest.mark.parametrize(("late", "warns"), [(1_000, False), (1_001, True)])
def test_late_events__beyond_one_percent(late: int, warns: bool) -> None:
    of = context(replace(halves(1_000, 1_000), late=(100_000, late)))

    assert bool(found(stored_checks.check_late, of)) is warns


@pytest.mark.parametrize(("quiet", "running", "warns"), [(1, True, False), (2, True, True), (2, False, False)])
def test_inflow__stopped_for_two_whole_days(quiet: int, running: bool, warns: bool) -> None:
    last = END.date() - timedelta(days=1 + quiet)
    days = tuple((last - timedelta(days=back), "control", 20) for back in range(10))
    of = context(replace(halves(1_000, 1_000), exposures_by_day=days), running=running)

    assert bool(found(stored_checks.check_inflow, of)) is warns


def test_balance__a_covariate_that_differs__warns() -> None:
    n = 2_000
    arm = np.arange(n) % 2
    level = np.where(arm == 1, np.arange(n) // 2 % 3, 2 * (np.arange(n) // 2 % 2))
    of = context(make_answers(draw_units(n, arm=arm, level=level)))

    assert only(stored_checks.check_balance, of).details["column"] == "platform"


@pytest.mark.parametrize(("high", "noted"), [(0.05, False), (0.0499, True)])
def test_first_stage__far_below_plan__is_a_note(high: float, noted: bool) -> None:
    """A quarter of the planned .2: a note of planning, which no verdict reads."""
    stage = FirstStage("nudge", TakeUp(0.2, 0.21, 0.01, 0.01, -0.02, high, 1.0, 0.95), ())

    findings = found(stored_checks.check_first_stage, context(first_stage=(stage,)))

    assert [(row.check, row.severity, row.invalid) for row in findings] == (
        [("take_up_below_plan", Severity.INFO, None)] if noted else []
    )
    assert not found(stored_checks.check_first_stage, context(plan=make_plan(take_up=None), first_stage=(stage,)))


@pytest.mark.parametrize(("high", "named"), [(-0.001, "old"), (0.001, None)])
def test_first_stage__of_the_other_sign_in_a_segment__warns(high: float, named: str | None) -> None:
    up = TakeUp(0.2, 0.4, 0.2, 0.01, 0.18, 0.22, 400.0, 0.975)
    down = TakeUp(0.3, 0.25, -0.05, 0.02, -0.1, high, 6.0, 0.975)
    stage = FirstStage("nudge", up, (("new", up), ("old", down)))

    findings = found(stored_checks.check_first_stage_signs, context(first_stage=(stage,)))

    assert [finding.details["segments"] for finding in findings] == ([] if named is None else [named])


# A quarter of the planned take-up of .2 is .05; the limits at level 90 % are the estimate +- 1.645 errors of .01.
@pytest.mark.parametrize(
    ("moved", "check", "severity"),
    [(0.033, "placebo_serves", Severity.INFO), (0.034, "placebo_unfit", Severity.WARNING)],
)
def test_placebo__equivalence__decides_and_is_said(moved: float, check: str, severity: Severity) -> None:
    plan = make_plan(variants=("control", "nudge", "placebo"), placebo="placebo")
    stages = (
        FirstStage("nudge", TakeUp(0.2, 0.4, 0.2, 0.01, 0.18, 0.22, 400.0, 0.95), ()),
        FirstStage("placebo", TakeUp(0.2, 0.2 + moved, moved, 0.01, moved - 0.02, moved + 0.02, 9.0, 0.95), ()),
    )
    design = Design("variant", "control", plan.primary, behaviour="3 friends", placebo="placebo")
    against = comparators(design, plan.variants, stages_known(stages, 0.05), plan.take_up)

    finding = only(stored_checks.check_placebo, replace(context(first_stage=stages), plan=plan, comparators=against))

    assert (finding.check, finding.severity) == (check, severity)
    assert finding.details["take_up_bound"] == pytest.approx(0.05)
    assert against["placebo"].label == "control"
    assert against["nudge"].label == ("placebo" if check == "placebo_serves" else "control")
    assert against["nudge"].reason == (None if check == "placebo_serves" else "placebo_moves_behaviour")


@pytest.mark.parametrize(("p_value", "alarm"), [(0.0249, True), (0.025, False)])
def test_guardrails__bonferroni_over_all_of_them(p_value: float, alarm: bool) -> None:
    row = Estimate(-0.02, 0.005, -0.03, -0.01, p_value, 0.95, "x")
    guardrails = {("on_day:1", "nudge"): row, ("on_day:2", "nudge"): replace(row, p_value=0.9),
                  ("on_day:3", "nudge"): NotComputable(Reason.NO_VARIANCE)}  # fmt: skip

    findings = found(stored_checks.check_guardrails, context(guardrails=guardrails))

    assert [finding.details["outcome"] for finding in findings] == (["on_day:1"] if alarm else [])


@pytest.mark.parametrize(("metric", "invalid"), [("window:7-13", False), ("window:6-13", True)])
def test_windows__that_overlap__are_invalid(metric: str, invalid: bool) -> None:
    findings = found(stored_checks.check_windows, context(plan=make_plan(primary=(metric,))))

    assert [finding.invalid for finding in findings] == (["window_overlap"] if invalid else [])


def test_plan__changed_without_a_trace__is_invalid() -> None:
    assert only(stored_checks.check_plan, context(plan=make_plan(intact=False))).invalid == "plan_changed"


def test_progress__peeked_and_planned_size_reached() -> None:
    of = context(running=True)
    peeked = replace(of, standing=replace(of.standing, peeked=True, fraction=0.4), running=False)

    earlier = LookTaken(date(2026, 2, 1), "", "nudge", 9, 0.3, 0.1, 0.0, 0.2, 2.0, 2.0, 0.04, "CAUSES", peeked=True)
    assert only(stored_checks.check_progress, of).check == "planned_size_reached"
    assert only(stored_checks.check_progress, peeked).check == "peeked"
    assert only(stored_checks.check_progress, replace(peeked, earlier=(earlier,))).check == "peeked"
    assert only(stored_checks.check_progress, replace(of, running=False, earlier=(earlier,))).check == "peeked_before"


def test_unknown_variants_and_missing_signups__are_named() -> None:
    answers = replace(halves(1_000, 1_000), unknown_variants={"blue": 3}, no_signup=4)

    assert only(stored_checks.check_unknown_variants, context(answers)).details == {"variant": "blue", "n": 3}
    assert only(stored_checks.check_no_signup, context(answers)).details == {"n": 4}


def test_sizes__empty_and_tiny_arms() -> None:
    cells = make_cells(draw_units(49, arm=np.zeros(49, dtype=int)))
    of = context(make_answers(draw_units(49), cells=cells))

    assert [finding.check for finding in found(stored_checks.check_sizes, of)] == ["tiny_variant", "empty_variant"]


def test_a_check_that_breaks__becomes_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(context: Context) -> Any:
        yield 1 // 0

    monkeypatch.setattr(stored_checks, "CHECKS", (broken,))

    (finding,) = stored_checks.examine(context())

    assert finding.check == "check_failed"
    assert finding.details == {"check": "broken", "error": "ZeroDivisionError"}


# ── every night, before the final look ────────────────────────────────────────
def nightly(control: int, nudge: int, **columns: Any) -> Context:
    of = context(halves(control, nudge, **columns))
    split = live_split.at_any_look(of.plan, of.answers, of.sample_ratio)
    return replace(of, standing=replace(of.standing, state=State.PENDING, final=False), sample_ratio=split)


@pytest.mark.parametrize(("control", "checks"), [(600, ["sample_ratio"]), (560, [])])
def test_sample_ratio__a_night__takes_more_than_one_look_would(control: int, checks: list[str]) -> None:
    """560 of 1,000 has chi-square 14.4, p .00015: an alarm at one look, nothing at one of many."""
    of = nightly(control, 1_000 - control)

    assert [finding.check for finding in live_split.check_sample_ratio(of)] == checks
    assert computable(of.sample_ratio)
    assert of.sample_ratio.any_look is not None
    assert (of.sample_ratio.any_look < 0.001) == bool(checks)


def test_sample_ratio_by_segment__a_night__alarms_where_one_segment_is_off() -> None:
    n = 4_000
    arm = np.concatenate([np.arange(n) % 2, np.repeat([0, 1], [n * 3 // 5, n * 2 // 5])])
    units = draw_units(2 * n, arm=arm, segment=np.repeat([0, 1], n), week=np.arange(2 * n) % 2)
    of = context(make_answers(units))
    of = replace(of, standing=replace(of.standing, final=False))

    finding = only(live_split.check_sample_ratio_by_segment, of)

    assert (finding.invalid, finding.details["bad"]) == ("srm", 1)


# ── who reported the exposures ────────────────────────────────────────────────
def test_not_admitted__each_sender_and_reason__is_a_finding_that_invalidates_nothing() -> None:
    aside = (SetAside("web", "arm", 60, 50), SetAside("blog", "source", 300, 300))
    found = list(senders.check_not_admitted(context(replace(halves(500, 500), not_admitted=aside))))

    assert [(one.check, one.details["sender"], one.invalid) for one in found] == [
        ("not_admitted_arm", "web", None), ("not_admitted_source", "blog", None),
    ]  # fmt: skip
    assert all("%(" not in finding_sentence(one) for one in found)


@pytest.mark.parametrize(
    ("unverified", "check"),
    [
        (Unverified(50, 950, 50, 5, 950, 95), None),  # 5 %
        (Unverified(51, 949, 51, 5, 949, 95), "unverified"),
        (Unverified(1_000, 0, 1_000, 900, 0, 0), None),  # local SDKs alone: there is nothing to compare with
        (Unverified(40, 960, 40, 20, 960, 96), "unverified_silent"),
        (Unverified(40, 960, 40, 4, 960, 960), None),  # fewer silent ones
    ],
)
def test_unverified__both_sides_of_its_thresholds(unverified: Unverified, check: str | None) -> None:
    found = list(senders.check_unverified(context(replace(halves(500, 500), unverified=unverified))))

    assert [finding.check for finding in found] == ([] if check is None else [check])
    assert senders.is_doubtful(found) == (check is not None)
    assert all("%(" not in finding_sentence(one) for one in found)
