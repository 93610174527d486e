"""What gbstats (GrowthBook) says of the inputs. Runs in its own environment: `gb.py INPUTS.npz` prints JSON."""

import json
import sys
from typing import Any

import numpy as np
from gbstats.bayesian.tests import EffectBayesianABTest, EffectBayesianConfig
from gbstats.frequentist.tests import FrequentistConfig, SequentialConfig, SequentialTwoSidedTTest, TwoSidedTTest
from gbstats.models.statistics import (
    ProportionStatistic,
    RatioStatistic,
    RegressionAdjustedStatistic,
    SampleMeanStatistic,
)
from gbstats.utils import check_srm


def main() -> None:
    data = np.load(sys.argv[1])
    arms = [
        {name: data[name][data["variant"] == arm].astype(float) for name in data.files if "_" not in name}
        for arm in (0, 1)
    ]
    share = [ProportionStatistic(n=len(arm["retained"]), sum=arm["retained"].sum()) for arm in arms]
    mean = [mean_of(arm["revenue"]) for arm in arms]
    ratio = [ratio_of(arm) for arm in arms]
    adjusted = [adjusted_of(arm) for arm in arms]
    said: dict[str, float] = {}
    for name, pair in (("share", share), ("mean", mean), ("ratio", ratio), ("cuped", adjusted)):
        said |= result(name, TwoSidedTTest(*pair, FrequentistConfig(difference_type="absolute")))
    said |= result("lift", TwoSidedTTest(*mean, FrequentistConfig(difference_type="relative")))
    planned = SequentialConfig(difference_type="absolute", sequential_tuning_parameter=20_000)
    sequence = SequentialTwoSidedTTest(*mean, planned)
    said |= result("sequence", sequence) | {"sequence.rho_squared": float(sequence.rho) ** 2}
    bayes = EffectBayesianABTest(*mean, EffectBayesianConfig(difference_type="absolute")).compute_result()
    said |= {"bayes.chance": float(bayes.chance_to_win)}
    said["split.pvalue"] = float(check_srm([len(arm["retained"]) for arm in arms], [0.5, 0.5]))
    print(json.dumps(said))


def mean_of(values: np.ndarray) -> SampleMeanStatistic:
    return SampleMeanStatistic(n=len(values), sum=values.sum(), sum_squares=(values**2).sum())


def ratio_of(arm: dict[str, np.ndarray]) -> RatioStatistic:
    return RatioStatistic(
        n=len(arm["orders"]),
        m_statistic=mean_of(arm["orders"]),
        d_statistic=mean_of(arm["sessions"]),
        m_d_sum_of_products=(arm["orders"] * arm["sessions"]).sum(),
    )


def adjusted_of(arm: dict[str, np.ndarray]) -> RegressionAdjustedStatistic:
    return RegressionAdjustedStatistic(
        n=len(arm["revenue"]),
        post_statistic=mean_of(arm["revenue"]),
        pre_statistic=mean_of(arm["before"]),
        post_pre_sum_of_products=(arm["revenue"] * arm["before"]).sum(),
        theta=0,
    )


def result(name: str, test: Any) -> dict[str, float]:
    found = test.compute_result()
    return {
        f"{name}.estimate": float(found.expected),
        f"{name}.low": float(found.ci[0]),
        f"{name}.high": float(found.ci[1]),
        f"{name}.pvalue": float(found.p_value),
        f"{name}.se": float(found.uplift.stddev),
    }


if __name__ == "__main__":
    main()
