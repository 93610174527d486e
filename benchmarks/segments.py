"""Segmentation at scale and on the worlds with known truth.

    .venv/bin/python benchmarks/segments.py scale --units 1000000   # made-up counts, 30 behaviours, both reductions
    .venv/bin/python benchmarks/segments.py scale --method umap          # the dearer path
    .venv/bin/python benchmarks/segments.py scale --units 1000000   # made-up counts, 30 behaviours
    .venv/bin/python benchmarks/segments.py scale --method umap     # the dearer path
    .venv/bin/python benchmarks/segments.py question --units 100000      # the feature question on a simulated log
    .venv/bin/python benchmarks/segments.py worlds                       # planted_groups x 5, blob x 20 (half an hour)

Seconds are processor time of the process unless said; the machine may do other work.
"""

import argparse
import os
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["scale", "question", "worlds"])
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--behaviours", type=int, default=30)
    parser.add_argument("--method", choices=["pca", "umap"])
    parser.add_argument("--seeds", type=int, default=20, help="of blob; planted_groups takes a quarter of them")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    if options.what == "scale":
        for units in (options.units // 10, options.units):
            scale(units, options.behaviours, options.method)
    elif options.what == "question":
        question(options.units)
    else:
        worlds(options.seeds)


def scale(units: int, behaviours: int, method: str | None) -> None:
    """A made-up matrix of four groups; the first 20,000 units cost a compile of UMAP once per process."""
    import numpy as np

    from segments.search.features import UnitTable
    from segments.search.reduction import Method, embed_umap
    from segments.search.segmentation import Options, segment

    embed_umap(np.random.default_rng(1).standard_normal((300, 5)), seed=1)  # compiles
    rng = np.random.default_rng(units)
    rates = rng.gamma(1.0, 0.6, size=(4, behaviours))
    days = rng.integers(3, 14, units).astype(np.float64)
    counts = rng.poisson(rates[rng.integers(0, 4, units)] * days[:, None]).astype(np.float64)
    ids = np.arange(units).astype(str).astype(object)
    names = tuple(f"behaviour_{number}" for number in range(behaviours))
    table = UnitTable(ids, names, counts, days, days, days + 20, np.zeros(units))
    outcome = rng.integers(0, 2, units).astype(np.float64)
    spent = {"umap": 0.0}
    _count_umap(spent)
    wall, cpu = time.perf_counter(), time.process_time()
    found = segment(table, outcome=outcome, options=Options(method=None if method is None else Method(method)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"{units:>9,} units x {behaviours}: {cpu:6.1f} s CPU, {wall:6.1f} s wall, UMAP {spent['umap'] / cpu:4.0%}, "
        f"peak {peak_mb():,.0f} MB, method {found.method} ({found.method_reason}), k {found.k}, "
        f"found {found.clusters_found}",
        flush=True,
    )


def _count_umap(spent: dict[str, float]) -> None:
    from segments.search import clustering, reduction

    plain = getattr(reduction.embed_umap, "plain", reduction.embed_umap)

    def counted(*args: object, **options: object) -> object:
        started = time.process_time()
        try:
            return plain(*args, **options)
        finally:
            spent["umap"] += time.process_time() - started

    counted.plain = plain
    reduction.embed_umap = clustering.embed_umap = counted


def question(units: int) -> None:
    """Activity and pattern of a simulated log, and the 10x cost."""
    import ibis

    from events.counting import queries as events_queries
    from events.counting.unit_values import Basis
    from events.metrics import parse_behaviour
    from events.simulation import WORLDS, events_table, simulate
    from events.windows import Clock, Window
    from segments.search import queries
    from segments.search.gather import Counts, Numbers

    for size in (units // 10, units):
        simulation = simulate(WORLDS["planted_groups"], seed=1, units=size)
        engine = ibis.duckdb.connect()
        engine.raw_sql("SET TimeZone = 'UTC'")
        log = engine.create_table("log", events_table(simulation))
        log = log.mutate(time=log.time.cast("timestamp"))
        basis, window = Basis(Clock(), datetime(2030, 1, 1, tzinfo=UTC)), Window(0, 13)
        users = queries.numbered(queries.eligible(events_queries.cohort(log, "signup", basis), window))
        behaviours = [parse_behaviour(item.name) for item in simulation.world.behaviours]
        started = time.perf_counter()
        days = queries.halves(queries.days(log, users, basis, window), users)
        numbers = Numbers.of(engine.to_pyarrow(users))
        engine.to_pyarrow(queries.activity(days))
        middle = time.perf_counter()
        pattern = engine.to_pyarrow_batches(queries.pattern(log, users, basis, window, behaviours, halves=days))
        table = Counts.of(pattern, numbers, len(behaviours)).whole
        print(
            f"{size:>9,} units, {log.count().execute():,} events: activity {middle - started:.1f} s, "
            f"pattern with halves {time.perf_counter() - middle:.1f} s wall; table {table.shape}"
        )


def worlds(seeds: int) -> None:
    """ARI and K on planted groups; how often a cloud is called a cloud."""
    import numpy as np

    from segments.search.clustering import agreement
    from segments.search.segmentation import Options, segment
    from tests.segments.make import world_table

    right = 0
    for world, count in (("planted_groups", max(1, seeds // 4)), ("blob", seeds)):
        for seed in range(1, count + 1):
            table, simulation = world_table(world, seed=seed)
            outcome = 1.0 - simulation.retained.astype(np.float64)
            found = segment(table, outcome=outcome, options=Options(seed=seed))
            known = found.labels >= 0
            ari = agreement(simulation.people.group[known].astype(np.int64), found.labels[known])
            right += world == "blob" and not found.clusters_found
            print(
                f"{world} {seed}: k {found.k} ({found.choice.reason}), {found.method}, ARI {ari:.3f}, stability "
                f"{found.stability.mean_ari:.3f}, p {found.null.p_value:.3f}, found {found.clusters_found}",
                flush=True,
            )
    print(f"blob: no stable clusters in {right} of {seeds} seeds")


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
