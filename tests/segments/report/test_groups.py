"""What a group's stability allows, and what sets it apart."""

from dataclasses import replace

import pytest

from segments.report import groups
from stats.results import NotComputable, Reason
from tests.segments.make_report import cluster


@pytest.mark.parametrize(
    ("stability", "light"),
    [(0.75, "good"), (0.7499, "warn"), (0.60, "warn"), (0.5999, "bad"), (0.0, "bad"), (None, "good")],
)
def test_standing_of__both_sides_of_each_limit(stability: float | None, light: str) -> None:
    assert groups.standing_of(stability)[0] == light


def test_standing_out__features__largest_first() -> None:
    table = groups.standing_out(cluster(0, heat=(0.0, 0.0)))

    assert table is not None
    assert [row[0] for row in table.rows] == ["battle", "shop"]


def test_standing_out__nothing_tested__the_reason_once() -> None:
    made = cluster(0, heat=(0.0, 0.0))
    missing = NotComputable(Reason.NO_HALVES)
    features = made.profile.features
    assert not isinstance(features, NotComputable)
    untested = tuple(replace(row, adjusted_p_value=missing) for row in features)

    table = groups.standing_out(replace(made, profile=replace(made.profile, features=untested)))

    assert table is not None
    assert [row[-1] for row in table.rows] == ["not tested", "not tested"]
    assert table.note.startswith("The days that formed the groups are all there are")
