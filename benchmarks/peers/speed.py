"""The same five metrics by both libraries in one process, taking turns on one Arrow table in memory; prints JSON.

Runs in tea-tasting's environment: the statistics of Insight are pure and need NumPy and SciPy only. Each turn begins
with the table and ends with estimates, intervals and p-values, so aggregation is part of it.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tea_tasting as tt

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
from benchmarks.ratio_of_sums import ratio_difference
from stats import adjustment, compare
from stats.srm import sample_ratio
from stats.summaries import Joint

COLUMNS = ("retained", "revenue", "orders", "sessions", "before")
PEER = tt.Experiment(
    share=tt.Proportion("retained", method="norm", correction=False),
    mean=tt.Mean("revenue"),
    ratio=tt.RatioOfMeans("orders", "sessions"),
    cuped=tt.Mean("revenue", "before"),
    split=tt.SampleRatio(correction=False),
)


def main() -> None:
    path, rounds = sys.argv[1], int(sys.argv[2])
    data = np.load(path)
    table = pa.table({name: data[name] for name in ("variant", *COLUMNS)})
    jobs: dict[str, Callable[[pa.Table], Any]] = {"ours": ours, "tea": theirs}
    try:
        import polars as pl
    except ImportError:
        pass
    else:
        frame = pl.from_arrow(table)
        jobs["tea, polars"] = lambda _: theirs(frame)
    for job in jobs.values():
        job(table)
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(rounds):
        for name in list(jobs)[:: 1 if turn % 2 else -1]:
            begun = time.process_time()
            jobs[name](table)
            seconds[name].append(time.process_time() - begun)
    print(json.dumps(seconds))


def ours(table: pa.Table) -> tuple[Any, ...]:
    variant = table["variant"].to_numpy()
    columns = [table[name].to_numpy() for name in COLUMNS]
    control, treated = (
        # Column after column in memory: a unit's values side by side would be gathered from five places.
        Joint.from_columns(np.stack([column[arm] for column in columns]).T)
        for arm in (np.flatnonzero(variant == code) for code in (0, 1))
    )
    share, mean = ((control.column(i), treated.column(i)) for i in (0, 1))
    ratio, cuped = (
        tuple(Joint(arm.n, arm.means[pick], arm.covariance[np.ix_(pick, pick)]) for arm in (control, treated))
        for pick in ([2, 3], [1, 4])
    )
    return (
        compare.compare_proportions(*share),
        compare.lift(*share),
        compare.compare_means(*mean),
        compare.lift(*mean),
        ratio_difference(*ratio),
        adjustment.cuped(*cuped),
        sample_ratio({"control": control.n, "nudge": treated.n}, {"control": 1, "nudge": 1}),
    )


def theirs(data: Any) -> Any:
    return PEER.analyze(data, control=0)


if __name__ == "__main__":
    main()
