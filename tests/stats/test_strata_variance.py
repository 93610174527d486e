"""Which variance the Mantel-Haenszel difference of shares takes, and that it holds where effects differ."""

import numpy as np
import pytest

from stats.stratified import risk_difference
from stats.summaries import Mean
from tests.rates import at_least
from tests.stats.make import computed

GREENLAND_ROBINS, SATO = (f"mantel-haenszel-difference-{name}" for name in ("greenland-robins", "sato"))


def _strata(smallest: int) -> list[tuple[Mean, Mean]]:
    return [
        (Mean.from_counts(140, 200), Mean.from_counts(1_520, 1_600)),
        (Mean.from_counts(smallest // 5, smallest), Mean.from_counts(50, 1_000)),
    ]


@pytest.mark.parametrize(("smallest", "method"), [(49, SATO), (50, GREENLAND_ROBINS)])
def test_difference__smallest_arm_of_a_stratum__names_its_variance(smallest: int, method: str) -> None:
    assert computed(risk_difference(_strata(smallest))).method == method


def test_difference__large_strata__is_the_plug_in_variance() -> None:
    """docs/methods/comparison.md, "Mantel-Haenszel difference": sum [a b n0^3 + c e n1^3] / (n1 n0 N^2) / W^2."""
    above = weight = 0.0
    for control, variant in _strata(200):
        n0, n1, c, a = control.n, variant.n, control.successes, variant.successes
        n = n0 + n1
        above += (a * (n1 - a) * n0**3 + c * (n0 - c) * n1**3) / (n1 * n0 * n**2)
        weight += n1 * n0 / n

    found = computed(risk_difference(_strata(200)))

    assert found.standard_error**2 == pytest.approx(above / weight**2, rel=1e-12)


def test_difference__means__keep_their_own_variances() -> None:
    rows = [(Mean(100, 3.0, 4.0), Mean(100, 3.5, 4.0)), (Mean(100, 1.0, 4.0), Mean(100, 1.5, 4.0))]
    found = computed(risk_difference(rows))
    assert found.method == "mantel-haenszel-difference"
    assert found.standard_error == pytest.approx((2 * 0.25 * (4 / 100 + 4 / 100)) ** 0.5)


# Per stratum: units of control, of the variant, share of control, share of the variant.
EFFECTS_APART = ((200, 200, 0.3, 0.6), (200, 200, 0.5, 0.3), (150, 150, 0.1, 0.3), (300, 300, 0.6, 0.6))
SPLITS_APART = ((80, 400, 0.2, 0.65), (400, 80, 0.6, 0.35), (120, 120, 0.9, 0.9))
BOTH_APART = ((200, 1_600, 0.7, 0.95), (200, 1_000, 0.05, 0.05))
SPARSE = tuple((2, 3, 0.2 + 0.004 * k, 0.3 + 0.004 * k) for k in range(100))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cells", "method", "runs"),
    [
        (EFFECTS_APART, GREENLAND_ROBINS, 3_000),
        (SPLITS_APART, GREENLAND_ROBINS, 3_000),
        (BOTH_APART, GREENLAND_ROBINS, 3_000),
        (SPARSE, SATO, 300),
    ],
)
def test_interval__effects_or_splits_differ__covers(
    cells: tuple[tuple[int, int, float, float], ...], method: str, runs: int
) -> None:
    """Sato covered 91.5 % where splits and effects differ."""
    n0, n1, p0, p1 = (np.array(column) for column in zip(*cells, strict=True))
    weights = n0 * n1 / (n0 + n1)
    truth = float(weights @ (p1 - p0) / weights.sum())
    rng, covers = np.random.default_rng(15), 0
    for _ in range(runs):
        seen = zip(rng.binomial(n0, p0), n0, rng.binomial(n1, p1), n1, strict=True)
        found = computed(
            risk_difference(
                [(Mean.from_counts(int(c), int(n)), Mean.from_counts(int(v), int(m))) for c, n, v, m in seen]
            )
        )
        assert found.method == method
        covers += found.low <= truth <= found.high
    assert at_least(covers, runs, 0.95 if method == GREENLAND_ROBINS else 0.93)
