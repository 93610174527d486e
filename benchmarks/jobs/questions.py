"""Questions to the store: an analysis, the grid of a study, and whole commands beside version 0.4."""

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.frame import ROOT
from benchmarks.harness.clock import timed, timed_command
from benchmarks.harness.job import Figures, Room, Side
from benchmarks.harness.peers import old_version
from benchmarks.harness.site import own_django
from benchmarks.jobs.made_logs import BEHAVIOURS, DAYS, EVENTS_PER_USER, RETENTION, TIMES, even_store

# By the ids as they were sent: what one has without the store's numbers.
BARE_COUNT = "SELECT count(*) FROM (SELECT user_text, event, count(*) FROM stored GROUP BY ALL)"


@contextmanager
def warehouse_of(users: int) -> Iterator[tuple[Any, Path]]:
    """The warehouse over a made store, and the folder with a tenth of its users as one file."""
    with own_django() as folder:
        from events.importing.numbering import number_store
        from events.warehouse import engine

        even_store(folder, users)
        number_store()
        with engine.connect() as house:
            yield house, folder


class Grid:
    """Ours, as a study asks for it: the users once, then the exact grid of everybody."""

    def __init__(self, house: Any) -> None:
        import ibis
        import numpy as np
        import pyarrow as pa

        from aha.study import queries as questions
        from events.metrics import parse_behaviour, parse_retention
        from events.warehouse import queries
        from tests.aha.make import UNIT_COLUMNS

        self.house, self.basis = house, basis_of(house)
        definition, signups = parse_retention(RETENTION), queries.cohort(house.events, "signup", self.basis)
        answer = house.arrow(questions.units(house.events, signups, self.basis, definition))
        users = answer.filter(answer["mature"])
        users = users.append_column("unit", pa.array(np.arange(users.num_rows, dtype=np.int32)))
        self.users, self.retained = ibis.memtable(users.select(list(UNIT_COLUMNS))), users["retained"].to_numpy() > 0
        self.behaviours = [parse_behaviour(f"event_{number}") for number in range(BEHAVIOURS)]

    def count(self) -> Any:
        from aha.study import queries as questions
        from aha.study.grid import cells_of_histogram

        question = questions.histogram(
            self.house.events, self.users, self.basis, days=DAYS, cap=TIMES, behaviours=self.behaviours
        )
        return cells_of_histogram(
            self.house.arrow(question).to_pydict(),
            behaviours=[str(one) for one in self.behaviours],
            days=DAYS,
            times=[tuple(range(1, TIMES + 1))] * BEHAVIOURS,
            units=self.retained.size,
            retained=int(self.retained.sum()),
        )


def basis_of(house: Any) -> Any:
    """How days are counted in the events of a warehouse, and where its data end."""
    from events.warehouse import queries
    from events.warehouse.unit_values import Basis
    from events.windows import Clock, data_end

    clock = Clock()
    span = house.run(queries.span(house.events, clock)).iloc[0]
    return Basis(clock, data_end(span.newest.to_pydatetime(), clock), dialect=house.dialect)


def pandas_grid(path: Path) -> None:
    import pandas as pd

    log = pd.read_parquet(path)
    signup = log[log.event == "signup"].set_index("user_id").time
    log["day"] = (log.time - log.user_id.map(signup)).dt.days
    kept = set(log.user_id[log.day.between(14, 20)])
    log = log[(log.event != "signup") & (log.day < max(DAYS))]
    stayed = pd.Series({name: name in kept for name in signup.index})
    for days in DAYS:
        counts = log[log.day < days].groupby(["event", "user_id"]).size().reset_index(name="n")
        counts["stayed"] = counts.user_id.map(stayed)
        for z in range(1, TIMES + 1):
            counts[counts.n >= z].groupby("event").stayed.agg(["size", "sum"])


@contextmanager
def beside_duckdb(room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """The grid, and DuckDB's bare count of events by user and kind."""
    house, _ = room.get(f"grid {options['users']}", lambda: warehouse_of(options["users"]))
    grid = Grid(house)

    def bare(_turn: int) -> Figures:
        return timed(lambda: house.backend.raw_sql(BARE_COUNT).fetchall())

    yield Side("exact grid of everybody", lambda _turn: timed(grid.count)), Side("bare grouped count", bare)


@contextmanager
def beside_pandas(room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """The grid of everybody and pandas' of a tenth of the users (all of them wouldn't fit), both in events a
    second."""
    house, folder = room.get(f"grid {options['users']}", lambda: warehouse_of(options["users"]))
    grid, events = Grid(house), options["users"] * EVENTS_PER_USER

    def ours(_turn: int) -> Figures:
        return {"events/s": events / timed(grid.count)["s"]}

    def theirs(_turn: int) -> Figures:
        return {"events/s": events / 10 / timed(lambda: pandas_grid(folder / "part.parquet"))["s"]}

    yield Side("exact grid of everybody", ours), Side("pandas, a tenth of the users", theirs)


OLD = "version 0.4"
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "CI_REQUIRE_ALL")


class Version:
    """A checkout with its Python and a folder for its database and store.

    Events have their users' numbers from their first flush or import on, so a made store gets them before it is asked.
    """

    def __init__(self, name: str, checkout: Path, python: Path, folder: Path) -> None:
        self.name, self.checkout, self.python, self.folder = name, checkout, python, folder
        self.environment = {name: value for name, value in os.environ.items() if name in KEPT} | {
            "DATABASE_URL": f"sqlite:///{folder / 'site.sqlite3'}",
            "EVENTS_URL": str(folder / "store"),
            "EXPLORE_DIR": str(folder / "explore"),
            "SECRET_KEY": "only-for-benchmarks-" + "0" * 40,
            "DEBUG": "0",
        }

    def fresh(self, store: Path | None) -> None:
        """An empty database, and the store as it was made."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        if store is not None:
            shutil.copytree(store, self.folder / "store", copy_function=os.link)
        self.run("migrate", "-v0")
        if store is not None:
            self.run("flush_events", "--maintain")

    def run(self, *arguments: str) -> Figures:
        command = [str(self.python), "manage.py", *arguments]
        log = self.folder.parent / f"{self.name}.log"
        return timed_command(command, cwd=self.checkout, environment=self.environment, log=log)

    def read(self) -> Figures:
        """What the last run has read by the site's own count; nothing where a version doesn't count."""
        with closing(sqlite3.connect(self.folder / "site.sqlite3")) as database, suppress(sqlite3.OperationalError):
            (found,) = database.execute("SELECT read_bytes FROM runs_spending ORDER BY id DESC LIMIT 1").fetchone() or (
                0,
            )
            return {"read GB": found / 1e9} if found else {}
        return {}


@contextmanager
def commands(
    _room: Room,
    options: Mapping[str, Any],
    *,
    command: Callable[[Mapping[str, Any]], Sequence[str]],
    store: Callable[[Path, int], None] | None,
) -> Iterator[Sequence[Side]]:
    """The command of this version, and of 0.4 unless `old` is 0; each round with a database of its own."""
    with TemporaryDirectory(prefix="insight-bench-") as name:
        folder, made = Path(name), None
        if store is not None:
            store(folder, options["users"])
            made = folder / "store"
        versions = [Version("this version", ROOT, Path(sys.executable), folder / "new")]
        if options["old"]:
            versions.append(Version(OLD, *old_version(), folder / "old"))
        words = command(options)
        yield [side(one, words, made) for one in versions]


def side(version: Version, words: Sequence[str], store: Path | None) -> Side:
    def run(_turn: int) -> Figures:
        return {**version.run(*words), **version.read()}

    return Side(version.name, run, lambda _turn: version.fresh(store))


def study(options: Mapping[str, Any]) -> list[str]:
    behaviours = [f"event_{number}" for number in range(options["behaviours"])]
    windows = ["--days", *map(str, DAYS), "--max-times", str(options["times"]), "--retention", RETENTION]
    return ["discover", "--signup-event", "signup", "--behaviours", *behaviours, *windows, "--json"]


def segmentation(_options: Mapping[str, Any]) -> list[str]:
    question = ["--signup-event", "signup", "--window", "0", "6", "--retention", RETENTION]
    return ["segment_units", *question, "--publish", "bench", "--json"]


def demo(options: Mapping[str, Any]) -> list[str]:
    return ["demo", "--fresh", "--with-users", "--units", str(options["units"])]


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
    con = _connection(folder, options)
    con.execute(f"CREATE VIEW log AS SELECT * FROM read_parquet('{folder}/log/*.parquet')")
    found: list[tuple[Any, ...]] = con.execute(BARE.format(end=END.replace(tzinfo=None))).fetchall()
    con.close()
    return found


def gathered(folder: Path, options: Mapping[str, Any]) -> Any:
    """Our answers, through the warehouse as an analysis opens it."""
    import ibis

    from events.warehouse.engine import Warehouse
    from events.warehouse.session import WarehouseSession
    from events.warehouse.unit_values import Basis
    from events.windows import Clock
    from experiments.analyse.gather.gather import gather
    from experiments.plan.derived import Question
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
        questions = WarehouseSession(house, Basis(Clock(), END), options["exposures"] + options["events"])
        return gather(questions, asked, primary=OUTCOMES[:1], progress=silent)
    finally:
        backend.disconnect()


def compare_moments(rows: list[tuple[Any, ...]], answers: Any) -> None:
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
def analysis(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """Both over the same files, each round with a connection of its own; their moments are compared in each round."""
    with own_django() as folder:
        make_log(folder, options)
        answers: dict[str, Any] = {}

        def run(name: str, job: Any) -> Figures:
            figures = timed(lambda: answers.__setitem__(name, job(folder, options)))
            if len(answers) == 2:
                compare_moments(answers["bare"], answers["ours"])
                answers.clear()
            return figures

        yield (
            Side("everything an analysis asks", lambda _turn: run("ours", gathered)),
            Side("bare join and aggregate", lambda _turn: run("bare", bare)),
        )
