"""Time to churn through the product's own path against its formula: a small version of benchmarks/audit."""

import pytest

from benchmarks.audit.survival_days import CHURN, LOOKS, figures, true_mean, truth
from stats.results import computable
from stats.survival.kaplan_meier import kaplan_meier
from stats.survival.rmst import restricted_mean
from tests.experiments.analyse.survival_log import measured
from tests.marks import first_in_ci


def test_truth__six_percent_a_day__is_that_of_the_audit() -> None:
    assert [round(truth(day), 4) for day in (14, 20, 26)] == [0.3953, 0.2727, 0.1881]
    assert round(true_mean(26), 2) == 12.53


@pytest.mark.slow
@pytest.mark.parametrize(("users", "near"), first_in_ci([(10_000, 0.02), (40_000, 0.01)]))
@pytest.mark.parametrize("look", LOOKS)
def test_survival__whole_days__is_true_at_every_look(look: str, users: int, near: float) -> None:
    """Censored on day K - g, as 0.3 did, the interim look gives .203 on day 26."""
    for durations in measured(users, LOOKS[look], churn=CHURN).values():
        curve, mean = kaplan_meier(durations), restricted_mean(durations, tau=26)
        assert computable(curve)
        assert computable(mean)
        assert next(step.survival for step in curve.steps if step.time == 26) == pytest.approx(truth(26), abs=near)
        assert mean.estimate == pytest.approx(true_mean(26), abs=4 * mean.standard_error)


@pytest.mark.slow
@pytest.mark.proof
def test_figures__of_the_audit__are_met() -> None:
    assert [row.what for row in figures() if row.met is False] == []
