"""States of a map of causes: both sides of each limit, and the error rate of whole maps."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from stats.instrument.anderson_rubin import AndersonRubin, Shape
from stats.instrument.causes import Measured, Place, State, map_of_causes, measured_jointly
from stats.instrument.joint import JointMoments, p_value_of, read_jointly, stack_nudges
from stats.multiplicity import benjamini_yekutieli, holm
from stats.results import NotComputable, Reason
from tests.marks import first_in_ci
from tests.rates import at_most
from tests.stats.make import computed

APART = NotComputable(Reason.NOT_TOLD_APART)
NO_MARGIN = NotComputable(Reason.NO_MARGIN)


def between(low: float, high: float) -> AndersonRubin:
    return AndersonRubin(Shape.INTERVAL, low, high, 0.95)


def row(
    behaviour: str, p_zero: float, p_margin: float | NotComputable = NO_MARGIN, *, low: float = 0.01, high: float = 0.2
) -> Measured:
    return Measured(behaviour, (low + high) / 2, between(low, high), p_zero, p_margin, (), 50.0)


def states(*measured: Measured) -> list[State]:
    return [place.state for place in map_of_causes(measured)]


def lab(effects: list[float], *, nudges: int = 0, error: float = 0.004) -> JointMoments:
    """Moments without noise of nudges that each move one behaviour by 12 points and all by 2."""
    k = len(effects)
    j = nudges or k
    stages = 0.02 + 0.1 * np.eye(k)[np.arange(j) % k]
    rows = np.column_stack([stages @ np.array(effects), stages])
    names = [f"b{place}" for place in range(k)]
    return stack_nudges([f"n{place}" for place in range(j)], names, list(rows), [np.eye(k + 1) * error**2] * j)


@pytest.mark.parametrize("p_values", [[0.001, 0.04, 0.03, 0.8, 0.01], [0.05], [0.0, 1.0, 0.02, 0.02], [1.0, 1.0]])
def test_benjamini_yekutieli__any_p_values__are_those_of_statsmodels(p_values: list[float]) -> None:
    assert benjamini_yekutieli(p_values) == pytest.approx(list(multipletests(p_values, method="fdr_by")[1]))


def test_benjamini_yekutieli__no_p_value_or_a_wrong_one__gives_nothing_or_refuses() -> None:
    assert benjamini_yekutieli([]) == []
    with pytest.raises(ValueError, match="between 0 and 1"):
        benjamini_yekutieli([float("nan")])


def test_states__p_of_the_first_of_two__is_judged_by_what_the_whole_map_allows() -> None:
    # Two behaviours: m (1 + 1/2) / rank = 3 for the smaller p.
    assert states(row("a", 0.0166), row("b", 0.9))[0] is State.CAUSES
    assert states(row("a", 0.0167), row("b", 0.9))[0] is State.INCONCLUSIVE
    assert states(row("a", 0.0167))[0] is State.CAUSES


def test_states__by_holm__keep_the_chance_of_any_wrong_one() -> None:
    for p, expected in ((0.0249, State.CAUSES), (0.0251, State.INCONCLUSIVE)):  # the smaller of two: times 2
        places = map_of_causes([row("a", p), row("b", 0.9)], adjust=holm)
        assert places[0].state is expected
        assert places[0].adjusted_p == pytest.approx(2 * p)


def test_states__behaviour_without_a_number__counts_among_the_tests() -> None:
    confused = Measured("b", APART, APART, APART, APART, ("c",), 1.0)

    assert states(row("a", 0.0167), confused) == [State.INCONCLUSIVE, State.NOT_TOLD_APART]


def test_states__behaviour_alone_on_the_list_that_its_nudges_moved_too_little__is_open() -> None:
    assert states(Measured("b", APART, APART, APART, APART, (), 1.0)) == [State.INCONCLUSIVE]


def test_states__each_kind_of_evidence__has_its_own() -> None:
    disagree = NotComputable(Reason.NUDGES_DISAGREE)
    rows = (
        row("causes", 1e-6),
        row("harms", 1e-6, low=-0.2, high=-0.1),
        row("small", 0.5, 1e-6, low=-0.01, high=0.01),
        row("small but there", 1e-6, 1e-6, low=0.001, high=0.01),
        row("open", 0.5, 0.5, low=-0.1, high=0.1),
        row("on both sides", 1e-6, low=-0.1, high=0.1),
        Measured("contradicted", disagree, disagree, disagree, disagree, (), 50.0),
    )
    found = map_of_causes(rows, ["nobody tried"])

    assert [place.state.value for place in found] == [
        *("causes", "harms", "no_material_effect", "no_material_effect", "inconclusive", "inconclusive"),
        *("contradicted", "never_nudged"),
    ]
    assert found[-1] == Place("nobody tried", State.NEVER_NUDGED, None, NotComputable(Reason.NO_EXPERIMENT_YET))


def test_p_value_of__an_effect__is_alpha_at_both_ends_of_the_set() -> None:
    moments = lab([0.15, 0.0, 0.08], nudges=5)
    reading = read_jointly(moments)

    for place, behaviour in enumerate(reading.behaviours):
        effect_set = computed(behaviour.effect_set)
        assert effect_set.low is not None
        assert effect_set.high is not None
        for end in (effect_set.low, effect_set.high):
            assert p_value_of(moments, place, end) == pytest.approx(0.05, abs=1e-5)
        assert p_value_of(moments, place, 0.0) == pytest.approx(computed(behaviour.p_zero))


def test_measured_jointly__margins__prove_a_small_effect_where_the_set_of_twice_the_level_is_inside() -> None:
    moments = lab([0.0, 0.3])
    reading, wide = read_jointly(moments), read_jointly(moments, alpha=0.1)
    end = computed(wide.behaviours[0].effect_set).high
    assert end is not None

    # As many nudges as behaviours: two one-sided tests.
    far = measured_jointly(reading, margin=end * 1.5)
    assert computed(far[0].p_margin) < 0.025
    assert computed(far[1].p_margin) == 1.0
    assert measured_jointly(reading)[0].p_margin == NotComputable(Reason.NO_MARGIN)
    states_of = [place.state for place in map_of_causes(far)]
    assert states_of == [State.NO_MATERIAL_EFFECT, State.CAUSES]


@pytest.mark.parametrize("maps", first_in_ci([15, 60]))
def test_map__of_inert_behaviours__says_causes_anywhere_in_at_most_5_percent(maps: int) -> None:
    """Of 60 maps eight false ones are too many, of 15 four; `benchmarks.causes.false_maps` has many more."""
    rng, false_maps = np.random.default_rng(20261201), 0
    k, error = 4, 0.006
    for _ in range(maps):
        clean = lab([0.0] * k, error=error)
        rows = np.column_stack([clean.itt, clean.first_stages]) + rng.normal(0, error, (k, k + 1))
        moments = stack_nudges(clean.nudges, clean.behaviours, list(rows), [np.eye(k + 1) * error**2] * k)
        found = map_of_causes(measured_jointly(read_jointly(moments)))
        false_maps += any(place.state in (State.CAUSES, State.HARMS) for place in found)

    assert at_most(false_maps, maps, 0.05, level=0.01)
