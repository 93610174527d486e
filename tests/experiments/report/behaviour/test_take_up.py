"""The first stage on the page."""

from experiments.report.behaviour import first_stage
from stats.results import computable
from tests.experiments.make_readout import make_readout


def test_first_stage_table__gives_take_up_of_every_segment() -> None:
    readout = make_readout()
    table = first_stage(readout).table

    assert table is not None
    assert [row[1] for row in table.rows] == ["all users", "new", "old"]
    take_up = readout.first_stage[0].take_up
    assert computable(take_up)
    assert table.rows[0][2] == f"{take_up.control * 100:.1f}%"
