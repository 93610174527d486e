"""The helper that judges simulated rates, against scipy's own interval of Clopper and Pearson."""

import pytest
from scipy import stats

from tests.rates import at_least, at_most, plausible


@pytest.mark.parametrize(("runs", "rate"), [(60, 0.05), (40, 0.95), (25, 0.8)])
def test_plausible__every_number_of_hits__is_where_the_interval_holds_the_rate(runs: int, rate: float) -> None:
    for hits in range(runs + 1):
        ends = stats.binomtest(hits, runs).proportion_ci(0.999, method="exact")

        assert plausible(hits, runs, rate) == (ends.low <= rate <= ends.high), hits


def test_at_most_and_at_least__by_hand__count_the_tail_with_the_hits() -> None:
    # 3 heads of 3: one in eight; so are none.
    assert at_most(3, 3, 0.5, level=0.12)
    assert not at_most(3, 3, 0.5, level=0.13)
    assert at_least(0, 3, 0.5, level=0.12)
    assert not at_least(0, 3, 0.5, level=0.13)
