"""A simulated world through the whole path, file, `import_events`, queries: the answers equal what was drawn."""

from collections.abc import Iterator
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
import pytest
from django.core.management import call_command

from events.metrics import parse_behaviour, parse_metric, parse_retention
from events.simulation import WORLDS, Simulation, simulate, write_files
from events.simulation.datasets import events_table, users_table
from events.warehouse import engine, queries
from events.warehouse.unit_values import Basis
from events.windows import Clock
from tests.events.conftest import first_exposures
from tests.postgres import hits_table

UNITS = 2_000
# Signups lie in eight weeks from 5 January and each user is drawn for 35 days: on 6 April every window is complete.
END = datetime(2026, 4, 6)  # noqa: DTZ001
IMPORT = ["--user", "user_id", "--event", "event", "--time", "time", "--properties", "properties"]
IMPORT += ["--message-id", "message_id"]


@pytest.fixture(scope="module")
def world() -> Simulation:
    return simulate(WORLDS["step"], UNITS, 7)


@pytest.fixture
def house(world: Simulation, settings: Any, tmp_path: Path) -> Iterator[engine.Warehouse]:
    """The warehouse after the import of the world's file."""
    settings.EVENTS_URL = str(tmp_path / "store")
    write_files(world, tmp_path / "world")
    out = StringIO()
    call_command("import_events", str(tmp_path / "world/events.parquet"), *IMPORT, "--json", stdout=out)
    assert f'"imported": {world.log.user.size},' in out.getvalue()
    with engine.connect() as opened:
        yield opened


def drawn(world: Simulation) -> pd.DataFrame:
    """What was drawn, by user id: arm, retained, and the number of friend_add in the first 7 days."""
    users: pd.DataFrame = users_table(world).to_pandas().set_index("user_id")
    return users.assign(retained=world.retained.astype(float), friends=world.target_count)


def with_arms(house: engine.Warehouse, basis: Basis) -> Any:
    """The cohort by signup with the variant that each unit met."""
    users = queries.cohort(house.events, "signup", basis)
    met = first_exposures(house.events, "aha-nudge", basis)
    return users.join(met.select("user_id", "variant"), "user_id")


@pytest.mark.slow
def test_simulated_world__cohort__is_every_user_with_the_drawn_signup(
    house: engine.Warehouse, world: Simulation
) -> None:
    everybody = queries.cohort(house.events, "signup", Basis(Clock(), END))
    frame = house.run(house.named(everybody)).set_index("user_id").sort_index()

    users = drawn(world)
    assert frame.index.tolist() == users.index.tolist()
    assert (frame.anchor.to_numpy() == users.signup.dt.tz_localize(None).to_numpy()).all()


@pytest.mark.slow
def test_simulated_world__retention_by_arm__equals_the_drawn_truth(house: engine.Warehouse, world: Simulation) -> None:
    basis = Basis(Clock(), END)
    units = queries.retention(house.events, with_arms(house, basis), basis, parse_retention("window:21-27"))

    frame = house.run(house.named(units)).set_index("user_id")

    truth = drawn(world)[world.exposed]
    assert frame.mature.all()
    assert frame.variant.sort_index().tolist() == truth.arm.tolist()
    assert frame.retained.sort_index().tolist() == truth.retained.tolist()
    assert 0 < truth.retained.mean() < 1


@pytest.mark.slow
def test_simulated_world__friends_within_seven_days__equal_the_drawn_counts(
    house: engine.Warehouse, world: Simulation
) -> None:
    basis = Basis(Clock(), END)
    users = queries.cohort(house.events, "signup", basis)
    asked = queries.counts(house.events, users, basis, days=7, behaviours=[parse_behaviour("friend_add")])

    counts = house.run(house.named(asked)).groupby("user_id").n.sum()

    truth = drawn(world).friends
    assert counts.reindex(truth.index, fill_value=0).tolist() == truth.tolist()
    assert (truth >= 3).any()


@pytest.mark.slow
def test_simulated_world__two_outcomes_at_once__equal_the_drawn_truth(
    house: engine.Warehouse, world: Simulation
) -> None:
    basis = Basis(Clock(), END)
    definitions: Any = {"r": parse_retention("window:21-27"), "f": parse_metric("count:friend_add:0-6")}
    values = queries.outcomes(house.events, with_arms(house, basis), basis, definitions)

    frame = house.run(house.named(values)).set_index("user_id").sort_index()

    truth = drawn(world)[world.exposed]
    assert frame.variant.tolist() == truth.arm.tolist()
    assert frame.r.tolist() == truth.retained.tolist()
    assert frame.f.tolist() == truth.friends.tolist()


@pytest.fixture
def postgres(settings: Any) -> Iterator[psycopg.Connection]:
    """A server with the log of a small world in a table of its own names; the settings point at it."""
    columns = "uid text, name text, ts timestamptz, props text"
    with hits_table(settings, columns, "user_id=uid, event=name, time=ts, properties=props") as connection:
        yield connection


@pytest.mark.slow
def test_postgresql__retention_and_counts_by_arm__equal_the_drawn_truth(
    postgres: psycopg.Connection, settings: Any
) -> None:
    small = simulate(WORLDS["step"], 40, 7)
    log: pa.Table = events_table(small).select(["user_id", "event", "time", "properties"])
    with postgres.cursor() as cursor, cursor.copy(f"COPY {settings.WAREHOUSE_TABLE} FROM STDIN") as copy:
        for row in zip(*(column.to_pylist() for column in log.columns), strict=True):
            copy.write_row(row)
    postgres.execute(f"ANALYZE {settings.WAREHOUSE_TABLE}")  # a fresh table has no statistics, and plans go astray
    definitions: Any = {
        "r": parse_retention("window:21-27"),
        "f": parse_metric("count:friend_add:0-6"),
        "ios": parse_metric("count:signup[platform=ios]:0-0"),
    }

    with engine.connect() as house:
        basis = Basis(Clock(), END, dialect=house.dialect)
        values = queries.outcomes(house.events, with_arms(house, basis), basis, definitions)
        frame = house.run(house.named(values)).set_index("user_id").sort_index()

    truth = drawn(small)[small.exposed]
    assert house.dialect == "postgres"
    assert frame.variant.tolist() == truth.arm.tolist()
    assert frame.r.tolist() == truth.retained.tolist()
    assert frame.f.tolist() == truth.friends.tolist()
    assert frame.ios.tolist() == (truth.platform == "ios").astype(float).tolist()
