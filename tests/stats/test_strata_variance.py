"""Which variance the Mantel-Haenszel difference of shares takes, and that it holds where effects differ."""

import pytest

from benchmarks.audit import strata_variance
from stats.stratified import risk_difference
from stats.summaries import Mean
from tests.stats.make import computed

GREENLAND_ROBINS, SATO = strata_variance.NAMES


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


@pytest.mark.slow
def test_audit__small__meets_its_bounds() -> None:
    """Sato covered 91.5 % where splits and effects differ."""
    assert [figure.what for figure in strata_variance.figures(0.15)[:3] if figure.met is False] == []
