"""Definitions: their text form parses back, nonsense is refused, sentences name every number."""

from typing import Any

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from events.metrics import (
    Active,
    ActiveDays,
    Behaviour,
    Capped,
    Count,
    Funnel,
    Metric,
    MinDays,
    MinEvents,
    Quantile,
    Ratio,
    Survival,
    Total,
    behaviours_of,
    is_display_only,
    open_caps,
    outcome_window,
    parse_behaviour,
    parse_metric,
    parse_retention,
    properties_of,
    with_behaviour,
    with_caps,
)
from events.metrics.sentences import sentence
from events.windows import Window
from runs.refusals import Refused

names = st.text(min_size=1, max_size=12)
windows = st.tuples(st.integers(0, 400), st.integers(0, 60)).map(lambda w: Window(w[0], w[0] + w[1]))
behaviours = st.builds(
    Behaviour, names, where=st.none() | st.tuples(names, st.text(max_size=8)), distinct=st.none() | names
)
plain = st.one_of(
    st.builds(Count, behaviours, windows), st.builds(Total, names, names, windows), st.builds(ActiveDays, windows)
)
shares = st.integers(1, 9_999).map(lambda n: n / 10_000)
caps = st.integers(1, 10**9).map(lambda n: n / 8)
capped = st.one_of(st.builds(Capped, plain, caps, st.none() | shares), st.builds(Capped, plain, st.none(), shares))
values = plain | capped
single = st.builds(Behaviour, names, where=st.none() | st.tuples(names, st.text(max_size=8)))
funnels = st.builds(Funnel, st.lists(single, min_size=2, max_size=6).map(tuple), windows)
quantiles = st.builds(Quantile, plain, shares)
retentions = st.one_of(
    st.builds(Active, windows),
    st.integers(0, 400).map(lambda n: Active(Window(n, n), "on_day")),
    st.integers(1, 60).map(lambda n: Active(Window(7 * n - 6, 7 * n), "week")),
    st.integers(0, 400).map(lambda n: Active(Window(n, None), "unbounded")),
    windows.flatmap(lambda w: st.builds(MinDays, st.just(w), st.integers(1, len(w)))),
    st.builds(MinEvents, names, windows, st.integers(1, 99)),
    st.builds(Survival, st.integers(1, 99)),
)


@pytest.mark.parametrize(
    ("text", "definition"),
    [
        ("on_day:7", Active(Window(7, 7), "on_day")),
        ("window:14-20", Active(Window(14, 20))),
        ("week:2", Active(Window(8, 14), "week")),
        ("unbounded:14", Active(Window(14, None), "unbounded")),
        ("min_days:14-20:2", MinDays(Window(14, 20), 2)),
        ("min_events:shop open:14-20:3", MinEvents("shop open", Window(14, 20), 3)),
        ("survival:7", Survival(7)),
    ],
)
def test_retention__each_form_of_methods__parses_and_prints_back(text: str, definition: Metric) -> None:
    assert parse_retention(text) == definition
    assert str(definition) == text


@given(retentions | values | st.builds(Ratio, values, values))
def test_metric__any__parses_back_from_its_line(definition: Metric) -> None:
    assert parse_metric(str(definition)) == definition


@given(behaviours)
def test_behaviour__any__parses_back_from_its_line(behaviour: Behaviour) -> None:
    assert parse_behaviour(str(behaviour)) == behaviour


@pytest.mark.parametrize(
    ("text", "behaviour"),
    [
        ("invite", Behaviour("invite")),
        ("shop: open", Behaviour("shop: open")),
        ("play[mode=ranked]", Behaviour("play", where=("mode", "ranked"))),
        ("message#target", Behaviour("message", distinct="target")),
        ("play[mode=a/b:c]#map", Behaviour("play", ("mode", "a/b:c"), "map")),
    ],
)
def test_behaviour__as_an_analyst_writes_it__is_understood(text: str, behaviour: Behaviour) -> None:
    assert parse_behaviour(text) == behaviour


def test_min_events__plain_colon_in_the_name__is_part_of_the_name() -> None:
    assert parse_retention("min_events:shop:open:1-7:2") == MinEvents("shop:open", Window(1, 7), 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "on_day",
        "on_day:-1",
        "on_day:7.5",
        "week:0",
        "window:20-14",
        "window:14",
        "min_days:14-20:8",
        "min_days:1-2:0",
        "min_events:14-20:3",
        "min_events::1-7:1",
        "survival:0",
        "day:7",
        "on_day:７",
        "unbounded:14-20",
    ],
)
def test_retention__nonsense__is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(Refused, match=r"\."):
        parse_retention(text)


@pytest.mark.parametrize("text", ["", "a[b]", "a[b=c", "#b", "a#", "[b=c]", "a[=c]", "a#b#c"])
def test_behaviour__nonsense__is_refused(text: str) -> None:
    with pytest.raises(Refused):
        parse_behaviour(text)


@pytest.mark.parametrize("text", ["count:a", "sum:a:0-6", "count:a:0-6 / week:2", "active_days:6", "sum:a:b:c:0-6"])
def test_metric__nonsense__is_refused(text: str) -> None:
    with pytest.raises(Refused):
        parse_metric(text)


@pytest.mark.slow
@given(retentions | values | funnels | behaviours)
def test_sentence__any_definition__names_its_numbers(definition: Metric | Behaviour) -> None:
    shown = sentence(definition)

    assert shown
    if not isinstance(definition, Behaviour | Survival | Ratio):
        window = outcome_window(definition)
        assert str(window.start_day) in shown
        assert window.end_day is None or str(window.end_day) in shown


def test_sentence__other_language__uses_its_words() -> None:
    with translation.override("ko"):
        shown = sentence(parse_retention("on_day:7"))

    assert shown == "잔존: 7일차에 활동."


def test_display_only__only_unbounded() -> None:
    assert is_display_only(parse_retention("unbounded:14"))
    assert not is_display_only(parse_retention("window:14-20"))


SQL = "sql:0-6:SELECT user_id, sum(number('price')) AS value FROM events WHERE event IN ('a', 'b') GROUP BY user_id"


@pytest.mark.parametrize(
    ("text", "behaviours", "properties"),
    [
        ("window:14-20", [], []),
        ("survival:7", [], []),
        ("min_events:a:14-20:3", ["a"], []),
        ("count:a[p=q]#r:0-6", ["a[p=q]#r"], []),
        ("sum:a:price:0-6 / active_days:0-6", ["a"], [("price", "a")]),
        ("count:a:0-6 / sum:b:price:0-6", ["a", "b"], [("price", "b")]),
        ("capped:99.9%:sum:a:price:0-6", ["a"], [("price", "a")]),
        ("quantile:50%:count:a:0-6", ["a"], []),
        ("funnel:a:b[p=q]:0-6", ["a", "b[p=q]"], []),
        (SQL, ["a", "b"], [("price", "")]),
    ],
)
def test_metric__names_what_of_the_log_decides_it(text: str, behaviours: list[str], properties: list[Any]) -> None:
    metric = parse_metric(text)

    assert [str(behaviour) for behaviour in behaviours_of(metric)] == behaviours
    assert list(properties_of(metric)) == properties
    for at, behaviour in enumerate(behaviours_of(metric)):
        other = with_behaviour(metric, at, Behaviour("it's"))
        assert [found.event for found in behaviours_of(other)] == [
            "it's" if place == at else one.event for place, one in enumerate(behaviours_of(metric))
        ]
        assert with_behaviour(other, at, behaviour) == metric


def test_outcome_window__survival__has_none() -> None:
    with pytest.raises(ValueError, match="window"):
        outcome_window(Survival(7))


@given(definition=capped | quantiles | funnels | st.builds(Ratio, values, values))
def test_metric__capped_and_quantile__parse_back(definition: Metric) -> None:
    assert parse_metric(str(definition)) == definition


@pytest.mark.parametrize(
    ("text", "written", "shown"),
    [
        ("capped:sum:buy:price:0-6", "capped:99.9%:sum:buy:price:0-6", "99.9% of the users before the start"),
        ("capped:250:sum:buy:price:0-6", "capped:250:sum:buy:price:0-6", "Cut at 250."),
        ("capped:99%=250.5:count:a:0-6", "capped:99%=250.5:count:a:0-6", "Cut at 250.5, which 99% of the users"),
        ("quantile:0.5:active_days:0-6", "quantile:50%:active_days:0-6", "that 50% of users don't exceed"),
        ("funnel:open:buy[a=b]:0-6", "funnel:open:buy[a=b]:0-6", "from day 0 to day 6: open → buy [a = b]."),
    ],
)
def test_metric__cap_or_quantile__is_written_and_said(text: str, written: str, shown: str) -> None:
    found = parse_metric(text)

    assert str(found) == written
    assert shown in sentence(found).replace("\u00a0", " ")


@pytest.mark.parametrize(
    "text",
    [
        "capped",
        "capped:10",
        "capped:0:active_days:0-6",
        "capped:-1:active_days:0-6",
        "capped:nan:active_days:0-6",
        "capped:100%:active_days:0-6",
        "capped:99%=0:active_days:0-6",
        "capped:10:window:0-6",
        "capped:10:capped:5:active_days:0-6",
        "quantile:active_days:0-6",
        "quantile:0:active_days:0-6",
        "quantile:1:active_days:0-6",
        "quantile:50%:capped:5:active_days:0-6",
        "quantile:50%:active_days:0-6 / active_days:0-6",
        "funnel:a:0-6",
        "funnel:a:b",
        "funnel:a:b:c:d:e:f:g:0-6",
        "funnel:a:b#c:0-6",
        "funnel:a::0-6",
        "funnel:a:b:6-0",
        "funnel:a:b:0-6 / active_days:0-6",
        "capped:5:funnel:a:b:0-6",
        "quantile:50%:funnel:a:b:0-6",
    ],
)
def test_metric__impossible_cap_or_quantile__is_refused(text: str) -> None:
    with pytest.raises(Refused):
        parse_metric(text)


def test_caps__open_ones__become_numbers_and_the_rest_stays() -> None:
    metric = parse_metric("capped:sum:buy:price:0-6 / capped:9:active_days:0-6")
    (cap,) = open_caps(metric)

    found = with_caps(metric, {cap: 250.5})

    assert str(found) == "capped:99.9%=250.5:sum:buy:price:0-6 / capped:9:active_days:0-6"
    assert open_caps(found) == ()
