"""Small counts with their noun: one is singular, on pages and in refusals, in both languages."""

import pytest
from django.utils import translation

from events.metrics import parse_metric
from events.metrics.sentences import metric_words, sentence
from reporting.words import days_said, days_words, times_said, times_words


@pytest.mark.parametrize(
    ("n", "times", "days"), [(1, "once", "1 day"), (2, "2 times", "2 days"), (0, "0 times", "0 days")]
)
def test_counted__one_and_many__have_their_own_words(n: int, times: str, days: str) -> None:
    assert (times_words(n), days_words(n)) == (times, days)
    assert (str(times_said(n)), str(days_said(n))) == (times, days)


def test_counted__korean__has_one_form() -> None:
    with translation.override("ko"):
        assert [times_words(1), times_words(2), days_words(1)] == ["1회", "2회", "1일"]


@pytest.mark.parametrize(
    ("spec", "name", "said"),
    [
        ("min_events:chat:14-20:1", "chat at least once on days 14–20", "did chat at least once from day 14"),
        ("min_days:14-20:1", "retention (1 day of 14–20)", "active on at least one day from day 14"),
        ("survival:1", "time until one silent day", "silence of at least one full day."),
    ],
)
def test_metric__of_one__is_singular(spec: str, name: str, said: str) -> None:
    assert metric_words(spec) == name
    assert said in sentence(parse_metric(spec))
