"""Rolling days by microseconds, as DuckDB counts them, are those by dates, as every other engine does."""

from datetime import UTC, datetime, timedelta

import ibis
import numpy as np
import pandas as pd

from events.warehouse.columns import day_index
from events.windows import DAY, Clock

US = timedelta(microseconds=1)
MOST_DAYS = 2**53 // 86_400_000_000  # microseconds that float64 holds to the last: 285 years
BEGIN = datetime(2024, 2, 28, 13, 7, 59, 999999, tzinfo=UTC)


def test_day_index__at_borders_of_285_years__is_that_of_dates_and_of_python() -> None:
    days = [-1, 0, 1, *np.random.default_rng(1).integers(-MOST_DAYS, MOST_DAYS, 6_000).tolist()]
    pairs = [
        ((BEGIN + day * DAY + shift).replace(tzinfo=None), BEGIN.replace(tzinfo=None))
        for day in days
        for shift in (-US, 0 * US, US)
    ]
    frame = pd.DataFrame(pairs, columns=["moment", "anchor"]).astype("datetime64[us]")
    table = ibis.memtable(frame, schema={"moment": "timestamp", "anchor": "timestamp"})
    asked = table.mutate(
        quick=day_index(table.moment, table.anchor, table.anchor.date(), Clock(), "duckdb"),
        slow=day_index(table.moment, table.anchor, table.anchor.date(), Clock()),
    )

    found = ibis.duckdb.connect().to_pyarrow(asked)

    days = [
        (moment - anchor) // DAY for moment, anchor in zip(*(found[name].to_pylist() for name in frame), strict=True)
    ]
    assert found["quick"].to_pylist() == days
    assert found["slow"].to_pylist() == days
