"""A public log with known answers, from the file through `import_events` to the chosen cell."""

from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from django.core.management import call_command

from aha.study import queries
from aha.study.cells import describe
from aha.study.choice import Choice, Choosing, Rule, choose
from aha.study.grid import build_table, count_cells, levels
from aha.study.null import Null, grid_null
from aha.study.numbers import Interval
from events.metrics import parse_behaviour, parse_retention
from events.warehouse import engine
from events.warehouse import queries as warehouse_queries
from events.warehouse.unit_values import Basis
from events.windows import Clock, data_end
from tests.aha.make import UNIT_COLUMNS

FORMAT = "--user source --time weight --time-format unix_s --event-name message --properties target"
KNOWN = {  # behaviour, times: did and stayed, did, others who stayed, others
    ("message#target", 4): (484, 631, 243, 693),
    ("message#target", 2): (639, 983, 88, 341),
    ("message#target", 3): (550, 769, 177, 555),
    ("message#target", 5): (421, 540, 306, 784),
    ("message", 5): (543, 741, 184, 583),
}


@pytest.mark.slow
def test_college_messages__phi__chooses_four_people_within_seven_days(
    real_data: Path, settings: Any, tmp_path: Path
) -> None:
    settings.EVENTS_URL = str(tmp_path / "store")
    file = str(real_data / "events/CollegeMsg.txt")
    call_command("import_events", file, "--separator", " ", *FORMAT.split(), verbosity=0)
    listed = [parse_behaviour("message"), parse_behaviour("message#target")]
    names = [str(behaviour) for behaviour in listed]

    with engine.connect() as house:
        span = house.run(warehouse_queries.span(house.events, Clock())).iloc[0]
        basis = Basis(Clock(), data_end(span.newest.to_pydatetime(), Clock()), dialect=house.dialect)
        definition = parse_retention("window:14-34")
        units = queries.units(house.events, warehouse_queries.cohort(house.events, "message", basis), basis, definition)
        answer = house.arrow(house.named(units, key="user_key"))
        answer = answer.filter(answer["mature"]).sort_by("user_id")  # the order that draws see
        ids = answer["user_id"].to_pylist()
        answer = answer.drop_columns(["user_id"]).rename_columns({"user_key": "user_id"})
        answer = answer.append_column("unit", pa.array(np.arange(answer.num_rows, dtype=np.int32)))
        users = ibis.memtable(answer.select(list(UNIT_COLUMNS)))
        counts = house.run(queries.unit_counts(house.events, users, basis, days=[7], behaviours=listed))
        active = house.run(queries.active_days(house.events, users, basis, days=[7])).set_index("user_id").active_7
    table = build_table(
        behaviours=names,
        days=[7],
        unit_ids=ids,
        retained=answer["retained"].to_numpy(),
        week=np.zeros(answer.num_rows),
        active_days=active.reindex(answer["user_id"].to_pylist()).fillna(0),
        rows=(counts.unit, counts.behaviour, counts[["n_7"]].to_numpy()),
    )
    grid = levels(table, [tuple(range(1, 21))] * 2)

    cells = count_cells(grid, table.retained)
    rng = np.random.default_rng(1)
    choice = choose(table, grid, rng=rng, choosing=Choosing(Rule.PHI))["message#target"]
    null = grid_null(table, grid, rng=rng, permutations=199)

    assert (table.n, int(table.retained.sum())) == (1324, 727)
    for (name, times), (stayed, did, kept, others) in KNOWN.items():
        found = cells.counts[:, cells.find(table.behaviours.index(name), 7, times)].tolist()
        assert found == [kept, stayed, did - stayed, others - kept], (name, times)
    records = {(record.behaviour, record.times): record for record in describe(cells, table.behaviours, rng=rng)}
    for key, phi in ((("message#target", 4), 0.4179), (("message", 5), 0.4162)):
        value = records[key].phi
        assert isinstance(value, Interval)
        assert value.estimate == pytest.approx(phi, abs=5e-5)
    assert isinstance(choice, Choice)
    assert choice.best.times == 4
    assert choice.best.share == pytest.approx(471 / 500, abs=0.05)
    assert isinstance(null, Null)
    assert null.smallest_p == 1 / 200
