"""The engine against independent computations on seeded data."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.analyse.codes import Code
from experiments.analyse.comparison.file_rows import RowData
from experiments.analyse.engine import analyze
from experiments.plan.design import Covariate, Design, Kind, Outcome, Units
from stats.instrument.encouragement import wald
from stats.instrument.validity import instrument_inequalities
from stats.iv_moments import IvMoments
from stats.results import NotComputable, Reason, computable
from tests.marks import first_in_ci
from tests.rates import at_most


def _units(n: int = 4000, seed: int = 5, *, direct: float = 0.0, moved: float = 0.3, effect: float = 0.2) -> Units:
    """An encouragement design: `moved` of the units are compliers, the behaviour is worth `effect`."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, n)
    kind = rng.random(n)
    did = np.where(kind < 0.2, 1, np.where(kind < 0.2 + moved, arm, 0)).astype(float)
    kept = (rng.random(n) < 0.3 + effect * did + direct * arm).astype(float)
    return Units(
        labels=("control", "nudge"),
        arm=arm.astype(np.int64),
        outcomes=(Outcome("kept", Kind.PROPORTION, kept),),
        rows=n,
        behaviour=did,
        segment=rng.integers(0, 3, n).astype(np.int64),
        segment_labels=("a", "b", "c"),
    )


DESIGN = Design(variant="arm", control="control", outcomes=("kept",), behaviour="did", segment="part")


def test_encouragement__against_linearmodels__same_effect() -> None:
    from linearmodels.iv import IV2SLS

    units = _units()
    report = analyze("data", DESIGN, units)

    reference = IV2SLS(units.outcomes[0].values, np.ones(len(units.arm)), units.behaviour, units.arm).fit(
        cov_type="robust"
    )
    found = report.outcomes[0].comparisons[0].encouragement
    assert found is not None
    assert computable(found.effect)
    assert found.effect.estimate == pytest.approx(float(reference.params.iloc[-1]), abs=1e-10)
    assert found.effect.standard_error == pytest.approx(float(reference.std_errors.iloc[-1]), rel=1e-3)
    assert report.verdict.code is Code.CAUSES


@pytest.mark.slow
def test_encouragement__p_and_set__never_contradict() -> None:
    for seed in range(40):
        report = analyze("data", DESIGN, _units(600, seed, effect=0.15))
        row = report.outcomes[0].comparisons[0]
        assert row.encouragement is not None
        assert computable(row.encouragement.effect_set)
        assert computable(row.difference)
        assert row.encouragement.effect_set.contains(0.0) == (row.difference.p_value >= 0.05)


def test_verdict__nudge_with_an_effect_of_its_own__not_the_behaviour() -> None:
    report = analyze("data", DESIGN, _units(20_000, direct=0.25, effect=0.0, moved=0.1))

    assert report.verdict.code is Code.NUDGE_NOT_BEHAVIOUR


def test_verdict__nudge_that_moves_nobody__failed() -> None:
    assert analyze("data", DESIGN, _units(moved=0.0)).verdict.code is Code.NUDGE_FAILED


@pytest.mark.parametrize("behaviour", [0.0, 1.0])
def test_verdict__behaviour_without_variation__failed_not_a_number(behaviour: float) -> None:
    units = _units(effect=0.0)
    flat = Units(**{**units.__dict__, "behaviour": np.full(len(units.arm), behaviour)})

    report = analyze("data", DESIGN, flat)

    found = report.outcomes[0].comparisons[0].encouragement
    assert found is not None
    assert not computable(found.effect)
    assert report.verdict.code is Code.NUDGE_FAILED


def test_stratified__against_statsmodels__same_pooled_odds_ratio() -> None:
    from statsmodels.stats.contingency_tables import StratifiedTable

    units = _units()
    plain = Units(**{**units.__dict__, "behaviour": None})
    report = analyze("data", Design("arm", "control", ("kept",), segment="part"), plain)

    cells = []
    assert units.segment is not None
    for code in range(3):
        inside = units.segment == code
        rows = [(units.outcomes[0].values[inside & (units.arm == arm)]) for arm in (1, 0)]
        cells.append([[values.sum(), (1 - values).sum()] for values in rows])
    reference = StratifiedTable([np.array(table) for table in cells])
    found = report.outcomes[0].comparisons[0].stratified
    assert found is not None
    assert computable(found.odds_ratio)
    assert computable(found.cmh_p_value)
    assert found.odds_ratio.estimate == pytest.approx(reference.oddsratio_pooled, rel=1e-9)
    assert found.cmh_p_value == pytest.approx(reference.test_null_odds(correction=False).pvalue, rel=1e-6)


@pytest.mark.parametrize("arm_there", [0, 1])
def test_stratified__segment_of_one_arm__changes_nothing(arm_there: int) -> None:
    units = replace(_units(), behaviour=None)
    assert units.segment is not None
    lone = (units.segment == 2) & (units.arm == arm_there)
    shown = []
    for kept in (units.segment != 2, (units.segment != 2) | lone):
        some = replace(
            units,
            arm=units.arm[kept],
            outcomes=(replace(units.outcomes[0], values=units.outcomes[0].values[kept]),),
            rows=int(kept.sum()),
            segment=units.segment[kept],
        )
        found = analyze("data", Design("arm", "control", ("kept",), segment="part"), some)
        shown.append(found.outcomes[0].comparisons[0].stratified)

    without, with_it = shown
    assert with_it is not None
    assert computable(with_it.odds_ratio)
    assert with_it == without


@pytest.mark.parametrize(("sizes", "labels"), [((49, 49), ["b", "other"]), ((50, 50), ["a1", "a2", "b"])])
def test_segments__below_fifty_per_arm__are_pooled(sizes: tuple[int, int], labels: list[str]) -> None:
    small = sum(sizes)
    arm = np.concatenate([np.tile([0, 1], small), np.tile([0, 1], 200)])
    segment = np.concatenate([np.repeat([0, 1], small), np.repeat(2, 400)])
    kept = np.tile([0.0, 0.0, 1.0, 1.0], (len(arm) + 3) // 4)[: len(arm)]
    units = Units(
        labels=("control", "nudge"),
        arm=arm.astype(np.int64),
        outcomes=(Outcome("kept", Kind.PROPORTION, kept),),
        rows=len(arm),
        segment=segment.astype(np.int64),
        segment_labels=("a1", "a2", "b"),
    )

    report = analyze("data", Design("arm", "control", ("kept",), segment="part"), units)

    assert sorted(row.segment for row in report.outcomes[0].comparisons[0].by_segment) == labels


def test_swapped_arms__every_sign_turns() -> None:
    units = _units()
    swapped = Units(**{**units.__dict__, "arm": 1 - units.arm})

    first = analyze("data", DESIGN, units).outcomes[0].comparisons[0]
    second = analyze("data", DESIGN, swapped).outcomes[0].comparisons[0]

    assert computable(first.difference)
    assert computable(second.difference)
    assert first.difference.estimate == pytest.approx(-second.difference.estimate)
    assert first.difference.p_value == pytest.approx(second.difference.p_value)
    assert first.encouragement is not None
    assert second.encouragement is not None
    assert computable(first.encouragement.effect)
    assert computable(second.encouragement.effect)
    # The effect of the behaviour doesn't depend on which arm is called control.
    assert first.encouragement.effect.estimate == pytest.approx(second.encouragement.effect.estimate)


def test_covariates__kept_apart_from_the_verdict() -> None:
    units = _units()
    x = np.random.default_rng(9).normal(size=(len(units.arm), 1)) + units.outcomes[0].values[:, None]
    adjusted = Units(**{**units.__dict__, "covariates": x, "covariate_names": ("x",)})

    plain = analyze("data", DESIGN, units)
    found = analyze(
        "data", Design("arm", "control", ("kept",), behaviour="did", covariates=(Covariate("x"),)), adjusted
    )

    assert found.verdict == plain.verdict
    change = found.outcomes[0].comparisons[0].covariate_adjusted
    assert change is not None
    assert computable(change)
    assert change.variance_reduction > 0.1


@pytest.mark.slow
def test_inequalities__valid_nudge__rejected_in_at_most_alpha() -> None:
    rejected = 0
    for seed in range(400):
        units = _units(1000, seed, moved=0.2)
        assert units.behaviour is not None
        result = instrument_inequalities(units.outcomes[0].values, units.behaviour, units.arm == 1)
        assert computable(result)
        rejected += result.p_value < 0.05
    # Binomial(400, .05): 99.9 % of its mass is at or below 34.
    assert rejected <= 34


def _guilds(seed: int, nudged: int, groups: int, *, size: int = 20, behaviour: bool = True) -> Units:
    """Groups assigned as a whole, each with a level of its own; no effect on the outcome."""
    rng = np.random.default_rng(seed)
    guild = np.repeat(np.arange(groups), size)
    arm = (guild < nudged).astype(np.int64)
    did = (rng.random(len(arm)) < 0.2 + 0.4 * arm).astype(float)
    values = rng.normal(size=groups)[guild] + rng.normal(size=len(arm))
    return Units(
        labels=("control", "nudge"),
        arm=arm,
        outcomes=(Outcome("score", Kind.MEAN, values),),
        rows=len(arm),
        behaviour=did if behaviour else None,
        cluster=guild,
    )


GUILDS = Design("arm", "control", ("score",), behaviour="did", cluster="guild")


@pytest.mark.slow
def test_clusters__p_and_set__never_contradict() -> None:
    for seed in range(40):
        row = analyze("data", GUILDS, _guilds(seed, 6, 12)).outcomes[0].comparisons[0]
        assert row.encouragement is not None
        assert computable(row.encouragement.effect_set)
        assert computable(row.difference)
        assert row.encouragement.effect_set.contains(0.0) == (row.difference.p_value >= 0.05)


@pytest.mark.parametrize(("nudged", "enough"), [(4, False), (5, True)])
def test_clusters__below_five_in_an_arm__no_verdict(nudged: int, enough: bool) -> None:
    report = analyze("data", Design("arm", "control", ("score",), cluster="guild"), _guilds(1, nudged, 40))

    assert (report.verdict.reason != "few_clusters") == enough


@pytest.mark.slow
@pytest.mark.parametrize(("nudged", "groups"), [(5, 40), (6, 12), (20, 40)])
@pytest.mark.parametrize("runs", first_in_ci([80, 400]))
def test_clusters__no_effect__false_alarms_near_five_percent(runs: int, nudged: int, groups: int) -> None:
    design = Design("arm", "control", ("score",), cluster="guild")
    rejected = 0
    for seed in range(runs):
        row = analyze("data", design, _guilds(seed, nudged, groups, behaviour=False)).outcomes[0].comparisons[0]
        assert computable(row.difference)
        rejected += row.difference.p_value < 0.05
    # Below five groups the verdict refuses: t is too rough there.
    assert at_most(rejected, runs, 0.05)


def test_segments__clusters__pooled_error_is_between_clusters() -> None:
    units = _guilds(3, 20, 40, behaviour=False)
    parted = Units(
        **{
            **units.__dict__,
            "segment": (np.arange(len(units.arm)) % 2).astype(np.int64),
            "segment_labels": ("even", "odd"),
        }
    )

    row = analyze("data", Design("arm", "control", ("score",), cluster="guild", segment="part"), parted)
    found = row.outcomes[0].comparisons[0]

    assert found.stratified is not None
    assert computable(found.stratified.risk_difference)
    assert computable(found.difference)
    # Every guild is half even, half odd: stratifying changes nothing, so the error is that of the clusters.
    assert found.stratified.risk_difference.standard_error == pytest.approx(found.difference.standard_error, rel=0.02)
    assert not computable(found.stratified.cmh_p_value)
    assert not computable(found.stratified.heterogeneity)


def test_missing_behaviour__intention_to_treat_keeps_everybody() -> None:
    units = _units()
    assert units.behaviour is not None
    # The nudged who didn't stay lose their record: conditioning on the record would invent an effect.
    lost = (units.arm == 1) & (units.outcomes[0].values == 0) & (np.arange(len(units.arm)) % 2 == 0)
    holed = Units(**{**units.__dict__, "behaviour": np.where(lost, np.nan, units.behaviour)})

    whole = analyze("data", DESIGN, units).outcomes[0].comparisons[0]
    found = analyze("data", DESIGN, holed).outcomes[0].comparisons[0]

    assert found.difference == whole.difference
    assert found.encouragement != whole.encouragement


def test_segments__lone_sparse_one__isnt_tested() -> None:
    units = _units()
    rows = np.arange(len(units.arm))
    small = np.where(rows < 20, 2, rows % 2).astype(np.int64)
    parted = Units(**{**units.__dict__, "behaviour": None, "segment": small})

    found = analyze("data", Design("arm", "control", ("kept",), segment="part"), parted).outcomes[0].comparisons[0]

    tested = {row.segment: computable(row.difference) for row in found.by_segment}
    assert tested == {"a": True, "b": True, "c": False}
    assert found.stratified is not None
    assert computable(found.stratified.heterogeneity)
    assert found.stratified.heterogeneity.degrees_of_freedom == 1


def test_margin__is_in_the_unit_of_the_primary_outcome() -> None:
    units = _units(20_000, effect=0.0)
    assert units.behaviour is not None
    won = Outcome("won", Kind.MEAN, 1e-6 * np.random.default_rng(2).normal(size=20_000))
    both = Units(**{**units.__dict__, "behaviour": None, "outcomes": (*units.outcomes, won)})

    first, second = analyze("data", Design("arm", "control", ("kept", "won"), margin=0.05), both).outcomes

    assert first.comparisons[0].verdict.code is Code.NO_MATERIAL_EFFECT
    assert second.comparisons[0].verdict.code is Code.INCONCLUSIVE


def test_leading__tie_of_holm__smaller_raw_p() -> None:
    rng = np.random.default_rng(4)
    arm = rng.integers(0, 3, 9000)
    kept = (rng.random(9000) < np.array([0.30, 0.328, 0.331])[arm]).astype(float)
    units = Units(("a", "b", "c"), arm.astype(np.int64), (Outcome("kept", Kind.PROPORTION, kept),), 9000)

    report = analyze("data", Design("arm", "a", ("kept",)), units)

    rows = {row.variant: row for row in report.outcomes[0].comparisons}
    assert computable(rows["b"].difference)
    assert computable(rows["c"].difference)
    smaller = min("bc", key=lambda label: rows[label].difference.p_value)  # type: ignore[union-attr]
    assert report.leading == smaller


@pytest.mark.parametrize("effect", [0.0, 0.4])
def test_behaviour_never_recorded_in_an_arm__no_verdict_on_it(effect: float) -> None:
    units = _units(20_000, effect=effect)
    assert units.behaviour is not None
    holed = Units(**{**units.__dict__, "behaviour": np.where(units.arm == 1, np.nan, units.behaviour)})

    report = analyze("data", DESIGN, holed)

    # The nudge's own effect is still shown, but a verdict here would be read as one on the behaviour.
    row = report.outcomes[0].comparisons[0]
    assert computable(row.difference)
    assert row.encouragement is not None
    assert not computable(row.encouragement.effect)
    assert (report.verdict.code, report.verdict.reason) == (Code.INCONCLUSIVE, "not_computable")


def test_simultaneous__of_a_family__is_the_interval_at_alpha_over_m() -> None:
    from stats.compare import compare_unpooled

    units = _units()
    two = Units(
        **{
            **units.__dict__,
            "outcomes": (*units.outcomes, Outcome("again", Kind.PROPORTION, 1 - units.outcomes[0].values)),
        }
    )
    report = analyze("data", replace(DESIGN, outcomes=("kept", "again")), two)

    row = report.outcomes[0].comparisons[0]
    pair = RowData(two).pair("kept", 1)
    expected = compare_unpooled(pair.control, pair.variant, alpha=0.025)
    assert row.simultaneous is not None
    assert computable(row.simultaneous)
    assert computable(expected)
    assert (row.simultaneous.low, row.simultaneous.high) == pytest.approx((expected.low, expected.high))
    assert analyze("data", DESIGN, units).outcomes[0].comparisons[0].simultaneous is None


def test_underpowered__says_how_many_units_would_do() -> None:
    units = _units(1_500, effect=0.02)
    report = analyze("data", replace(DESIGN, margin=0.05), units)

    assert report.verdict.reason == "underpowered"
    found = report.outcomes[0].comparisons[0].encouragement
    assert found is not None
    assert computable(found.effect)
    needed = report.verdict.details["needed"]
    assert isinstance(needed, int)
    # With so many units the margin is 2.80 standard errors: 1.96 for alpha and 0.84 for 80 % power.
    assert 0.05 / (found.effect.standard_error * (1_500 / needed) ** 0.5) == pytest.approx(2.8016, abs=0.01)


def test_wald__first_stage_that_is_rounding_of_a_fit__is_none() -> None:
    """A covariate explained the behaviour but for rounding: the library met a singular matrix, the file crashed."""
    moments = IvMoments(16.4, -6.9e-18, 420.3, 5.8e-35, -5.8e-18, 10, 2)

    assert wald(moments) == NotComputable(Reason.NO_FIRST_STAGE)
    assert computable(wald(replace(moments, first_stage=1e-9, v_d=1e-20)))


def test_breakdown__behaviour_unknown_of_some__is_the_smaller_of_both() -> None:
    """The p-value is of all units, the set of those whose behaviour is known: the condition holds for either."""
    units = _units(4000, effect=0.5)
    assert units.behaviour is not None
    rng = np.random.default_rng(2)
    kept = units.outcomes[0].values
    # Among the nudged that stayed away the behaviour is often unknown: the others look better than they are.
    unknown = (units.arm == 1) & (kept == 0) & (rng.random(4000) < 0.1)
    report = analyze("data", DESIGN, replace(units, behaviour=np.where(unknown, np.nan, units.behaviour)))

    row = report.outcomes[0].comparisons[0]
    assert row.encouragement is not None
    assert computable(row.difference)
    assert computable(row.encouragement.breakdown)
    assert row.encouragement.breakdown == pytest.approx(row.difference.low)
    moments = RowData(replace(units, behaviour=np.where(unknown, np.nan, units.behaviour))).pair("kept", 1).moments()
    assert computable(moments)
    assert moments.itt - 1.96 * moments.v_r**0.5 > row.encouragement.breakdown
