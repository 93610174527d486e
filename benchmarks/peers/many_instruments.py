"""What ivmodels says of many experiments that moved one behaviour: the rows of tests/reference/pooling.json.

Runs in an environment of its own that holds `ivmodels==0.10.0` and NumPy:

    python benchmarks/peers/many_instruments.py tests/reference/pooling.json

ivmodels takes units: instruments are dummies of the nudged arms, dummies of the experiments are covariates. It
estimates one covariance of outcome and behaviour for all groups. Beside its answers the file holds what Insight takes:
each arm's two effects and that one covariance. No number of the file was made by Insight.
"""

import json
import sys
from pathlib import Path
from typing import Any

import ivmodels
import numpy as np
from ivmodels import KClass
from ivmodels.tests import (
    anderson_rubin_test,
    conditional_likelihood_ratio_test,
    inverse_anderson_rubin_test,
    inverse_conditional_likelihood_ratio_test,
    j_test,
)

EFFECTS = (-1.0, 0.0, 0.1, 0.15, 0.4, 3.0)
# Experiments, units of each group, arms beside control, first stage, direct effect in a quarter, seed.
CASES = {
    "strong": (8, 400, 1, 0.15, 0.0, 1),
    "many weak": (20, 150, 1, 0.05, 0.0, 2),
    "no first stage": (5, 200, 1, 0.0, 0.0, 3),
    "nudges disagree": (12, 500, 1, 0.12, 0.3, 4),
    "arms share a control": (5, 250, 3, 0.12, 0.0, 5),
    "direct effect alone": (4, 300, 1, 0.02, 0.9, 8),
    "two": (2, 200, 1, 0.12, 0.0, 6),
    "one": (1, 300, 1, 0.2, 0.0, 7),
}
EFFECT = 0.15


def main() -> None:
    rows = {name: case(*parameters) for name, parameters in CASES.items()}
    source = "ivmodels 0.10.0 (Londschien and Buehlmann 2024), benchmarks/peers/many_instruments.py"
    assert hasattr(ivmodels, "KClass")
    Path(sys.argv[1]).write_text(json.dumps({"source": source, "cases": rows}, indent=1) + "\n", encoding="utf-8")


def case(experiments: int, units: int, arms: int, first: float, direct: float, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    group = [(j, a) for j in range(experiments) for a in range(arms + 1) for _ in range(units + 37 * (j % 3) + 11 * a)]
    experiment, arm = np.array(group).T
    strength = rng.uniform(0.3, 1.7, (experiments, arms + 1)) * first
    engagement = rng.normal(size=len(group))
    moved = np.where(arm > 0, strength[experiment, arm], 0.0)
    d = (rng.random(len(group)) < np.clip(0.3 + 0.1 * engagement + moved, 0, 1)).astype(float)
    own = np.where((experiment < experiments / 4) & (arm > 0), direct, 0.0)
    r = EFFECT * d + own + 0.3 * engagement + rng.normal(size=len(group)) + 0.2 * experiment
    nudges = [(j, a) for j in range(experiments) for a in range(1, arms + 1)]
    z = np.column_stack([(experiment == j) & (arm == a) for j, a in nudges]).astype(float)
    c = np.column_stack([experiment == j for j in range(1, experiments)]).astype(float) if experiments > 1 else None
    return moments(r, d, experiment, arm, nudges) | answers(z, d[:, None], r, c)


def moments(r: Any, d: Any, experiment: Any, arm: Any, nudges: list[tuple[int, int]]) -> dict[str, Any]:
    """Effects of each arm, sizes, and the covariance within groups that ivmodels pools."""
    both = np.column_stack([r, d])
    groups = {(j, a): both[(experiment == j) & (arm == a)] for j, a in set(zip(experiment, arm, strict=True))}
    within = sum((rows - rows.mean(axis=0)).T @ (rows - rows.mean(axis=0)) for rows in groups.values())
    covariance = within / (len(r) - len(groups))
    rows = [
        {
            "experiment": int(j),
            "itt": float(gap[0]),
            "first_stage": float(gap[1]),
            "n_control": len(groups[j, 0]),
            "n_variant": len(groups[j, a]),
        }
        for j, a in nudges
        for gap in [groups[j, a].mean(axis=0) - groups[j, 0].mean(axis=0)]
    ]
    return {"v_r": covariance[0, 0], "c_rd": covariance[0, 1], "v_d": covariance[1, 1], "arms": rows}


def answers(z: Any, x: Any, y: Any, c: Any) -> dict[str, Any]:
    k = z.shape[1]
    fit = KClass(kappa="liml").fit(X=x, y=y, Z=z, C=c)
    tests = []
    for b in EFFECTS:
        beta = np.array([b])
        ar = anderson_rubin_test(z, x, y, beta, C=c)
        clr = conditional_likelihood_ratio_test(z, x, y, beta, C=c, tol=1e-10)
        tests.append(
            {"effect": b, "ar": float(ar[0]) * k, "ar_p": float(ar[1]), "lr": float(clr[0]), "lr_p": float(clr[1])}
        )
    statistic, p_value = j_test(z, x, y, C=c, estimator="liml") if k > 1 else (0.0, 1.0)
    return {
        "liml": float(fit.coef_[0]),
        "over_identification": float(statistic),
        "over_identification_p": float(p_value),
        "tests": tests,
        "ar_set": pieces(inverse_anderson_rubin_test(z, x, y, alpha=0.05, C=c)),
        "lr_set": pieces(inverse_conditional_likelihood_ratio_test(z, x, y, alpha=0.05, C=c, tol=1e-9, max_eval=1_000)),
    }


def pieces(found: Any) -> list[list[float | None]]:
    """Intervals of a confidence set; None is an unbounded side."""
    if not hasattr(found, "boundaries"):
        found = ivmodels.confidence_set.ConfidenceSet.from_quadric(found)
    return [[float(x) if np.isfinite(x) else None for x in piece] for piece in sorted(found.boundaries)]


if __name__ == "__main__":
    main()
