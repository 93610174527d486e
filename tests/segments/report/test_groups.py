"""What a group's stability allows, and what sets it apart."""

from dataclasses import replace

import pytest

from segments.report import evidence, groups
from segments.search.clustering import Standing
from segments.search.gaps import Shape
from stats.results import NotComputable, Reason
from tests.segments.make_report import cluster, report


@pytest.mark.parametrize(
    ("stability", "light"),
    [(0.75, "good"), (0.7499, "warn"), (0.60, "warn"), (0.5999, "bad"), (0.0, "bad"), (None, "good")],
)
def test_standing_of__both_sides_of_each_limit(stability: float | None, light: str) -> None:
    assert groups.standing_of(stability)[0] == light


@pytest.mark.parametrize(
    ("found", "shape", "said"),
    [
        (False, Shape.NONE, {("", "for viewing only")}),
        (False, None, {("", "for viewing only")}),
        (True, Shape.STYLES, {("", "found again"), ("warn", "a pattern: name it with care")}),
        (True, Shape.GROUPS, {("good", "stable"), ("warn", "a pattern: name it with care")}),
        (True, None, {("good", "stable"), ("warn", "a pattern: name it with care")}),
    ],
)
def test_cards__tags__never_contradict_what_the_run_calls_them(
    found: bool, shape: Shape | None, said: set[tuple[str, str]]
) -> None:
    clusters = (
        cluster(0, heat=(0.0, 0.0)),
        replace(cluster(1, heat=(0.0, 0.0)), stability=0.6, standing=Standing.PATTERN),
    )
    run = replace(report(), clusters=clusters, found=found, shape=shape)

    assert {(card.light, card.standing) for card in groups.cards(run)} == said
    assert ("stable" in {row[-1] for row in evidence.stability_table(run).rows}) is (("good", "stable") in said)


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
