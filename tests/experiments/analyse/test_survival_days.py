"""Time to churn through the product's own path, from events to the curve, against its formula."""

import pytest

from stats.results import computable
from stats.survival.kaplan_meier import kaplan_meier
from stats.survival.rmst import restricted_mean
from tests.experiments.analyse.survival_log import measured
from tests.marks import first_in_ci

# A unit is active every day up to its last one. Looks after so many days; signups take 28, so that day 26 rests on the
# oldest units alone at the interim look.
CHURN, LOOKS = 0.06, {"final": 62, "interim": 41}


def truth(day: int) -> float:
    """Share of units that are active after this day."""
    return float((1 - CHURN) ** (day + 1))


def true_mean(horizon: int) -> float:
    """Mean of the first `horizon` days that a unit stays."""
    return sum(truth(day) for day in range(horizon))


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
