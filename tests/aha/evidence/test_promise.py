"""What moving users is worth, and how large the experiment must be."""

import pytest

from aha.evidence.aipw import Difference
from aha.evidence.expected_gain import Gain, promise
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
        with pytest.raises(Refused, match=r"Between 0% and 75\.0% of users can be brought"):
            promise(moved, reach=0.25, raw=RAW, adjusted=ADJUSTED)
    else:
        assert promise(moved, reach=0.25, raw=RAW, adjusted=ADJUSTED).moved == moved


@pytest.mark.parametrize("reach", [-0.1, 1.1])
def test_promise__reach_is_no_share__raises(reach: float) -> None:
    with pytest.raises(ValueError, match="reach"):
        promise(0.0, reach=reach, raw=RAW, adjusted=ADJUSTED)
