"""Units by arm against the plan: each check at its threshold and just beyond."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.analyse.codes import Severity
from experiments.analyse.gather.answers import Audit
from experiments.analyse.health.context import expected_shares
from experiments.analyse.health.sample_ratio import (
    check_assignments,
    check_first_variants,
    check_met_several,
    check_sample_ratio,
    check_sample_ratio_by_segment,
    check_sample_ratio_mature,
    check_sample_ratio_over_time,
    check_several_variants,
    check_unknown_variants,
)
from stats.results import computable
from tests.experiments.analyse.health.make_context import QUIET, codes, findings, halves, of_file, only, stored, units
from tests.experiments.make_answers import WEEKS, draw_units, make_analysed, make_answers, make_cells


@pytest.mark.parametrize(
    ("sizes", "check"),
    [
        # chi-square(1) is 10.828 at .001 and 6.635 at .01: with 10,000 units a difference of 2d gives (2d)^2/10,000.
        ((5165, 4835), "sample_ratio"),
        ((5164, 4836), "sample_ratio_watch"),
        ((5129, 4871), "sample_ratio_watch"),
        ((5128, 4872), None),
        ((99, 0), "sample_ratio_small"),
        ((80, 20), "sample_ratio"),
    ],
)
def test_sample_ratio__around_its_thresholds(sizes: tuple[int, int], check: str | None) -> None:
    found = findings(units(sizes))

    splits = [name for name in found if name.startswith("sample_ratio")]
    assert splits == ([] if check is None else [check])
    assert all((found[name].invalid == "srm") == (name == "sample_ratio") for name in splits)


def test_sample_ratio__planned_split__is_what_counts() -> None:
    data = units((6000, 4000))

    assert "sample_ratio" in findings(data)
    assert "sample_ratio" not in findings(data, shares={"a": 0.6, "b": 0.4})


def test_sample_ratio__clusters__groups_are_counted_not_rows() -> None:
    # 60 groups of 10 rows against 60 groups of 20: the groups are balanced, the rows aren't.
    data = units((600, 1200), cluster=np.repeat(np.arange(120), [10] * 60 + [20] * 60))

    assert "sample_ratio" in findings(units((600, 1200)))
    assert "sample_ratio" not in findings(data, cluster="guild")


def test_sample_ratio_by_segment__totals_balance__parts_alarm() -> None:
    arm = np.repeat([0, 1], 1000)
    segment = np.concatenate([np.repeat([0, 1], [600, 400]), np.repeat([0, 1], [400, 600])])

    found = findings(units((1000, 1000), arm=arm, segment=segment, segment_labels=("ios", "android")))

    assert found["sample_ratio_by_segment"].invalid == "srm"
    assert found["sample_ratio_by_segment"].details["bad"] == 2
    assert "sample_ratio" not in found


@pytest.mark.parametrize(("several", "kept", "invalid"), [(10, 990, "multi_exposure"), (10, 991, None), (9, 100, None)])
def test_several_variants__one_percent_and_ten_units(several: int, kept: int, invalid: str | None) -> None:
    """A file leaves them out; the store counts them among the others."""
    every = kept + several
    in_file = of_file(units((kept // 2, kept - kept // 2), several_variants=several))
    in_store = stored(replace(halves(every // 2, every - every // 2), several_variants=several))

    left_out, counted = only(check_several_variants, in_file), only(check_met_several, in_store)

    assert left_out.details == counted.details == {"n": several, "share": several / every}
    assert left_out.invalid == counted.invalid == invalid


def test_several_variants__none__says_nothing() -> None:
    assert codes(check_several_variants, of_file(units((50, 50)))) == codes(check_met_several, stored()) == []


@pytest.mark.parametrize(("several", "joined", "tied", "invalid"), [(4, 5, 1, "multi_exposure"), (3, 5, 1, None)])
def test_several_variants__of_all_causes__count_together(
    several: int, joined: int, tied: int, invalid: str | None
) -> None:
    answers = replace(halves(450, 450), several_variants=several, identity_conflicts=joined, no_first_arm=tied)

    found = {one.check: one for one in check_met_several(stored(answers))}

    assert {code: (one.details["n"], one.invalid) for code, one in found.items()} == {
        "met_several": (several + tied, invalid),
        "joined_several": (joined, invalid),
    }


# Exact binomial tails: 2 P(X <= 8 of 40) = .00018, 2 P(X <= 10 of 40) = .0022 at half and half. Equal arms of three:
# chi-square(2) is 13.816 at .001; 20, 20, 46 of 86 give 15.7, 20, 20, 44 give 13.7.
@pytest.mark.parametrize(
    ("shares", "seen", "alarm"),
    [
        ((0.5, 0.5), (8, 32), True),
        ((0.5, 0.5), (10, 30), False),
        # Whoever draws twice meets the small arm first as often as the large one: .9 x .1 and .1 x .9.
        ((0.9, 0.1), (20, 20), False),
        ((0.9, 0.1), (36, 4), True),
        ((1 / 3, 1 / 3, 1 / 3), (20, 20, 46), True),
        ((1 / 3, 1 / 3, 1 / 3), (20, 20, 44), False),
        # .5 x .5 to .25 x .75 twice: 40 %, 30 % and 30 %.
        ((0.5, 0.25, 0.25), (200, 150, 150), False),
        ((0.5, 0.25, 0.25), (250, 125, 125), True),
        ((0.5, 0.25, 0.25), (10, 0, 0), True),
    ],
)
def test_first_variants__against_what_two_draws_give__alarm_below_a_thousandth(
    shares: tuple[float, ...], seen: tuple[int, ...], alarm: bool
) -> None:
    variants = ("control", "nudge", "other")[: len(shares)]
    plan = make_analysed(variants=variants, shares={"": shares})
    cells = make_cells(draw_units(3_000), variants=variants)
    rows = tuple(("new", label, n) for label, n in zip(variants, seen, strict=True) if n)
    answers = make_answers(cells=replace(cells, variants=variants), units=draw_units(3_000), first_arms=rows)

    found = list(check_first_variants(stored(answers, plan)))

    assert [one.invalid for one in found] == (["multi_exposure"] if alarm else [])


def test_first_variants__segments_with_shares_of_their_own__are_each_compared_with_these() -> None:
    """Three arms: with 50, 25, 25 % they begin in 40, 30, 30 % of the cases, with 80, 10, 10 in 16 : 9 : 9."""
    variants = ("control", "nudge", "other")
    plan = make_analysed(variants=variants, shares={"new": (0.5, 0.25, 0.25), "old": (0.8, 0.1, 0.1)})
    sizes = {"new": (400, 300, 300), "old": (160, 90, 90)}
    rows = tuple(
        (segment, label, n) for segment, found in sizes.items() for label, n in zip(variants, found, strict=True)
    )
    units = draw_units(3_000)
    answers = make_answers(cells=make_cells(units, variants=variants), units=units, first_arms=rows)

    split = stored(answers, plan).first_arms

    assert split is not None
    assert computable(split.found)
    assert split.found.statistic == pytest.approx(0)
    assert list(check_first_variants(stored(answers, plan))) == []


@pytest.mark.parametrize(("seen", "alarm"), [((0, 33), False), ((0, 34), True)])
def test_first_variants__a_night__needs_the_evidence_of_any_look(seen: tuple[int, int], alarm: bool) -> None:
    answers = replace(halves(2_000, 2_000), first_arms=(("new", "control", seen[0]), ("old", "nudge", seen[1])))

    assert bool(list(check_first_variants(stored(answers, final=False)))) == alarm
    assert list(check_first_variants(stored(answers)))  # at the end the exact test decides


def test_first_variants__clusters__are_not_tested() -> None:
    units = {**draw_units(2_000), "cluster": np.arange(2_000) % 40}
    answers = make_answers(units, first_arms=(("new", "nudge", 60),))

    assert list(check_first_variants(stored(answers))) == []


@pytest.mark.parametrize(("sizes", "alarm"), [((585, 15), True), ((596, 4), False), ((94, 6), True)])
def test_sample_ratio__tiny_planned_arm__is_tested_exactly(sizes: tuple[int, int], alarm: bool) -> None:
    # 3 of 600 planned: P(X >= 15) is about 1e-6, P(X >= 4) about a third. Of 100 units P(X >= 6) is about 2e-5.
    found = findings(units(sizes), shares={"a": 0.995, "b": 0.005})

    assert ("sample_ratio" in found) == alarm
    assert "sample_ratio_small" not in found


def test_sample_ratio__units_in_an_arm_of_share_zero__alarm() -> None:
    assert findings(units((200, 3)), shares={"a": 1.0, "b": 0.0})["unplanned_units"].invalid == "srm"


@pytest.mark.parametrize(("mixed", "check"), [(100, "sample_ratio"), (11, "sample_ratio"), (10, None)])
def test_sample_ratio__clusters_in_both_arms__units_were_assigned_and_are_counted(
    mixed: int, check: str | None
) -> None:
    """Each cluster stands in both arms, so that by clusters any split seems balanced: 900 to 300 was not noticed."""
    whole = 100 - mixed  # half of these in one arm, with nine units each, half in the other, with three
    cluster = np.concatenate(
        [
            np.repeat(np.arange(whole // 2), 9),
            np.repeat(np.arange(100 - mixed, 100), 9),
            np.repeat(np.arange(whole // 2, whole), 3),
            np.repeat(np.arange(100 - mixed, 100), 3),
        ]
    )
    sizes = (9 * (whole // 2 + mixed), len(cluster) - 9 * (whole // 2 + mixed))

    assert (
        "sample_ratio" if "sample_ratio" in findings(units(sizes, cluster=cluster), cluster="guild") else None
    ) == check


# 1,000 units: chi-square 10.816 (p .0010) at 448, 10.404... the alarm is below .001, that is above 10.828.
@pytest.mark.parametrize(("control", "alarm"), [(553, True), (552, False)])
def test_sample_ratio__alarms_below_one_in_a_thousand(control: int, alarm: bool) -> None:
    of = stored(halves(control, 1_000 - control))

    finding = only(check_sample_ratio, of)

    assert finding.check == ("sample_ratio" if alarm else "sample_ratio_watch")
    assert finding.invalid == ("srm" if alarm else None)


def test_sample_ratio__with_too_few_units__says_so() -> None:
    assert only(check_sample_ratio, stored(halves(49, 50))).check == "sample_ratio_small"


def test_sample_ratio__weights_by_segment__are_expected_by_segment() -> None:
    n = 20_000
    rng = np.random.default_rng(2)
    segment = np.arange(n) % 2
    arm = (rng.random(n) < np.where(segment == 1, 0.1, 0.5)).astype(int)
    answers = make_answers(draw_units(n, arm=arm, segment=segment))
    analysed = make_analysed(shares={"new": (0.5, 0.5), "old": (0.9, 0.1)})

    of = stored(answers, analysed)

    assert expected_shares(analysed.plan, answers.cells) == pytest.approx({"control": 0.7, "nudge": 0.3}, abs=1e-3)
    assert codes(check_sample_ratio, of) == []
    assert codes(check_sample_ratio_by_segment, of) == []
    assert only(check_sample_ratio_by_segment, stored(answers)).invalid == "srm"


# Two segments of 1,000: at .001/2 the alarm lies at chi-square 12.116, between 445 (12.100) and 444 (12.544) of 1,000.
@pytest.mark.parametrize(("control", "alarm"), [(445, False), (444, True)])
def test_sample_ratio__by_segment__alarms_at_a_thousandth_over_the_segments(control: int, alarm: bool) -> None:
    arm = np.concatenate([np.repeat([0, 1], [500, 500]), np.repeat([0, 1], [control, 1_000 - control])])
    segment = np.repeat([0, 1], 1_000)
    answers = make_answers(draw_units(2_000, arm=arm, segment=segment, week=np.zeros(2_000, dtype=int)))

    found = list(check_sample_ratio_by_segment(stored(answers)))

    assert [finding.invalid for finding in found] == (["srm"] if alarm else [])


@pytest.mark.parametrize(("lost", "alarm"), [(224, False), (225, True)])
def test_sample_ratio__mature_units_lost_in_one_arm__is_invalid(lost: int, alarm: bool) -> None:
    """Every night it has 1/15 of the error: 1 over that of the Bayes factor is .00103 at 224 lost and .00090 at 225."""
    answers = halves(1_000, 1_000, mature=np.arange(2_000) < 2_000 - lost)

    found = list(check_sample_ratio_mature(stored(answers, final=False)))

    assert codes(check_sample_ratio_mature, stored(final=False)) == []
    assert [finding.invalid for finding in found] == (["srm"] if alarm else [])


# Of 1,850 the chi-square is 12.2 (p .0005); of 1,868 it is 9.33 (p .0023).
@pytest.mark.parametrize(("lost", "alarm"), [(150, True), (132, False)])
def test_sample_ratio__mature_units__at_one_look_by_chi_square(lost: int, alarm: bool) -> None:
    answers = halves(1_000, 1_000, mature=np.arange(2_000) < 2_000 - lost)

    assert bool(codes(check_sample_ratio_mature, stored(answers))) is alarm


def test_sample_ratio__mature_units_of_another_mix__are_expected_by_their_own() -> None:
    # "old" is split 20/80 and came too late to be mature: the mature half is 50/50, as planned for "new".
    segment = np.repeat([0, 1], [4_000, 4_000])
    arm = np.concatenate([np.repeat([0, 1], [2_000, 2_000]), np.repeat([0, 1], [800, 3_200])])
    drawn = draw_units(8_000, arm=arm, segment=segment, week=np.zeros(8_000, dtype=int), mature=segment == 0)
    plan = make_analysed(shares={"new": (0.5, 0.5), "old": (0.2, 0.8)})
    of = stored(make_answers(drawn), plan)

    assert of.mature.counts == {"control": 2_000, "nudge": 2_000}
    assert codes(check_sample_ratio_mature, of) == []


@pytest.mark.parametrize(("extra", "alarm"), [(43, True), (8, False)])
def test_sample_ratio__of_an_arm_planned_tiny__is_exact(extra: int, alarm: bool) -> None:
    plan = make_analysed(shares={"": (0.999, 0.001)})

    found = list(check_sample_ratio(stored(halves(4_000 - extra, extra), plan)))

    assert [finding.invalid for finding in found] == (["srm"] if alarm else [])


def test_sample_ratio__allocation_turned_round_over_time__warns() -> None:
    n = 2_000
    week = np.arange(n) % 2
    arm = (np.arange(n) // 2 % 10 < np.where(week == 1, 8, 2)).astype(int)
    of = stored(make_answers(draw_units(n, arm=arm, week=week, segment=np.zeros(n, dtype=int))))

    finding = only(check_sample_ratio_over_time, of)

    assert codes(check_sample_ratio, of) == []
    assert finding.severity is Severity.WARNING
    assert finding.details["week"] in {day.isoformat() for day in WEEKS}


@pytest.mark.parametrize(("differ", "invalid"), [(1, False), (2, True)])
def test_assignments__more_than_one_in_a_thousand_differ__is_invalid(differ: int, invalid: bool) -> None:
    of = stored(audit=Audit(1_000, differ, QUIET.assigned))

    found = list(check_assignments(of))

    assert bool(found) is invalid
    assert all(finding.invalid == "bucket_mismatch" for finding in found)


def test_unknown_variants__are_named() -> None:
    answers = replace(halves(1_000, 1_000), unknown_variants={"blue": 3})

    assert only(check_unknown_variants, stored(answers)).details == {"variant": "blue", "n": 3}


@pytest.mark.parametrize(("control", "checks"), [(577, ["sample_ratio"]), (576, ["sample_ratio_watch"]), (560, [])])
def test_sample_ratio__a_night__takes_more_than_one_look_would(control: int, checks: list[str]) -> None:
    """560 of 1,000 has chi-square 14.4, p .00015: an alarm at one look, nothing at one of many.

    1 over 9/15 of the Bayes factor is .00125 at 576 and .00092 at 577.
    """
    of = stored(halves(control, 1_000 - control), final=False)

    assert [finding.check for finding in check_sample_ratio(of)] == checks
    assert computable(of.split.found)
    assert of.split.found.any_look is not None
    assert (of.split.found.any_look < 0.001) == (checks == ["sample_ratio"])


@pytest.mark.parametrize(("control", "bad"), [(581, [1]), (580, [])])
def test_sample_ratio_by_segment__a_night__alarms_where_one_segment_is_off(control: int, bad: list[int]) -> None:
    """Each of two segments has half of 5/15 of the error: 1 over it is .00133 at 580 of 1,000 and .00097 at 581."""
    arm = np.concatenate([np.arange(1_000) % 2, np.repeat([0, 1], [control, 1_000 - control])])
    drawn = draw_units(2_000, arm=arm, segment=np.repeat([0, 1], 1_000), week=np.arange(2_000) % 2)

    found = list(check_sample_ratio_by_segment(stored(make_answers(drawn), final=False)))

    assert [finding.details["bad"] for finding in found] == bad
    assert all(finding.invalid == "srm" for finding in found)
