"""Time to churn in whole days: does the product's own path, from events to the curve, give the true survival?"""

import os

import django

from benchmarks.audit_04.figure import Figure
from stats.results import computable
from stats.survival.kaplan_meier import Durations, kaplan_meier
from stats.survival.rmst import restricted_mean

TITLE = "Survival in whole days"
TEXT = """A world with a churn of 6 % a day: each unit is active every day up to its last one, and P(last day > d) =
.94^(d+1). Signups over 28 days, a gap of 7 days. The log goes through `experiments.analyse.gather.gather.gather` on
DuckDB (days as bits) and through `events.counting.queries.survival_times`; then Kaplan-Meier and the restricted mean
up to day 26. Final: the youngest unit has 35 complete days. Interim: units have 14 to 41, so day 26 rests on the
oldest alone.
Censored one day too late, as in version 0.3, this interim look gives .203 on day 26. Source:
docs/methods/retention.md, "Time to churn"."""

CHURN, HORIZON = 0.06, 26
SHOWN = (14, 20, 26)
LOOKS = {"final": 62, "interim": 41}


def figures(size: float = 1.0) -> list[Figure]:
    """Curves and restricted means at both looks. `size` 1.0: 400,000 units."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insight_site.settings")
    django.setup()  # no database is touched
    from tests.experiments.analyse.survival_log import measured

    units = round(400_000 * size)
    found = []
    for look, days in LOOKS.items():
        for path, durations in measured(units, days, churn=CHURN).items():
            found += _figures(f"{look}, {path}", units, durations)
    return found


def truth(day: int) -> float:
    """Share of units that are active after this day."""
    return float((1 - CHURN) ** (day + 1))


def true_mean(horizon: int) -> float:
    """Mean of the first `horizon` days that a unit stays."""
    return sum(truth(day) for day in range(horizon))


def _figures(where: str, units: int, durations: Durations) -> list[Figure]:
    curve = kaplan_meier(durations)
    mean = restricted_mean(durations, tau=HORIZON)
    assert computable(curve), curve
    assert computable(mean), mean
    shares = {day: max(step.time for step in curve.steps if step.time <= day) for day in SHOWN}
    by_time = {step.time: step.survival for step in curve.steps}
    seen = {day: by_time[time] for day, time in shares.items()}
    rows = [
        Figure(
            f"S({day}), {where}",
            f"within .003 of {truth(day):.4f}",
            f"{seen[day]:.4f} ({units:,} units)",
            abs(seen[day] - truth(day)) <= 0.003,
        )
        for day in SHOWN
    ]
    true = true_mean(HORIZON)
    text = f"{mean.estimate:.3f} ± {mean.standard_error:.3f} days ({units:,} units)"
    rows.append(
        Figure(
            f"mean stay in the first {HORIZON} days, {where}",
            f"within .02 of {true:.2f} days",
            text,
            abs(mean.estimate - true) <= 0.02,
        )
    )
    return rows
