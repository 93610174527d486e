"""Everything an analysis asks the warehouse, beside a bare DuckDB join and aggregate of the same exposures and events.

The log is made by a seed as Parquet in a temporary folder: half the arms each, five segments, 60 kinds of events that
thin out over 28 days. Three outcomes: a retention, a count, a sum of a property. The bare query is what an analyst
would write by hand: one row per exposed unit, joined with the log once, means and variances by variant and segment.
`gather` answers that and everything else an analysis reads (survival, curve, health). The moments of both must agree.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.harness.clock import timed
from benchmarks.harness.django_store import own_django
from benchmarks.harness.job import Aim, Figures, Job, Side
from benchmarks.harness.room import Room

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


def make_log(folder: Path, options: Mapping[str, Any]) -> None:
    """Exposures and events in the order of time, as a store keeps them."""
    con = _connection(folder, options)
    (folder / "log").mkdir()
    units, seed = options["exposures"], options["seed"]
    met = f"TIMESTAMP '2026-03-01' + to_microseconds(CAST(hash(u, {seed}) % 2419200000 AS BIGINT) * 1000)"
    parts = 16
    for part in range(parts):
        con.execute(
            f"""COPY (
            SELECT md5(CAST(u AS VARCHAR)) AS user_id, 'Experiment Viewed' AS event, {met} AS time,
                concat('{{"experiment_id":"x","variation_id":"', ['control', 'nudge'][1 + CAST(u % 2 AS BIGINT)],
                    '","segment":"segment ', hash(u, 5) % {options["segments"]}, '"}}') AS properties
            FROM range({units * part // parts}, {units * (part + 1) // parts}) AS r(u)
            UNION ALL
            SELECT md5(CAST(u AS VARCHAR)), concat('event_', hash(i, {seed}) % 60),
                {met} + to_microseconds(CAST(pow((hash(i, 2) % 1000000) / 1e6, 2) * 28 * 86400e6 AS BIGINT)),
                concat('{{"coins":', hash(i, 3) % 100, ',"level":', hash(i, 4) % 50, '}}')
            FROM (SELECT i, CAST(hash(i, 7) % {units} AS BIGINT) AS u FROM
                range({options["events"] * part // parts}, {options["events"] * (part + 1) // parts}) AS r(i))
            ORDER BY time) TO '{folder}/log/{part:02}.parquet' (FORMAT parquet, COMPRESSION zstd)"""
        )
    con.close()


def bare(folder: Path, options: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The query by hand."""
    con = _connection(folder, options)
    con.execute(f"CREATE VIEW log AS SELECT * FROM read_parquet('{folder}/log/*.parquet')")
    found: list[tuple[Any, ...]] = con.execute(BARE.format(end=END.replace(tzinfo=None))).fetchall()
    con.close()
    return found


def gathered(folder: Path, options: Mapping[str, Any]) -> Any:
    """Our answers, through the warehouse as an analysis opens it."""
    import ibis

    from events.asking import Questions
    from events.counting.unit_values import Basis
    from events.warehouse import Warehouse
    from events.windows import Clock
    from experiments.analyse.gather.gather import gather
    from experiments.plan.question import Question
    from runs.progress import silent

    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    backend.raw_sql("SET enable_progress_bar_print = false")
    backend.raw_sql(f"SET memory_limit = '{options['memory']}'")
    backend.raw_sql(f"SET temp_directory = '{folder}/spill'")
    backend.raw_sql(
        "CREATE TEMP VIEW stored AS SELECT user_id, event, make_timestamp(epoch_us(time)) AS time, properties, "
        f"NULL::VARCHAR AS message_id, NULL::TIMESTAMP AS received_at FROM read_parquet('{folder}/log/*.parquet')"
    )
    house = Warehouse(backend, backend.table("stored"), "duckdb")
    asked = Question("x", ("control", "nudge"), OUTCOMES, None, times=1, days=7)

    try:
        questions = Questions(house, Basis(Clock(), END), options["exposures"] + options["events"])
        return gather(questions, asked, primary=OUTCOMES[:1], progress=silent)
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


def _connection(folder: Path, options: Mapping[str, Any]) -> Any:
    import duckdb

    con = duckdb.connect()
    con.execute(f"SET memory_limit = '{options['memory']}'")
    con.execute(f"SET TimeZone = 'UTC'; SET temp_directory = '{folder}/spill'; SET enable_progress_bar = false")
    return con


@contextmanager
def opened(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """Both over the same files, each round with a connection of its own; their moments are compared in each round."""
    with own_django() as folder:
        make_log(folder, options)
        answers: dict[str, Any] = {}

        def run(name: str, job: Any) -> Figures:
            figures = timed(lambda: answers.__setitem__(name, job(folder, options)))
            if len(answers) == 2:
                check(answers["bare"], answers["ours"])
                answers.clear()
            return figures

        yield (
            Side("everything an analysis asks", lambda _turn: run("ours", gathered)),
            Side("bare join and aggregate", lambda _turn: run("bare", bare)),
        )


SAME = {"segments": 5, "memory": "10GB", "seed": 1}
JOBS = (
    Job(
        "analysis",
        "analysis, exposures joined with events",
        """10 million exposures and 100 million events at full size. Ours answers three outcomes and, beyond the
        bare query, survival, curve, cells, dates and health; both give the same means and variances, or the run
        fails. DuckDB is held to 10 GB on both sides, the rest spills.""",
        "bare DuckDB join and aggregate",
        {
            "tiny": {"exposures": 2_000, "events": 20_000, "rounds": 2, **SAME},
            "quick": {"exposures": 100_000, "events": 1_000_000, **SAME},
            "full": {"exposures": 10_000_000, "events": 100_000_000, **SAME},
        },
        opened,
        (Aim("s", at_most=1.3),),
    ),
)
