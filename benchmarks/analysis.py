"""Everything an analysis asks the warehouse, beside a bare DuckDB join and aggregate of the same exposures and events.

    .venv/bin/python benchmarks/analysis.py                                       # 10 and 100 million
    .venv/bin/python benchmarks/analysis.py --exposures 500000 --events 5000000   # a twentieth

The log is made by a seed as Parquet in a temporary folder: half the arms each, five segments, 60 kinds of events that
thin out over 28 days. Three outcomes: a retention, a count, a sum of a property. The bare query is what an analyst
would write by hand: one row per exposed unit, joined with the log once, means and variances by variant and segment.
`gather` answers that and everything else an analysis reads (survival, curve, behaviour, health). Both run in
turns on the same files; the ratios of the medians of wall clock and processor time are printed (the second hardly
depends on what else runs on the machine), and the moments of both must agree.
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUTCOMES = ("window:14-20", "count:event_1:0-6", "sum:event_2:coins:0-13")
END = datetime(2026, 5, 1, tzinfo=UTC)

BARE = """
WITH met AS (
    SELECT user_id, min(time) AS anchor, arg_min(json_extract_string(properties, '$.variation_id'), time) AS variant,
        arg_min(json_extract_string(properties, '$.segment'), time) AS segment
    FROM log WHERE event = 'Experiment Viewed' AND json_extract_string(properties, '$.experiment_id') = 'x'
    GROUP BY user_id HAVING count(DISTINCT json_extract_string(properties, '$.variation_id')) = 1
), per_unit AS (
    SELECT met.user_id, any_value(variant) AS variant, any_value(segment) AS segment, any_value(anchor) AS anchor,
        max(CASE WHEN event <> 'Experiment Viewed' AND time >= anchor + INTERVAL 14 DAY
            AND time < anchor + INTERVAL 21 DAY THEN 1 ELSE 0 END) AS retained,
        sum(CASE WHEN event = 'event_1' AND time < anchor + INTERVAL 7 DAY THEN 1 ELSE 0 END) AS number,
        sum(CASE WHEN event = 'event_2' AND time < anchor + INTERVAL 14 DAY
            THEN CAST(json_extract_string(properties, '$.coins') AS DOUBLE) ELSE 0 END) AS coins
    FROM met LEFT JOIN log ON log.user_id = met.user_id AND log.time >= met.anchor AND log.time < TIMESTAMP '{end}'
    GROUP BY met.user_id
)
SELECT variant, segment, count(*) AS units,
    avg(retained) FILTER (WHERE anchor <= TIMESTAMP '{end}' - INTERVAL 21 DAY) AS retained,
    var_samp(retained) FILTER (WHERE anchor <= TIMESTAMP '{end}' - INTERVAL 21 DAY) AS retained_var,
    avg(number) FILTER (WHERE anchor <= TIMESTAMP '{end}' - INTERVAL 7 DAY) AS number,
    var_samp(number) FILTER (WHERE anchor <= TIMESTAMP '{end}' - INTERVAL 7 DAY) AS number_var,
    avg(coins) FILTER (WHERE anchor <= TIMESTAMP '{end}' - INTERVAL 14 DAY) AS coins,
    var_samp(coins) FILTER (WHERE anchor <= TIMESTAMP '{end}' - INTERVAL 14 DAY) AS coins_var
FROM per_unit GROUP BY variant, segment ORDER BY variant, segment
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exposures", type=int, default=10_000_000)
    parser.add_argument("--events", type=int, default=100_000_000)
    parser.add_argument("--segments", type=int, default=5)
    parser.add_argument("--runs", type=int, default=3, help="how often each of the two runs, in turns")
    parser.add_argument("--behaviour", action="store_true", help="also ask for an AHA moment and its joint moments")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--memory", default="10GB", help="DuckDB's limit, the same for both; the rest spills")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory(prefix="insight-bench-", dir=options.folder) as folder:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "insight_site.settings", "EVENTS_URL": f"{folder}/store"}
        import django

        django.setup()
        make_log(Path(folder), options)
        compare(Path(folder), options)


def make_log(folder: Path, options: argparse.Namespace) -> None:
    """Exposures and events in the order of time, as a store keeps them."""
    started, con = time.perf_counter(), _connection(folder, options)
    (folder / "log").mkdir()
    units, seed = options.exposures, options.seed
    met = f"TIMESTAMP '2026-03-01' + to_microseconds(CAST(hash(u, {seed}) % 2419200000 AS BIGINT) * 1000)"
    parts = 16
    for part in range(parts):
        con.execute(
            f"""COPY (
            SELECT md5(CAST(u AS VARCHAR)) AS user_id, 'Experiment Viewed' AS event, {met} AS time,
                concat('{{"experiment_id":"x","variation_id":"', ['control', 'nudge'][1 + CAST(u % 2 AS BIGINT)],
                    '","segment":"segment ', hash(u, 5) % {options.segments}, '"}}') AS properties
            FROM range({units * part // parts}, {units * (part + 1) // parts}) AS r(u)
            UNION ALL
            SELECT md5(CAST(u AS VARCHAR)), concat('event_', hash(i, {seed}) % 60),
                {met} + to_microseconds(CAST(pow((hash(i, 2) % 1000000) / 1e6, 2) * 28 * 86400e6 AS BIGINT)),
                concat('{{"coins":', hash(i, 3) % 100, ',"level":', hash(i, 4) % 50, '}}')
            FROM (SELECT i, CAST(hash(i, 7) % {units} AS BIGINT) AS u FROM
                range({options.events * part // parts}, {options.events * (part + 1) // parts}) AS r(i))
            ORDER BY time) TO '{folder}/log/{part:02}.parquet' (FORMAT parquet, COMPRESSION zstd)"""
        )
    size = sum(file.stat().st_size for file in (folder / "log").iterdir())
    con.close()
    print(
        f"{units:,} exposures, {options.events:,} events, {size / 1e9:.2f} GB of Parquet "
        f"made in {time.perf_counter() - started:.0f} s; {os.cpu_count()} cores",
        flush=True,
    )


def compare(folder: Path, options: argparse.Namespace) -> None:
    """Alternating runs of both, each with a connection of its own."""
    wall: dict[str, list[float]] = {"bare": [], "gather": []}
    work: dict[str, list[float]] = {"bare": [], "gather": []}
    for run in range(options.runs):
        pair = [("bare", bare), ("gather", gathered)]
        answers: dict[str, Any] = {}
        for name, job in pair if run % 2 == 0 else reversed(pair):
            started, worked = time.perf_counter(), time.process_time()
            answers[name] = job(folder, options)
            wall[name].append(time.perf_counter() - started)
            work[name].append(time.process_time() - worked)
            print(f"run {run + 1}  {name:8} {wall[name][-1]:8.1f} s, processor {work[name][-1]:8.1f} s", flush=True)
        check(answers["bare"], answers["gather"])
    for title, seconds in (("wall clock", wall), ("processor", work)):
        middle = {name: statistics.median(values) for name, values in seconds.items()}
        ratio = middle["gather"] / middle["bare"]
        print(f"{title:10} bare {middle['bare']:.1f} s, gather {middle['gather']:.1f} s, ratio {ratio:.2f} (at most 2)")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")


def bare(folder: Path, options: argparse.Namespace) -> list[tuple[Any, ...]]:
    """The query by hand."""
    con = _connection(folder, options)
    con.execute(f"CREATE VIEW log AS SELECT * FROM read_parquet('{folder}/log/*.parquet')")
    found: list[tuple[Any, ...]] = con.execute(BARE.format(end=END.replace(tzinfo=None))).fetchall()
    con.close()
    return found


def gathered(folder: Path, options: argparse.Namespace) -> Any:
    """Our answers, through the warehouse as an analysis opens it."""
    import ibis

    from events.asking import Questions
    from events.counting.unit_values import Basis
    from events.warehouse import Warehouse
    from events.windows import Clock
    from experiments.analyse.gather.gather import gather
    from experiments.plan.question import Question

    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    backend.raw_sql("SET enable_progress_bar_print = false")
    backend.raw_sql(f"SET memory_limit = '{options.memory}'")
    backend.raw_sql(f"SET temp_directory = '{folder}/spill'")
    backend.raw_sql(
        "CREATE TEMP VIEW stored AS SELECT user_id, event, make_timestamp(epoch_us(time)) AS time, properties, "
        f"NULL::VARCHAR AS message_id, NULL::TIMESTAMP AS received_at FROM read_parquet('{folder}/log/*.parquet')"
    )
    house = Warehouse(backend, backend.table("stored"), "duckdb")
    behaviour = "event_3" if options.behaviour else None
    asked = Question("x", ("control", "nudge"), OUTCOMES, behaviour, times=1, days=7)
    last = [time.perf_counter()]

    def told(stage: str, share: float) -> None:
        print(f"         {stage:10} {time.perf_counter() - last[0]:6.1f} s", flush=True)
        last[0] = time.perf_counter()

    try:
        questions = Questions(house, Basis(Clock(), END), options.exposures + options.events)
        found = gather(questions, asked, primary=OUTCOMES[:1], progress=told)
        told("rest", 1.0)
        return found
    finally:
        backend.disconnect()


def check(rows: list[tuple[Any, ...]], answers: Any) -> None:
    """The same units, means and variances by variant and segment."""
    import numpy as np

    cells = answers.cells
    for variant, segment, units, *moments in rows:
        here = (cells.variant == cells.variants.index(variant)) & (cells.segment == cells.segments.index(segment))
        same = [cells.exposed[here].sum() == units]
        for place, text in enumerate(OUTCOMES):
            block = cells.blocks[text]
            n, means, variances = block.n[here], block.means[here, 0], block.covariance[here, 0, 0]
            mean = float((n * means).sum() / n.sum())
            variance = float((variances * (n - 1) + n * (means - mean) ** 2).sum() / (n.sum() - 1))
            same += [np.isclose(mean, moments[2 * place]), np.isclose(variance, moments[2 * place + 1])]
        if not all(same):
            raise SystemExit(f"the two disagree about {variant}, {segment}: {same}")


def _connection(folder: Path, options: argparse.Namespace) -> Any:
    import duckdb

    con = duckdb.connect()
    con.execute(f"SET memory_limit = '{options.memory}'")
    con.execute(f"SET TimeZone = 'UTC'; SET temp_directory = '{folder}/spill'; SET enable_progress_bar = false")
    return con


if __name__ == "__main__":
    main()
