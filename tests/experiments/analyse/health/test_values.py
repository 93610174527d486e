"""A file's values: each check at its threshold and just beyond."""

import numpy as np
import pytest

from experiments.analyse.codes import Severity
from experiments.analyse.health.values import check_variation
from experiments.plan.design import Kind, Outcome
from tests.experiments.analyse.health.make_context import findings, of_file, units


@pytest.mark.parametrize(("n", "severity"), [(49, Severity.INFO), (50, Severity.WARNING)])
def test_missing_values__five_percent_is_a_warning(n: int, severity: Severity) -> None:
    found = findings(units((500, 500), missing={"kept": (n - n // 2, n // 2)}))

    assert found["missing_values"].severity is severity


def test_missing_values__far_more_in_one_arm__says_so() -> None:
    # Chi-square of 10/500 against 40/500 is 18.9 (p 1e-5); of 20 against 40 it is 7.1 (p .008).
    assert "missing_differs" in findings(units((500, 500), missing={"kept": (10, 40)}))
    assert "missing_differs" not in findings(units((500, 500), missing={"kept": (20, 40)}))


@pytest.mark.parametrize(("value", "flagged"), [(5.6, True), (4.8, False)])
def test_outlier__a_fifth_of_the_variance(value: float, flagged: bool) -> None:
    # 100 values of +-1 and one x: its share of the squares is about x^2/(100+x^2), 0.2 at x = 5.
    values = np.concatenate([np.tile([1.0, -1.0], 50), [value], np.tile([1.0, -1.0], 50)])
    data = units((101, 100), outcomes=(Outcome("rounds", Kind.MEAN, values),))

    assert ("outlier" in findings(data)) == flagged


def test_no_variation__named_per_variant() -> None:
    data = units((100, 100), outcomes=(Outcome("kept", Kind.PROPORTION, np.repeat([0.0, 1.0], 100)),))

    assert [finding.details for finding in check_variation(of_file(data))] == [
        {"column": "kept", "variant": "a", "value": 0.0},
        {"column": "kept", "variant": "b", "value": 1.0},
    ]
