"""What Insight says of the inputs. Runs in Insight's own environment: `ours.py INPUTS.npz` prints JSON."""

import json
import sys
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
from benchmarks.ratio_of_sums import ratio_difference
from stats import adjustment, bayes, compare
from stats.power import sample_size
from stats.power.family_and_looks import Plan
from stats.sequential import boundaries
from stats.sequential.looks import Look, at_look
from stats.srm import sample_ratio
from stats.summaries import Joint, Mean

COLUMNS = ("retained", "revenue", "orders", "sessions", "before")
PLANNED = 20_000


def main() -> None:
    data = np.load(sys.argv[1])
    arms = [data["variant"] == arm for arm in (0, 1)]
    matrix = np.column_stack([data[name] for name in COLUMNS]).astype(float)
    joint = [Joint.from_columns(matrix[arm]) for arm in arms]
    print(json.dumps(shares(joint, data) | means(joint) | sequences(joint) | powers(matrix[:, 1])))


def shares(joint: list[Joint], data: Any) -> dict[str, float]:
    share = [Mean.from_counts(arm.column(0).successes, arm.n) for arm in joint]
    small = [Mean.from_values(data["small_retained"][data["small_variant"] == arm]) for arm in (0, 1)]
    split = sample_ratio({"control": joint[0].n, "nudge": joint[1].n}, {"control": 1, "nudge": 1})
    return (
        numbers("share", compare.compare_proportions(*share))
        | numbers("share_lift", compare.lift(*share))
        | numbers("exact", compare.compare_proportions(*small))
        | {"split.pvalue": split.p_value}
    )


def means(joint: list[Joint]) -> dict[str, float]:
    mean = [arm.column(1) for arm in joint]
    ratio, cuped = (
        [Joint(arm.n, arm.means[pick], arm.covariance[np.ix_(pick, pick)]) for arm in joint]
        for pick in ([2, 3], [1, 4])
    )
    welch, unpooled = compare.compare_means(*mean), compare.compare_unpooled(*mean)
    return (
        numbers("mean", welch)
        | numbers("mean_z", unpooled)
        | numbers("lift", compare.lift(*mean))
        | numbers("ratio", ratio_difference(*ratio))
        | numbers("cuped", adjustment.cuped(*cuped))
        | their_theta(cuped)
        | {"bayes.chance": bayes.normal_posterior(unpooled.estimate, unpooled.standard_error).chance_better}
    )


def their_theta(arms: list[Joint]) -> dict[str, float]:
    """CUPED as the peers do it, with theta from all units together: to show that nothing else differs."""
    total = (arms[0] + arms[1]).covariance
    theta = total[0, 1] / total[1, 1]
    effect = arms[1].means - arms[0].means
    weights = np.array([1.0, -theta])
    variance = sum(float(weights @ arm.covariance @ weights) / arm.n for arm in arms)
    return {"cuped_theta.estimate": float(weights @ effect), "cuped_theta.se": variance**0.5}


def sequences(joint: list[Joint]) -> dict[str, float]:
    """The confidence sequence with our rho^2 and with GrowthBook's; five looks by our bounds, and their recursion."""
    mean = [arm.column(1) for arm in joint]
    effect = compare.compare_unpooled(*mean)
    units = joint[0].n + joint[1].n
    look = Look(0.05, "always_valid", units=units, planned_units=PLANNED)
    sequence = at_look(compare.compare_unpooled(*mean, alpha=look.nominal_alpha), look)
    # GrowthBook's rho^2: equation 161 of Waudby-Smith et al. instead of Lambert's function.
    theirs = (-2 * np.log(0.05) + np.log(1 - 2 * np.log(0.05))) / PLANNED
    half = boundaries.sequence_multiplier(units, rho_squared=theirs) * effect.standard_error
    looks = boundaries.bounds([k / 5 for k in range(1, 6)])
    return (
        numbers("sequence", sequence)
        | {
            "sequence_rho.low": effect.estimate - half,
            "sequence_rho.high": effect.estimate + half,
            "sequence_rho.pvalue": boundaries.always_valid_p(
                effect.estimate / effect.standard_error, units, rho_squared=theirs
            ),
        }
        | {f"look.{k}": bound for k, bound in enumerate(looks, 1)}
    )


def powers(revenue: np.ndarray) -> dict[str, float]:
    mean = Plan(baseline=float(revenue.mean()), sd=float(revenue.std(ddof=1)))
    share = Plan(baseline=0.3)
    return {
        "power_mean.power": sample_size.power_at(mean, 0.5, (10_000, 10_000)),
        "power_mean.n": ceil(2 * sample_size.sample_size(mean, 0.5).exact),
        "power_share.n": ceil(2 * sample_size.sample_size(share, 0.02).exact),
    }


def numbers(name: str, found: Any) -> dict[str, float]:
    parts = {"estimate": "estimate", "low": "low", "high": "high", "pvalue": "p_value", "se": "standard_error"}
    return {f"{name}.{key}": getattr(found, field) for key, field in parts.items() if hasattr(found, field)}


if __name__ == "__main__":
    main()
