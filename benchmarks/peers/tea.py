"""What tea-tasting says of the inputs. Runs in its own environment: `tea.py INPUTS.npz` prints JSON."""

import json
import sys

import numpy as np
import pyarrow as pa
import tea_tasting as tt


def main() -> None:
    data = np.load(sys.argv[1])
    table = pa.table({name: data[name] for name in ("variant", "retained", "revenue", "sessions", "orders", "before")})
    small = pa.table({name: data[f"small_{name}"] for name in ("variant", "retained")})
    print(json.dumps(comparisons(table) | small_counts(small) | powers(table)))


def comparisons(table: pa.Table) -> dict[str, float]:
    welch = {"equal_var": False, "use_t": True}
    normal = {"equal_var": False, "use_t": False}
    found = tt.Experiment(
        share=tt.Proportion("retained", method="norm", correction=False),
        share_as_shipped=tt.Proportion("retained"),
        share_unpooled=tt.Proportion("retained", method="norm", correction=False, equal_var=False),
        mean=tt.Mean("revenue", **welch),
        mean_normal=tt.Mean("revenue", **normal),
        ratio=tt.RatioOfMeans("orders", "sessions", **normal),
        ratio_as_shipped=tt.RatioOfMeans("orders", "sessions"),
        cuped=tt.Mean("revenue", "before", **normal),
        split=tt.SampleRatio(correction=False),
        split_as_shipped=tt.SampleRatio(),
    ).analyze(table, control=0)
    said: dict[str, float] = {}
    for name in found:
        said |= {f"{name}.{key}": float(value) for key, value in found[name]._asdict().items()}
    return said


def small_counts(table: pa.Table) -> dict[str, float]:
    found = tt.Experiment(
        exact=tt.Proportion("retained", method="boschloo"), exact_as_shipped=tt.Proportion("retained")
    ).analyze(table, control=0)
    return {f"{name}.pvalue": float(found[name].pvalue) for name in found}


def powers(table: pa.Table) -> dict[str, float]:
    said = {}
    for name, use_t in (("power_t", True), ("power_z", False)):
        metric = tt.Mean("revenue", equal_var=True, use_t=use_t, effect_size=0.5, n_obs=20_000, power=0.8)
        said[f"{name}.power"] = metric.solve_power(table, "power")[0].power
        said[f"{name}.n"] = metric.solve_power(table, "n_obs")[0].n_obs
    return said


if __name__ == "__main__":
    main()
