"""What metrics and outcomes are called on a page."""

from dataclasses import replace

import pytest

from experiments.report.names import metric_words, worded
from tests.experiments.make_readout import make_readout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("window:21-27", "retention on days 21–27"),
        ("on_day:7", "retention on day 7"),
        ("unbounded:14", "retention from day 14 on"),
        ("min_days:14-20:2", "retention (2 days of 14–20)"),
        ("count:friend_add:0-6", "count:friend_add:0-6"),
        ("no metric", "no metric"),
    ],
)
def test_metric_words__name_retention_and_keep_the_rest(text: str, words: str) -> None:
    assert metric_words(text) == words


def test_worded__keeps_texts_apart_that_would_be_called_alike() -> None:
    report = make_readout().report
    assert report is not None
    twin = replace(report.outcomes[0], name="week:4")
    alike = worded(replace(report, outcomes=(replace(twin, name="window:22-28"), twin)), None)

    assert [outcome.name for outcome in alike.outcomes] == ["window:22-28", "week:4"]
