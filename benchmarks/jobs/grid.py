"""The A/B/C grid of a study: users who did a behaviour at least Z times within Y days, and of those who stayed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness.clock import timed
from benchmarks.harness.django_store import own_django
from benchmarks.harness.job import Aim, Figures, Job, Side
from benchmarks.harness.room import Room
from benchmarks.jobs.made_logs import BEHAVIOURS, DAYS, EVENTS_PER_USER, RETENTION, TIMES, even_store

# By the ids as they were sent: what one has without the store's numbers.
BARE = "SELECT count(*) FROM (SELECT user_text, event, count(*) FROM stored GROUP BY ALL)"


@contextmanager
def warehouse_of(users: int) -> Iterator[tuple[Any, Path]]:
    """The warehouse over a made store, and the folder with a tenth of its users as one file."""
    with own_django() as folder:
        from events import warehouse
        from events.importing.older_store import number_store

        even_store(folder, users)
        number_store()
        with warehouse.connect() as house:
            yield house, folder


class Grid:
    """Ours, as a study asks for it: the users once, then the exact grid of everybody."""

    def __init__(self, house: Any) -> None:
        import ibis
        import numpy as np
        import pyarrow as pa

        from aha.study import queries as questions
        from events.metrics import parse_behaviour, parse_retention
        from tests.aha.make import UNIT_COLUMNS

        self.house, self.basis = house, basis_of(house)
        definition = parse_retention(RETENTION)
        answer = house.arrow(questions.units(house.events, self.basis, signup="signup", definition=definition))
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
    from events.counting import queries
    from events.counting.unit_values import Basis
    from events.windows import Clock, data_end

    clock = Clock()
    span = house.run(queries.span(house.events, clock)).iloc[0]
    return Basis(clock, data_end(span.newest.to_pydatetime(), clock), dialect=house.dialect)


def pandas_grid(path: Path) -> None:
    """The same grid in plain pandas."""
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
        return timed(lambda: house.backend.raw_sql(BARE).fetchall())

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


TEXT = """50 events for each of the users (50 million of a million at full size), 50 behaviours × 3 windows × 20
thresholds. The users with their retention are read once before, as a study does; measured is the grid of all of
them from the store's files."""
SIZES = {"tiny": {"users": 2_000, "rounds": 2}, "quick": {"users": 100_000}, "full": {"users": 1_000_000}}
JOBS = (
    Job(
        "grid",
        "A/B/C grid of a study",
        f"{TEXT} The bare query groups the same events by user and kind, without windows, retention or thresholds.",
        "bare grouped count in DuckDB",
        SIZES,
        beside_duckdb,
        (Aim("s", at_most=0.7),),
        "grid",
    ),
    Job(
        "grid_pandas",
        "A/B/C grid of a study, per event",
        f"{TEXT} pandas reads the same events of a tenth of the users from one Parquet file.",
        "pandas on a tenth",
        SIZES,
        beside_pandas,
        (Aim("events/s", at_least=15.0),),
        "grid",
    ),
)
