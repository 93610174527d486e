"""The log of a world with a constant churn, and the product's durations of it. Django must be set up before."""

from datetime import datetime, timedelta

import ibis
import numpy as np
import pyarrow as pa

from events.warehouse.engine import Warehouse
from events.warehouse.queries import survival_times, with_clock
from events.warehouse.session import WarehouseSession
from events.warehouse.unit_values import Basis
from events.windows import Clock
from experiments.analyse.gather.gather import gather
from experiments.plan.derived import Question
from stats.survival.kaplan_meier import Durations

GAP, SIGNUP_DAYS = 7, 28
START = datetime(2026, 1, 5)  # noqa: DTZ001 - moments inside the warehouse are naive UTC
ASKED = Question("x", ("control", "nudge"), ("on_day:1",), None, churn_gap=GAP)


def measured(units: int, days: int, *, churn: float, seed: int = 13) -> dict[str, Durations]:
    """Durations by path of the product, from a log that ends `days` days after the first signup."""
    end = START + timedelta(days=days)
    backend = ibis.duckdb.connect()
    try:
        backend.raw_sql("SET TimeZone = 'UTC'")
        log = backend.create_table("log", _log(units, days, churn, seed), temp=True)
        basis = Basis(Clock(), end)
        house = WarehouseSession(Warehouse(backend, log, "duckdb"), basis, units)
        answers = gather(house, ASKED, primary=())
        signups = log.filter(log.event == "Experiment Viewed").select("user_id", anchor=log.time)
        times = survival_times(log, with_clock(signups, basis), basis, GAP)
        counted = backend.to_pyarrow(times.group_by("duration", "churned").aggregate(units=ibis._.count())).to_pylist()
    finally:
        backend.disconnect()
    return {
        "report": Durations.from_counts((day, gone, n) for _, _, day, gone, n in answers.durations),
        "survival_times": Durations.from_counts((row["duration"], row["churned"], row["units"]) for row in counted),
    }


def _log(units: int, days: int, churn: float, seed: int) -> pa.Table:
    """One exposure per unit at noon of its day 0, and one event a day up to its last day or the log's end."""
    rng = np.random.default_rng(seed)
    signup = rng.integers(0, SIGNUP_DAYS, units)
    last = rng.geometric(churn, units) - 1
    active = np.minimum(last + 1, days - signup)
    unit = np.repeat(np.arange(units), active)
    day = np.arange(len(unit)) - np.repeat(np.cumsum(active) - active, active)
    noon = np.datetime64(START, "us") + np.timedelta64(12, "h")
    met = (noon + signup.astype("timedelta64[D]")).astype("datetime64[us]")
    times = met[unit] + day.astype("timedelta64[D]") + np.timedelta64(1, "h")
    variants = pa.array(
        ['{"experiment_id":"x","variation_id":"control"}', '{"experiment_id":"x","variation_id":"nudge"}']
    )
    empty = pa.nulls(units + len(unit), pa.timestamp("us"))
    return pa.table(
        {
            "user_id": pa.array(np.concatenate([np.arange(units), unit])).cast(pa.string()),
            "event": pa.chunked_array([pa.array(["Experiment Viewed"] * units), pa.array(["play"] * len(unit))]),
            "time": pa.array(np.concatenate([met, times])),
            "properties": pa.chunked_array(
                [variants.take(pa.array(np.arange(units) % 2)), pa.nulls(len(unit), pa.string())]
            ),
            "message_id": pa.nulls(units + len(unit), pa.string()),
            "received_at": empty,
        }
    )
