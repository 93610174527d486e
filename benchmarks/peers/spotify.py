"""What spotify-confidence says of the inputs. Runs in its own environment: `spotify.py INPUTS.npz` prints JSON."""

import json
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
from spotify_confidence import ChiSquared, SampleSize, StudentsTTest, ZTest, ZTestLinreg  # noqa: E402
from spotify_confidence.analysis.frequentist.sequential_bound_solver import bounds  # noqa: E402


def main() -> None:
    data = np.load(sys.argv[1])
    frame = pd.DataFrame({name: data[name] for name in ("variant", "retained", "revenue", "before")})
    frame["arm"] = np.where(frame.variant == 1, "nudge", "control")
    sums = pd.DataFrame(
        [
            {
                "arm": arm,
                "n": len(rows),
                "retained": rows.retained.sum(),
                "revenue": rows.revenue.sum(),
                "revenue2": (rows.revenue**2).sum(),
                "before": rows.before.sum(),
                "before2": (rows.before**2).sum(),
                "cross": (rows.revenue * rows.before).sum(),
            }
            for arm, rows in frame.groupby("arm")
        ]
    )
    said: dict[str, float] = {}
    share = ChiSquared(sums, "retained", "n", categorical_group_columns="arm")
    said |= difference("share", share)
    said |= difference("mean", StudentsTTest(sums, "revenue", "revenue2", "n", categorical_group_columns="arm"))
    said |= difference("mean_z", ZTest(sums, "revenue", "revenue2", "n", categorical_group_columns="arm"))
    said |= difference("lift", StudentsTTest(sums, "revenue", "revenue2", "n", categorical_group_columns="arm"), False)
    said |= difference(
        "cuped",
        ZTestLinreg(sums, "revenue", "revenue2", "n", "before", "before2", "cross", categorical_group_columns="arm"),
    )
    said["split.pvalue"] = float(share.sample_ratio_test({"control": 0.5, "nudge": 0.5})[0])
    variance = float(frame.revenue.var())
    said["power_mean.n"] = float(SampleSize.continuous(0.5, variance, power=0.8)[0])
    said["power_share.n"] = float(SampleSize.binomial(0.02, 0.3, power=0.8)[0])
    looks = bounds(np.arange(1, 6) / 5, 0.05, rho=2, ztrun=8, sides=2, max_nints=1000).df["zb"]
    print(json.dumps(said | {f"look.{k}": float(bound) for k, bound in enumerate(looks, 1)}))


def difference(name: str, test: Any, absolute: bool = True) -> dict[str, float]:
    row = test.difference("control", "nudge", absolute=absolute, verbose=True).iloc[0]
    return {
        f"{name}.estimate": float(row["difference"]),
        f"{name}.low": float(row["ci_lower"]),
        f"{name}.high": float(row["ci_upper"]),
        f"{name}.pvalue": float(row["p-value"]),
        f"{name}.se": float(row["std_err"]),
    }


if __name__ == "__main__":
    main()
