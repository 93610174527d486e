"""Proposed by default: is a test adjusted because earlier users said so as safe, and as much smaller, as promised?

    .venv/bin/python -m benchmarks.causes.default_adjustment --write docs/default_adjustment.md

Each run has users of two periods. Of the earlier ones the product says how much of the outcome is known before
(`experiments.plan.cupac`), and whether the adjusted comparison is proposed; the later ones are an experiment without an
effect, read as proposed. The exit code is 1 where a promise is broken.
"""

import sys
from dataclasses import dataclass
from datetime import date
from math import sqrt
from typing import Any

import numpy as np

from benchmarks.frame import filled, in_django, options_of, show, table, workers
from stats.results import computable
from stats.summaries import Joint

RUNS, SEED, ALPHA = 5_000, 20261202, 0.05
LEAST, MOST, CLOSE = 0.044, 0.056, 0.02  # of false alarms; and how near the saving must be, in shares of users
EARLIER, NEWEST, USERS = 4_500, 1_500, 4_000
CHANNELS = (0.4, 0.3, 0.2, 0.1)
BY_CHANNEL, BY_DAYS = np.array([-0.5, -0.1, 0.4, 1.5]), 0.9
# How strongly what is known before goes with the outcome; 0: not at all.
WEIGHTS = (0.0, 0.09, 0.106, 0.14, 0.2)

type Rng = np.random.Generator
type Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class People:
    """Channel (0 to 3), active days among the 14 before (0 to 14), and the outcome (0 or 1) of each user."""

    channel: Numbers
    days: Numbers
    stayed: Numbers


def people(n: int, weight: float, rng: Rng) -> People:
    channel = rng.choice(4, n, p=CHANNELS)
    days = rng.binomial(14, rng.beta(1.2, 2.0, n))
    chance = 0.4 + weight * (BY_CHANNEL[channel] + BY_DAYS * (days - 5.25) / 3.8)
    return People(channel, days, (rng.random(n) < np.clip(chance, 0.01, 0.99)).astype(float))


def earlier_of(users: People) -> Any:
    """The earlier users in cells, as the warehouse counts them: the last ones are the newest."""
    from experiments.plan.cupac import Earlier
    from experiments.plan.record import DAYS_BEFORE

    newest = (np.arange(len(users.days)) >= EARLIER).astype(int)
    keys = np.stack([users.channel, users.days, newest])
    cells, place = np.unique(keys, axis=1, return_inverse=True)
    n = np.bincount(place).astype(float)
    means = np.bincount(place, weights=users.stayed) / n
    return Earlier(
        names=("channel", DAYS_BEFORE),
        labels=tuple((f"c{channel}", str(days)) for channel, days in cells[:2].T),
        n=n,
        means=means,
        variances=means * (1 - means) * n / np.maximum(n - 1, 1),
        newest=cells[2],
        share=True,
        first=date(2026, 9, 1),
        last=date(2026, 11, 23),
    )


def run(weight: float, rng: Rng) -> tuple[float, bool, float, float]:
    """p-value of the proposed comparison, whether it is the adjusted one, R2 as promised, users saved as measured."""
    from experiments.plan.cupac import explained, proposes_adjusted
    from experiments.plan.record import Explained, PlannedVariant
    from experiments.plan.record import Plan as PlanRecord
    from stats.adjustment import lin
    from stats.lin import lin_effects_stratified, lin_estimate

    worth = explained(earlier_of(people(EARLIER + NEWEST, weight, rng)))
    if not isinstance(worth, Explained):
        raise TypeError(f"no R2: {worth}")
    arms = (PlannedVariant("control", 0, 5_000), PlannedVariant("nudge", 1, 5_000))
    plan = PlanRecord("e", "e", "h", arms, "integer", 0, ("window:14-20",), USERS, None, 0.02, covariates=("channel",),
                      active_days_before=14)  # fmt: skip
    proposed = proposes_adjusted(plan, worth)
    users, arm = people(USERS, weight, rng), rng.integers(0, 2, USERS)
    known = np.column_stack([users.channel[:, None] == np.arange(1, 4), users.days])
    rows = np.column_stack([users.stayed, known]).astype(float)
    control, variant = (Joint.from_columns(rows[arm == side]) for side in (0, 1))
    adjusted = lin_effects_stratified([(control, variant)], 1)
    plain = lin_effects_stratified([(control.take(0), variant.take(0))], 1)
    reduction = lin(control, variant)
    if not (computable(adjusted) and computable(plain) and computable(reduction)):
        raise TypeError("an experiment of this size has an effect")
    effect = lin_estimate(adjusted if proposed else plain)
    if not computable(effect):
        raise TypeError(f"no effect: {effect}")
    return effect.p_value, proposed, worth.r_squared, float(reduction.variance_reduction)


def measure(job: tuple[float, int]) -> dict[str, float]:
    weight, runs = job
    in_django()
    rng = np.random.default_rng([SEED, round(1_000 * weight)])
    p, proposed, promised, saved = (np.array(column) for column in zip(*(run(weight, rng) for _ in range(runs)),
                                                                      strict=True))  # fmt: skip
    nan = float("nan")
    return {
        "weight": weight,
        "runs": runs,
        "proposed": float(proposed.mean()),
        "alarms": float((p < ALPHA).mean()),
        "promised": float(promised[proposed].mean()) if proposed.any() else nan,
        "saved": float(saved[proposed].mean()) if proposed.any() else nan,
        "true": float(saved.mean()),
    }


def kept(row: dict[str, float]) -> bool:
    luck = 0.0 if row["runs"] >= RUNS else 2 * sqrt(ALPHA * (1 - ALPHA) / row["runs"])
    safe = LEAST - luck <= row["alarms"] <= MOST + luck
    return safe and not abs(row["promised"] - row["saved"]) > CLOSE  # where nothing is proposed nothing is promised


def main() -> None:
    options = options_of(__doc__, runs=RUNS).parse_args()
    with workers(options.processes) as pool:
        rows = list(pool.map(measure, [(weight, options.runs) for weight in WEIGHTS]))
    broken = sum(not kept(row) for row in rows)
    lines = table(
        ("explained, on average", "adjusted comparison proposed", "false alarms", "users saved as promised",
         "users saved as measured", "experiments", "kept"),
        [
            [percent(row["true"]), percent(row["proposed"]), f"{100 * row['alarms']:.2f} %", percent(row["promised"]),
             percent(row["saved"]), f"{int(row['runs']):,}", "yes" if kept(row) else "**no**"]
            for row in rows
        ],
    )  # fmt: skip
    show(filled("default_adjustment", globals(), lines=lines, broken=broken or "none"), options.write)
    sys.exit(bool(broken))


def percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.1f} %"


if __name__ == "__main__":
    main()
