"""How lists call a segment, and what they say of who stays in it."""

from typing import Any

import pytest

from segments.models import Segment
from segments.names import title_of
from segments.report import groups as report_groups
from segments.report.segment_rows import picture, retention_words, row, stayed_of
from segments.search.leaving import Share
from stats.results import NotComputable, computable
from tests.segments.make_report import NO_DATA, report, share
from tests.segments.report.test_two_segments import Row


@pytest.mark.parametrize(
    ("name", "pattern", "title"),
    [
        ("Fighters", [["battle", "more"]], "Fighters"),
        ("", [["battle", "more"], ["craft", "less"], ["chat", "more"]], "g1 · more battle, less craft"),
        ("", [], "g1"),
        ("", None, "g1"),
        ("", [["broken"]], "g1"),
    ],
)
def test_title__name_or_pattern(name: str, pattern: Any, title: str) -> None:
    assert title_of(name, "g1", pattern) == title


@pytest.mark.parametrize(
    ("stayed", "words", "fraction"),
    [
        (None, "measured at the next refresh", ""),
        ({"count": 10, "n": 49, "retention": "window:21-27"}, None, ""),
        ({"count": 0, "n": 50, "retention": "window:21-27"}, "0.0%", "0.0000"),
        ({"count": 25, "n": 50, "retention": "window:21-27"}, "50.0%", "0.5000"),
    ],
)
def test_row__who_stays__with_n_or_the_reason(stayed: Any, words: str | None, fraction: str) -> None:
    found = row(Row(1, "g1", "", stayed), 4_000, "groups")

    assert found.fraction == fraction
    assert words is None or found.stays.startswith(words)
    assert found.stays.endswith("n 50") is bool(fraction)
    assert (found.size, found.part, found.part_text) == ("1,000", "0.2500", "25.0%")


def test_retention_words__what_stays_means() -> None:
    assert "day 21" in retention_words([Row(1, "g1", "", {"count": 1, "n": 2, "retention": "window:21-27"})])
    assert retention_words([Row(1, "g1", "", {"count": 1, "n": 2, "retention": "nonsense"})]) == ""
    assert picture([Row(1, "g1", "", None)]) is None
    assert not computable(stayed_of({"count": 1, "n": 2}))


def test_who_stays__users_without_a_group__have_a_bar_that_makes_up_everybody() -> None:
    made = report()
    rest = report_groups.without_group(made)

    assert isinstance(rest, Share)
    groups = [cluster.profile.retained for cluster in made.clusters if computable(cluster.profile.retained)]
    assert computable(made.retention_rate)
    assert rest.count + sum(found.count for found in groups) == made.retention_rate.count
    assert rest.n == made.units.too_little_data
    assert report_groups.retention_table(made).rows[-2][:2] == ("no group (hardly active)", "400")
    chart, _marks = report_groups.retention_chart(made)
    labels = str(chart.to_dict())
    assert "no group (hardly active) (n 400)" in labels


def test_who_stays__a_group_too_small_to_show__the_rest_is_not_guessed() -> None:
    made = report(retention_rate=NO_DATA)

    assert isinstance(report_groups.without_group(made), NotComputable)
    assert report_groups.without_group(report(units=made.units.__class__(10, 0, 10, 0, 10, 0))) is None
    assert share(1, 2).n == 2


def test_segment__without_a_name__is_called_by_its_play_pattern_in_every_list() -> None:
    pattern = [["battle", "more"], ["craft", "less"]]

    assert str(Segment(key="g1", pattern=pattern)) == "g1 · more battle, less craft"
    assert str(Segment(key="g1", name="Fighters", pattern=pattern)) == "Fighters"
    assert str(Segment(key="g1")) == "g1"
