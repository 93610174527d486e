"""The effect by segment on the page."""

from experiments.report import page
from tests.experiments.make_readout import make_readout


def test_segments__say_the_interaction_test_before_any_segment() -> None:
    section = next(one for one in page.sections(make_readout()) if one.slug == "segments")

    assert "interaction test p" in section.lead
    table = section.parts[0].table
    assert table is not None
    assert [row[0] for row in table.rows] == ["new", "old", "All segments, pooled", "All segments, by their size"]
    assert table.columns[-2:] == ("shrunk towards the mean", "weight of its own data")
