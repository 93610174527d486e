"""Discovery over many events, and what it finds in the simulated worlds.

    .venv/bin/python benchmarks/discovery.py speed --users 1000000
    .venv/bin/python benchmarks/discovery.py worlds
    .venv/bin/python benchmarks/discovery.py noise

`speed`: seconds of wall clock and processor per step, beside a plain scan, DuckDB's bare grouped count and pandas on a
tenth. `worlds`: step evidence over many seeds. `noise`: family-wise false alarms of both nulls, and of outcomes that
are shuffled within strata, where 5 % must come out.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

EVENTS_PER_USER, BEHAVIOURS, SIGNUP_DAYS = 50, 50, 56
DAYS, TIMES, RETENTION = (1, 3, 7), 20, "window:14-20"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "worlds", "noise"], nargs="?", default="speed")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--seeds", type=int)
    options = parser.parse_args()
    if options.what == "speed":
        with tempfile.TemporaryDirectory(prefix="insight-bench-") as folder:
            speed(Path(folder), options.users)
    elif options.what == "worlds":
        worlds(options.seeds)
    else:
        noise(options.seeds or 1_000)


def speed(folder: Path, users: int) -> None:
    import duckdb
    from django.conf import settings

    os.environ["DJANGO_SETTINGS_MODULE"] = "insight_site.settings"
    import django

    django.setup()
    settings.EVENTS_URL = str(folder / "store")
    events = users * EVENTS_PER_USER
    timed("make events", lambda: make_store(folder, users))
    print(f"{events:,} events, {users:,} users; {os.cpu_count()} cores, duckdb {duckdb.__version__}")
    from events import warehouse

    with warehouse.connect() as house:
        sql = house.backend.raw_sql
        timed("plain scan of one column", lambda: sql("SELECT count(DISTINCT event) FROM stored").fetchall())
        bare = "SELECT count(*) FROM (SELECT user_id, event, count(*) FROM stored GROUP BY ALL)"
        _, floor = timed("bare grouped count", lambda: sql(bare).fetchall())
        ours = study(house)
    print(f"{'grid against bare grouped count':36} {ours / floor:8.2f} times")
    print(f"{'peak memory':36} {peak_mb():8,.0f} MB")
    tenth = pandas_grid(folder / "part.parquet", users // 10)
    print(f"{'grid against pandas, per event':36} {tenth * 10 / ours:8.1f} times as fast")


def make_store(folder: Path, users: int) -> None:
    """Users who sign up over eight weeks and thin out with age, as the store's files; part.parquet holds a tenth."""
    import duckdb
    import pyarrow as pa
    from deltalake import Schema, convert_to_deltalake

    sql = f"""SELECT md5(concat('u', i % {users})) AS user_id,
        CASE WHEN i < {users} THEN 'signup' ELSE concat('event_', hash(i) % {BEHAVIOURS}) END AS event,
        TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_microseconds(CAST(
            (hash(i % {users}, 1) % 86400000)::BIGINT * {SIGNUP_DAYS} * 1000
            + CASE WHEN i < {users} THEN 0 ELSE pow((hash(i, 2) % 1000000) / 1e6, 3) * 34 * 86400e6 END AS BIGINT))
            AS time,
        '{{}}' AS properties, CAST(i AS VARCHAR) AS message_id, TIMESTAMPTZ '2026-04-15 00:00:00+00' AS received_at,
        i % {users} < {users // 10} AS part
        FROM range({users * EVENTS_PER_USER}) r(i)"""
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    engine.execute(
        f"""COPY (SELECT * EXCLUDE (part), time::DATE AS event_date FROM ({sql})) TO '{folder / "store"}'
            (FORMAT parquet, PARTITION_BY (event_date), WRITE_PARTITION_COLUMNS false)"""
    )
    convert_to_deltalake(
        str(folder / "store"),
        partition_by=Schema.from_arrow(pa.schema([("event_date", pa.date32())])),
        partition_strategy="hive",
    )
    engine.execute(f"COPY (SELECT user_id, event, time FROM ({sql}) WHERE part) TO '{folder / 'part.parquet'}'")


def basis_of(house: Any) -> Any:
    """How days are counted in the events of a warehouse, and where its data end."""
    from events.counting import queries
    from events.counting.unit_values import Basis
    from events.windows import Clock, data_end

    clock = Clock()
    span = house.run(queries.span(house.events, clock)).iloc[0]
    return Basis(clock, data_end(span.newest.to_pydatetime(), clock), dialect=house.dialect)


def study(house: Any) -> float:
    """A whole study; returns the seconds of the exact grid, which all users enter."""
    import ibis
    import numpy as np
    import pyarrow as pa

    from aha.study import queries as questions
    from aha.study.cell_metrics import describe
    from aha.study.choice import choose
    from aha.study.grid import cells_of_histogram, count_cells, levels
    from aha.study.hold_out import split
    from aha.study.null import grid_null
    from aha.study.step import step_evidence
    from events.metrics import parse_behaviour, parse_retention
    from tests.aha.make import UNIT_COLUMNS

    basis = basis_of(house)
    everyone = questions.units(house.events, basis, signup="signup", definition=parse_retention(RETENTION))
    answer, _ = timed("units and their retention", lambda: house.arrow(everyone))
    eligible = answer.filter(answer["mature"])
    eligible = eligible.append_column("unit", pa.array(np.arange(eligible.num_rows, dtype=np.int32)))
    users = ibis.memtable(eligible.select(list(UNIT_COLUMNS)))
    listed = [parse_behaviour(f"event_{number}") for number in range(BEHAVIOURS)]
    names, times = [str(one) for one in listed], [tuple(range(1, TIMES + 1))] * BEHAVIOURS
    retained = eligible["retained"].to_numpy() > 0

    def grid() -> Any:
        question = questions.histogram(house.events, users, basis, days=DAYS, cap=TIMES, behaviours=listed)
        rows = house.arrow(question).to_pydict()
        return cells_of_histogram(
            rows, behaviours=names, days=DAYS, times=times, units=retained.size, retained=int(retained.sum())
        )

    begun = time.perf_counter()
    cells, seconds = timed("exact grid of everybody", grid)
    timed("metrics and intervals of all cells", lambda: describe(cells, rng=np.random.default_rng(1)))
    table = sample_table(house, basis, eligible, listed)
    rng = np.random.default_rng(1)
    sorted_units, _ = timed("levels of the sample", lambda: levels(table, times))
    timed("cells of the sample", lambda: count_cells(sorted_units, table.retained))
    timed("null, 1,000 shuffles", lambda: grid_null(table, sorted_units, rng=rng))
    timed("null of equally active users", lambda: grid_null(table, sorted_units, rng=rng, by_activity=True))
    parts = split(table)
    train = table.take(parts.train)
    timed("choice, 500 replicates", lambda: choose(train, levels(train, times), rng=rng))
    timed("steps, 499 replicates", lambda: step_evidence(table.take(parts.for_steps), times, rng=rng))
    print(f"{'whole study':36} {time.perf_counter() - begun:8.2f} s without the units")
    return seconds


def sample_table(house: Any, basis: Any, eligible: Any, listed: list[Any]) -> Any:
    """The feature table of the study's sample."""
    import ibis
    import numpy as np
    import pyarrow as pa

    from aha.study import queries as questions
    from aha.study.grid import build_table
    from aha.study.hold_out import sample
    from tests.aha.make import UNIT_COLUMNS

    chosen = sample(eligible["user_id"].to_numpy(zero_copy_only=False), b"benchmark")
    few = eligible.take(pa.array(chosen)).drop_columns(["unit"])
    few = few.append_column("unit", pa.array(np.arange(chosen.size, dtype=np.int32)))
    some = ibis.memtable(few.select(list(UNIT_COLUMNS)))
    counts, _ = timed(
        "matrix of the sample",
        lambda: house.arrow(questions.unit_counts(house.events, some, basis, days=DAYS, behaviours=listed)),
    )
    active, _ = timed(
        "active days of the sample", lambda: house.arrow(questions.active_days(house.events, some, basis, days=DAYS))
    )
    ids = few["user_id"].to_numpy(zero_copy_only=False)
    place = {name: number for number, name in enumerate(ids)}
    days = np.zeros((ids.size, len(DAYS)), dtype=np.int64)
    rows = [place[name] for name in active["user_id"].to_pylist()]
    days[rows] = np.column_stack([active[f"active_{y}"].to_numpy() for y in DAYS])
    return build_table(
        behaviours=[str(one) for one in listed],
        days=DAYS,
        unit_ids=ids,
        retained=few["retained"].to_numpy(),
        week=few["anchor"].to_numpy().astype("datetime64[W]").astype(np.int64),
        active_days=days,
        rows=(
            counts["unit"].to_numpy(),
            counts["behaviour"].to_numpy(zero_copy_only=False),
            np.column_stack([counts[f"n_{y}"].to_numpy() for y in DAYS]),
        ),
    )


def pandas_grid(path: Path, users: int) -> float:
    """The same grid in plain pandas on a tenth of the users: seconds."""
    import pandas as pd

    def run() -> None:
        log = pd.read_parquet(path)
        signup = log[log.event == "signup"].set_index("user_id").time
        log["day"] = (log.time - log.user_id.map(signup)) // pd.Timedelta(days=1)
        kept = set(log.user_id[log.day.between(14, 20)])
        log = log[(log.event != "signup") & (log.day < max(DAYS))]
        stayed = pd.Series({name: name in kept for name in signup.index})
        for days in DAYS:
            counts = log[log.day < days].groupby(["event", "user_id"]).size().reset_index(name="n")
            counts["stayed"] = counts.user_id.map(stayed)
            for z in range(1, TIMES + 1):
                counts[counts.n >= z].groupby("event").stayed.agg(["size", "sum"])

    return timed(f"pandas, {users:,} users", run)[1]


def worlds(seeds: int | None) -> None:
    """Where the step is found, and how often a jump is claimed where there is none."""
    import numpy as np

    from aha.study.choice import choose
    from aha.study.grid import levels, thresholds
    from aha.study.hold_out import split
    from aha.study.step import StepVerdict, step_evidence
    from events.simulation import WORLDS, simulate
    from events.simulation.worlds import NEGATIVE_CONTROLS
    from tests.aha.make import table_of_world

    for world, usual in (("step", 20), ("no_effect", 40), ("smooth", 20), ("forced", 5)):
        found: Counter[str] = Counter()
        for seed in range(seeds or usual):
            table = table_of_world(simulate(WORLDS[world], 20_000, seed))
            table = table.only([name for name in table.behaviours if name not in NEGATIVE_CONTROLS])
            times = thresholds(table, 10)
            parts = split(table)
            train = table.take(parts.train)
            pick = choose(train, levels(train, times), rng=np.random.default_rng(2))["friend_add"].recommended
            found["friend_add 3 in 7 recommended by J"] += (pick.days, pick.times) == (7, 3)
            steps = step_evidence(table.take(parts.for_steps), times, rng=np.random.default_rng(3))
            jumps = [step for step in steps if step.verdict is StepVerdict.JUMP]
            found["a jump of any behaviour"] += bool(jumps)
            friend = steps[0]
            found[f"friend_add {friend.verdict}"] += 1
            found["friend_add jump at 3 in 7"] += (friend in jumps) and (friend.days, friend.times) == (7, 3)
        print(f"{world}, {seeds or usual} seeds: " + "; ".join(f"{k} {v}" for k, v in found.items()), flush=True)


def noise(seeds: int) -> None:
    """Share of seeds with any adjusted p <= .05 in the noise world, and with outcomes shuffled within strata."""
    from dataclasses import replace

    import numpy as np

    from aha.study.grid import levels, thresholds
    from aha.study.null import grid_null
    from events.simulation import WORLDS, simulate
    from tests.aha.make import table_of_world

    alarms: Counter[str] = Counter()
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        table = table_of_world(simulate(WORLDS["noise"], 2_000, seed), (1, 3, 7))
        grid = levels(table, thresholds(table, 10))
        for by_activity in (False, True):
            strata = table.strata(active_within=7 if by_activity else None)
            shuffled = table.retained.copy()
            for stratum in range(strata.max() + 1):
                mine = np.flatnonzero(strata == stratum)
                shuffled[mine] = rng.permutation(shuffled[mine])
            name = "equally active" if by_activity else "cohort"
            for kind, one in ((f"{name}", table), (f"{name}, shuffled", replace(table, retained=shuffled))):
                null = grid_null(one, grid, rng=rng, by_activity=by_activity, permutations=199)
                alarms[kind] += null.smallest_p <= 0.05
        if (seed + 1) % 100 == 0:
            print(f"{seed + 1} seeds: " + "; ".join(f"{k} {v / (seed + 1):.3f}" for k, v in alarms.items()), flush=True)


def timed(name: str, job: Callable[[], Any]) -> tuple[Any, float]:
    """The job's result and its seconds of wall clock, which are printed beside those of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    answer = job()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(f"{name:36} {wall:8.2f} s wall {processor:8.2f} s processor", flush=True)
    return answer, wall


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
