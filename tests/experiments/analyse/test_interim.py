"""A look before the last: every panel of the outcome is read at the look's critical value, or waits for the end."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from scipy import stats

from experiments.analyse.comparison.warehouse_cells import CellData
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, Opened
from experiments.report import acts as report_acts
from experiments.report.page import sections
from stats.heterogeneity import shrink
from stats.instrument.compliers import complier_levels
from stats.instrument.encouragement import wald
from stats.results import Estimate, Interval, NotComputable, Reason, computable
from stats.sequential.looks import Look, told_at
from stats.stratified import breslow_day, heterogeneity
from stats.survival.logrank import stratified_log_rank
from stats.survival.rmst import compare_restricted_means
from tests.experiments.make_answers import draw_units, make_analysed, make_answers
from tests.experiments.make_readout import make_readout

Z = 1.959964
METHODS = ("group_sequential", "always_valid")


def interim(method: str, **plan: Any) -> Opened:
    """2,000 of 10,000 units."""
    given = {"planned_units": 10_000, "enrolment_ended": None, **plan}
    return make_readout(units=draw_units(2_000), method=method, **given)


def critical(readout: AnalysisResult) -> float:
    return readout.path[-1].critical


def plain(text: str) -> str:
    return text


def records(found: Any, kind: type) -> Iterator[Any]:
    """Every record of a kind anywhere inside."""
    if isinstance(found, kind):
        yield found
    if isinstance(found, tuple):
        for part in found:
            yield from records(part, kind)
    elif is_dataclass(found) and not isinstance(found, type):
        for field in fields(found):
            yield from records(getattr(found, field.name), kind)


@pytest.mark.parametrize("method", METHODS)
def test_every_estimate__is_as_wide_as_the_look_asks_for_and_names_the_whole_level(method: str) -> None:
    found = interim(method)
    panels = (found.report.outcomes, found.through, tuple(row.response for row in found.by_times), found.over_time)

    estimates = [one for one in records(panels, Estimate) if one.standard_error > 0]
    assert len(estimates) >= 10
    for one in estimates:
        assert (one.high - one.low) / (2 * one.standard_error) >= 0.95 * critical(found), one.method
        assert one.level in (pytest.approx(0.95), pytest.approx(0.975)), one.method
    intervals = [*records((panels, found.shrunk, found.arms_over_time), Interval)]
    assert len(intervals) >= 100
    assert {round(one.level, 9) for one in intervals} <= {0.95, 0.975}


@pytest.mark.parametrize("method", METHODS)
def test_panels__have_the_numbers_of_the_look(method: str) -> None:
    """Each panel again by its own function at the critical value, p by the look's own repeated p."""
    found, units = interim(method), draw_units(2_000)
    answers, analysed = make_answers(units), make_analysed(method=method, planned_units=10_000)
    look = Look(0.05, method, units=2_000, planned_units=10_000, fractions=(0.2,))
    alpha = look.nominal_alpha
    assert alpha == pytest.approx(2 * stats.norm.sf(critical(found)))
    pair = CellData(answers.cells, ("window:21-27",), {}, same_split=True).pair("window:21-27", 1)

    through, time = found.through[0], found.over_time[0]
    levels, expected = through.levels, complier_levels(*pair.joints(), alpha=alpha)
    assert computable(levels)
    assert computable(expected)
    assert computable(levels.nudged.error)
    assert computable(expected.nudged.error)
    assert (levels.nudged.error.low, levels.nudged.error.high) == (
        expected.nudged.error.low,
        expected.nudged.error.high,
    )
    test = pair.inequalities()
    assert computable(test)
    assert computable(through.inequalities)
    assert through.inequalities.p_value >= test.p_value

    acts, moments = found.by_times[0].response, pair.moments(by_times=True)
    assert not isinstance(acts, NotComputable)
    assert computable(moments)
    single = wald(moments, alpha=alpha)
    assert computable(single)
    assert computable(acts.effect)
    assert (acts.effect.low, acts.effect.high) == pytest.approx((single.low, single.high))

    from experiments.analyse.behaviour import durations_of

    whole = [durations_of(answers, label) for label in analysed.plan.arms]
    mean = compare_restricted_means(whole[0], whole[1], tau=time.tau, alpha=alpha)
    assert computable(mean)
    assert computable(time.restricted)
    assert (time.restricted.low, time.restricted.high) == (mean.low, mean.high)
    pairs = [(durations_of(answers, "control", one), durations_of(answers, "nudge", one)) for one in ("new", "old")]
    rank = stratified_log_rank(pairs)
    assert computable(rank)
    assert computable(time.log_rank)
    assert time.log_rank.p_value == pytest.approx(look.p_value(rank.p_value))

    row = found.report.outcomes[0].comparisons[0]
    assert row.stratified is not None
    apart = [one.difference for one in row.by_segment if computable(one.difference)]
    q = heterogeneity(apart)
    assert computable(q)
    assert computable(row.stratified.heterogeneity)
    assert row.stratified.heterogeneity.p_value == pytest.approx(look.p_value(q.p_value))
    odds = breslow_day([(control, variant) for _label, control, variant in pair.by_segment() or []])
    assert computable(odds)
    assert row.stratified.odds_ratio_heterogeneity_p == pytest.approx(look.p_value(odds.p_value))
    pulled = shrink(apart, alpha=alpha)
    assert pulled == told_at(pulled, Look(0.05))
    assert computable(pulled)
    assert [one.low for one in found.shrunk[0].shrinkage.effects] == [one.low for one in pulled.effects]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_bands_and_levels__are_wider_than_a_plain_readout_of_the_same_units(method: str) -> None:
    found, once = interim(method), make_readout(units=draw_units(2_000))

    def width(one: Any) -> float:
        return float(one.high - one.low)

    for now, then in ((found, once),):
        for label in ("control", "nudge"):
            values = [report.outcomes[0].values[label].interval for report in (now.report, then.report)]
            assert width(values[0]) > 1.3 * width(values[1])
        curve, plain_curve = now.over_time[0].days, then.over_time[0].days
        assert computable(curve)
        assert computable(plain_curve)
        assert curve.level == 0.95
        for day, plain_day in zip(curve.days, plain_curve.days, strict=True):
            assert width(day.difference) > 1.3 * width(plain_day.difference)
            assert width(day.band) > 1.15 * width(plain_day.band)
        shares, plain_shares = (one.arms_over_time[0].days for one in (now, then))
        assert width(shares[3].share) > 1.3 * width(plain_shares[3].share)


@pytest.mark.parametrize("method", METHODS)
def test_what_has_no_level_at_a_look__waits_for_the_end_and_the_page_says_so(method: str) -> None:
    found = interim(method)

    assert found.hidden == ("bounds", "novelty", "beliefs")
    assert found.beliefs == ()
    assert found.dose is None
    assert found.through[0].bounds == NotComputable(Reason.NOT_AT_A_LOOK)
    assert found.through[0].tf == NotComputable(Reason.ONE_LOOK_ONLY)
    assert found.over_time[0].novelty.weeks == ()
    assert found.over_time[0].novelty.trend == NotComputable(Reason.NOT_AT_A_LOOK)
    page = {section.slug: section for section in sections(found)}
    assert "Bayesian numbers" in page["path"].lead
    assert "bayes" not in page
    assert READOUT.read(READOUT.store(found)) == found


@pytest.mark.parametrize("method", METHODS)
def test_final_look__shows_everything_at_its_own_critical_value(method: str) -> None:
    found = make_readout(units=draw_units(2_000), method=method, planned_units=2_000)

    assert found.hidden == ()
    assert len(found.beliefs) == 1
    assert computable(found.through[0].bounds)
    assert found.through[0].tf == NotComputable(Reason.ONE_LOOK_ONLY)
    assert found.over_time[0].novelty.weeks != ()
    week = found.over_time[0].novelty.weeks[0].effect
    assert computable(week)
    assert (week.high - week.low) / (2 * week.standard_error) == pytest.approx(critical(found), rel=1e-6)


def test_fixed_plan__is_as_before() -> None:
    found = make_readout(units=draw_units(2_000))

    assert found.hidden == ()
    effect = found.over_time[0].restricted
    assert computable(effect)
    assert (effect.high - effect.low) / (2 * effect.standard_error) == pytest.approx(Z, abs=1e-5)
    assert computable(found.through[0].tf) or found.through[0].tf.reason is Reason.WEAK_FIRST_STAGE


def test_told_at__changes_p_and_level_in_every_part_and_nothing_else() -> None:
    look = Look(0.05, "group_sequential", fractions=(0.4,))
    one = Estimate(1.0, 0.5, 0.0, 2.0, 0.0002, 0.9999, "z")

    assert told_at((one, "text", None, 3), look) == (
        Estimate(1.0, 0.5, 0.0, 2.0, look.p_value(0.0002), 0.95, "z"),
        "text",
        None,
        3,
    )
    assert told_at(NotComputable(Reason.NO_DATA), look) == NotComputable(Reason.NO_DATA)
    assert told_at(one, Look(0.05)) is one


@pytest.mark.slow
def test_needed__of_a_plan_with_looks__takes_its_inflation() -> None:
    """Five looks of Pocock's need 1.213 times the units of one look; any look at any time (3.0350 + .8416)^2/7.849."""
    units = draw_units(2_000, 3, effect=0.02)
    found = {}
    for method, spending in (
        ("fixed", "obrien_fleming"),
        *((METHODS[0], one) for one in ("pocock", "obrien_fleming")),
        (METHODS[1], "obrien_fleming"),
    ):
        readout = make_readout(units=units, method=method, spending=spending, planned_units=2_000, smallest_effect=0.1)
        assert readout.verdict is not None
        assert readout.verdict.reason == "underpowered"
        found[method, spending] = float(readout.verdict.details["needed"])
    once = found["fixed", "obrien_fleming"]

    assert found[METHODS[0], "pocock"] / once == pytest.approx(1.213, abs=0.003)
    assert found[METHODS[0], "obrien_fleming"] / once == pytest.approx(1.025, abs=0.003)
    assert found[METHODS[1], "obrien_fleming"] / once == pytest.approx((3.0350 + 0.8416) ** 2 / 7.8489, abs=0.003)


def test_single_acts__show_their_error_and_no_plain_interval() -> None:
    table = report_acts.response(interim("always_valid").by_times[0], True)

    assert "standard error" in table.rows[0][2]
