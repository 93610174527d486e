"""The exact interval of a share, against R's binom.test and against its promise."""

import pytest
from scipy import stats

from stats.false_alarms import clopper_pearson
from stats.results import NotComputable, Reason


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),  # R 4.3: binom.test(k, n)$conf.int; 0 of n is 1 - 0.025^(1/n)
    [(5, 100, 0.01643191, 0.1128349), (0, 10, 0.0, 0.3084971), (10, 10, 0.6915029, 1.0), (7, 20, 0.1539092, 0.5921885)],
)
def test_clopper_pearson__known_counts__give_the_limits_of_r(successes: int, n: int, low: float, high: float) -> None:
    found = clopper_pearson(successes, n)

    assert not isinstance(found, NotComputable)
    assert (found.estimate, found.low, found.high) == pytest.approx((successes / n, low, high), abs=1e-6)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3, 0.5])
def test_clopper_pearson__any_share__is_covered_at_least_as_often_as_promised(share: float) -> None:
    covered = 0.0
    for successes in range(41):
        found = clopper_pearson(successes, 40)
        if not isinstance(found, NotComputable) and found.low <= share <= found.high:
            covered += float(stats.binom.pmf(successes, 40, share))

    assert covered >= 0.95


def test_clopper_pearson__no_trials__is_not_computable_and_wrong_counts_an_error() -> None:
    assert clopper_pearson(0, 0) == NotComputable(Reason.NO_DATA)
    with pytest.raises(ValueError, match="between 0 and n"):
        clopper_pearson(3, 2)
