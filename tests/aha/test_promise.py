"""What moving users is worth, and how large the experiment must be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aha.aipw import Difference
from aha.promise import Gain, draft_experiment, promise, sample_size
from runs.refusals import Refused
from stats.results import NotComputable, Reason
from tests.stats.make import computed

RAW = Difference(0.4, 0.01, 0.38, 0.42, 0.95)
ADJUSTED = Difference(0.1, 0.02, 0.06, 0.14, 0.95)
CAUSAL = Difference(0.12, 0.04, 0.04, 0.2, 0.95)


def limits(gain: Gain | NotComputable) -> tuple[float, float, float]:
    found = computed(gain)
    return found.estimate, found.low, found.high


def test_promise__before_the_experiment__naive_and_adjusted() -> None:
    result = promise(0.1, reach=0.3, raw=RAW, adjusted=ADJUSTED)

    assert limits(result.naive) == pytest.approx((0.04, 0.038, 0.042))
    assert limits(result.adjusted) == pytest.approx((0.01, 0.006, 0.014))
    assert result.causal == result.confounding == NotComputable(Reason.NO_EXPERIMENT_YET)
    assert result.headroom == pytest.approx(0.7)


def test_promise__after_the_experiment__causal_and_measured_confounding() -> None:
    result = promise(0.5, reach=0.3, raw=RAW, adjusted=ADJUSTED, causal=CAUSAL)

    assert computed(result.causal).estimate == pytest.approx(0.06)
    assert result.confounding == pytest.approx(0.3)


def test_promise__missing_pieces__keep_their_reasons() -> None:
    missing = NotComputable(Reason.NO_OVERLAP)
    unsure = Difference(0.4, 0.3, -0.2, 1.0, 0.95)

    assert promise(0.1, reach=0.3, raw=RAW, adjusted=missing).adjusted == missing
    assert promise(0.1, reach=0.3, raw=missing, adjusted=missing, causal=CAUSAL).confounding == missing
    assert promise(0.1, reach=0.3, raw=unsure, adjusted=missing, causal=CAUSAL).confounding == NotComputable(
        Reason.RAW_COVERS_ZERO
    )


def test_promise__nobody_moved__is_worth_exactly_nothing() -> None:
    assert promise(0.0, reach=1.0, raw=RAW, adjusted=ADJUSTED).naive == Gain(0.0, 0.0, 0.0, 0.95)


@pytest.mark.parametrize(("moved", "refused"), [(0.75, False), (0.7501, True), (-0.01, True)])
def test_promise__more_than_headroom__refused(moved: float, refused: bool) -> None:
    if refused:
        with pytest.raises(Refused, match=r"Between 0 % and 75\.0% of users can be moved"):
            promise(moved, reach=0.25, raw=RAW, adjusted=ADJUSTED)
    else:
        assert promise(moved, reach=0.25, raw=RAW, adjusted=ADJUSTED).moved == moved


@pytest.mark.parametrize("reach", [-0.1, 1.1])
def test_promise__reach_is_no_share__raises(reach: float) -> None:
    with pytest.raises(ValueError, match="reach"):
        promise(0.0, reach=reach, raw=RAW, adjusted=ADJUSTED)


def test_sample_size__published__equals_r() -> None:
    # R `power.prop.test(p1 = .50, p2 = .75, power = .90)`: n = 76.7.
    assert computed(sample_size(0.5, 0.75, power=0.9)) == pytest.approx(76.7, abs=0.05)


@pytest.mark.parametrize(("take_up", "expected"), [(0.05, 206_813), (0.10, 51_896), (0.20, 13_069), (0.40, 3_313)])
def test_draft__dilution_by_take_up__the_table_of_the_method(take_up: float, expected: int) -> None:
    # METHODS 4.10: base .30, effect of the behaviour .08, power .8.
    effect = Difference(0.08, 0.01, 0.06, 0.1, 0.95)

    draft = computed(draft_experiment(effect, base=0.3, reach=0.3, take_up=take_up, outcome_day=27))

    assert draft.units_per_variant == pytest.approx(expected, abs=1)
    assert draft.nudge_rate == pytest.approx(0.3 + 0.08 * take_up)
    assert draft.days is None


def test_draft__daily_units_known__days_until_the_last_outcome() -> None:
    effect = Difference(0.08, 0.01, 0.06, 0.1, 0.95)

    draft = computed(draft_experiment(effect, base=0.3, reach=0.3, take_up=0.4, outcome_day=27, daily_units=1000.0))

    assert draft.days == 7 + 27 + 1  # 2 * 3,313 units at 1,000 a day, then day 27 has to end


def test_draft__harmful_behaviour__is_planned_too() -> None:
    harm = Difference(-0.08, 0.01, -0.1, -0.06, 0.95)

    assert computed(draft_experiment(harm, base=0.3, reach=0.3, take_up=0.4, outcome_day=7)).nudge_rate < 0.3


def test_draft__nothing_to_detect__says_so() -> None:
    nothing = Difference(0.0, 0.01, -0.02, 0.02, 0.95)
    missing = NotComputable(Reason.NO_OVERLAP)

    for effect, take_up in ((nothing, 0.4), (ADJUSTED, 0.0)):
        found = draft_experiment(effect, base=0.3, reach=0.3, take_up=take_up, outcome_day=7)
        assert found == NotComputable(Reason.NOTHING_TO_DETECT)
    assert draft_experiment(missing, base=0.3, reach=0.3, take_up=0.4, outcome_day=7) == missing


def test_draft__impossible_wish__one_sentence() -> None:
    with pytest.raises(Refused, match="Between 0 % and"):
        draft_experiment(ADJUSTED, base=0.3, reach=0.8, take_up=0.3, outcome_day=7)
    with pytest.raises(Refused, match=r"A retention of 99\.0% can't change by 4\.0%"):
        draft_experiment(ADJUSTED, base=0.99, reach=0.3, take_up=0.4, outcome_day=7)


@pytest.mark.parametrize(
    "options", [(-0.1, 0.5, 0.05, 0.8), (0.5, 1.1, 0.05, 0.8), (0.5, 0.6, 0.0, 0.8), (0.5, 0.6, 0.05, 0.025)]
)
def test_sample_size__out_of_range__raises(options: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        sample_size(options[0], options[1], alpha=options[2], power=options[3])


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.floats(0.3, 0.95))
def test_sample_size__turned_round__needs_as_many(p0: float, p1: float, power: float) -> None:
    sizes = [
        sample_size(p0, p1, power=power),
        sample_size(p1, p0, power=power),
        sample_size(1 - p0, 1 - p1, power=power),
    ]

    if isinstance(sizes[0], NotComputable):
        assert p0 == p1
    elif abs(p0 - p1) > 1e-6:
        assert [computed(size) for size in sizes] == pytest.approx([sizes[0]] * 3, rel=1e-6)
