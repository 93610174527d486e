"""What units did on the last days of the data: the dates of the site, up to the last complete one, in every count."""

from datetime import timedelta
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.metrics import parse_behaviour
from events.warehouse import columns
from events.warehouse.arm_marks import _days_from_start
from events.warehouse.explore_session import Stop
from events.warehouse.session import questions
from events.warehouse.unit_values import Basis
from events.windows import Clock, DayMode, LastDays, Window
from segments.published import publish, queries, rule_members
from segments.published.rule_members import RuleFacts, count_rule, read_facts, read_quickly
from segments.rules import Needs, RecentCount, parse_rule
from tests.segments.published.small_store import Event, append, at, counted

pytestmark = pytest.mark.django_db
DAYS = 100
ZONE = "America/Sao_Paulo"
SINCE_1970 = 20_454  # days until the first of January 2026
BEHAVIOURS = ("play", "play[mode=pvp]", "play#mode")


@pytest.fixture(autouse=True)
def _places(settings: Any, tmp_path: Any) -> None:
    settings.EVENTS_URL, settings.EXPLORE_DIR = str(tmp_path / "store"), str(tmp_path / "explore")
    settings.TIME_ZONE = ZONE
    rule_members._rule_count_read.clear()


def some_log() -> list[Event]:
    """Thirty users who play now and then, some before they sign up; the newest event is in the middle of a date."""
    draw, events = Random(7), list[Event]()
    for number in range(30):
        user, begun = f"u{number}", draw.uniform(0, DAYS - 1)
        events.append((user, "signup", at(begun), {}))
        for _ in range(draw.randrange(60)):
            moment = at(draw.uniform(max(begun - 5, 0), DAYS))
            name = draw.choice(["play", "play", "chat", "Experiment Viewed"])
            events.append((user, name, moment, {"mode": draw.choice(["pvp", "pve"])} if name == "play" else {}))
    return [*events, ("u0", "chat", at(DAYS, 12), {})]


def read(wanted: tuple[RecentCount, ...], *, quickly: bool) -> dict[RecentCount, dict[str, int]]:
    needed, facts = Needs((), (), (), wanted), RuleFacts("signup")
    facts = read_quickly(facts, needed, stop=Stop()) if quickly else read_facts(facts, needed)
    units, found = facts.columns(needed)
    return {count: dict(zip(units, found[count].astype(int).tolist(), strict=True)) for count in wanted}


def wanted_of(days: LastDays) -> tuple[RecentCount, ...]:
    return RecentCount(None, days), *(RecentCount(parse_behaviour(text), days) for text in BEHAVIOURS)


@pytest.mark.parametrize("quickly", [False, True])
def test_facts__of_windows_side_by_side_and_apart__are_those_counted_event_by_event(quickly: bool) -> None:
    log = some_log()
    append(log)
    windows = [LastDays(1), LastDays(7), LastDays(7, 7), LastDays(28, 28), LastDays(3, 40), LastDays(200)]
    wanted = tuple(count for days in windows for count in wanted_of(days))

    found = read(wanted, quickly=quickly)

    assert found == {count: counted(log, count, ZONE) for count in wanted}
    assert all(len(set(found[count].values())) > 1 for count in wanted)


@pytest.fixture
def filled(_places: None) -> None:
    append(some_log())


@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=6))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_windows__that_tile_the_life__add_up_to_the_total(filled: None, lengths: list[int]) -> None:
    starts = np.cumsum([0, *lengths]).tolist()
    tiles = [LastDays(days, before) for days, before in zip(lengths, starts, strict=False)]
    kinds = (None, parse_behaviour("play"), parse_behaviour("play[mode=pvp]"))
    counts = [RecentCount(what, days) for what in kinds for days in (*tiles, LastDays(starts[-1]))]

    with questions() as store:
        table = store.run(queries.recent_counts(store.log, store.cohort("signup"), store.basis, counts))

    for place in range(0, len(counts), len(tiles) + 1):
        *parts, total = (table[f"c_{at}"] for at in range(place, place + len(tiles) + 1))
        assert np.sum(parts, axis=0).tolist() == total.tolist()
    assert table.c_0.sum() > 0


# Midnight in São Paulo is 3 o'clock in UTC. The newest event is on the tenth date after the first of January.
@pytest.mark.parametrize(
    ("moment", "lately", "before"),
    [
        (at(10, 3), 0, 0),  # on the date that isn't over
        (at(10, 3) - timedelta(microseconds=1), 1, 0),
        (at(3, 3), 1, 0),
        (at(3, 3) - timedelta(microseconds=1), 0, 1),
        (at(1, 3), 0, 1),
        (at(1, 3) - timedelta(microseconds=1), 0, 0),
    ],
)
@pytest.mark.parametrize("quickly", [False, True])
def test_windows__at_their_borders__end_with_the_last_complete_date_of_the_site(
    moment: Any, lately: int, before: int, quickly: bool
) -> None:
    append([("a", "signup", at(0), {}), ("a", "play", moment, {}), ("b", "signup", at(10, 20), {})])
    wanted = tuple(
        RecentCount(what, days) for what in (None, parse_behaviour("play")) for days in (LastDays(7), LastDays(2, 7))
    )

    found = read(wanted, quickly=quickly)

    assert [found[count]["a"] for count in wanted] == [lately, before, lately, before]
    assert [found[count]["b"] for count in wanted] == [0, 0, 0, 0]


def test_log_of_dates_without_times__counts_its_newest_date() -> None:
    append([("a", "signup", at(0, 3), {}), ("a", "play", at(9, 3), {}), ("b", "signup", at(9, 3), {})])
    wanted = (RecentCount(None, LastDays(1)),)

    assert read(wanted, quickly=False) == read(wanted, quickly=True) == {wanted[0]: {"a": 1, "b": 1}}


def test_question__reads_only_the_days_of_its_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    append(some_log())
    bounds: list[Any] = []

    def noted(events: Any, since: Any, until: Any) -> Any:
        bounds.append((since, until))
        return columns.bounded(events, since, until)

    monkeypatch.setattr(queries, "bounded", noted)

    read((RecentCount(None, LastDays(7, 7)), RecentCount(None, LastDays(3, 2))), quickly=False)

    assert bounds == [(at(DAYS - 14, 3), at(DAYS - 2, 3))]


FELL = {
    "all": [
        {"feature": "tenure", "at_least": 60},
        {"feature": "active_days", "last": 28, "before": 28, "at_least": 8},
        {"feature": "active_days", "last": 28, "at_most": 3},
        {"none": [{"behaviour": "play", "last": 7, "at_least": 2}]},
    ]
}


def test_count__of_the_last_days__is_what_publishing_takes() -> None:
    append(some_log())
    rule = {"any": [FELL, {"behaviour": "play#mode", "last": 14, "at_least": 2}]}

    found = count_rule(parse_rule(rule), "signup")
    version = publish.publish_rule(key="x", name="X", signup_event="signup", rule=rule)

    assert (found.members, found.units, found.live) == (version.segments.get().size, 30, False)
    assert 0 < found.members < found.units


def test_count__of_an_event_that_the_log_has_not__is_refused_by_name() -> None:
    append(some_log())
    rule = parse_rule({"all": [{"behaviour": "nope", "last": 3, "at_least": 1}]})

    for ask in (lambda: count_rule(rule, "signup"), lambda: rule_members.evaluate_rule(rule, "signup")):
        with pytest.raises(Exception, match="there is no event 'nope'"):
            ask()


@pytest.mark.parametrize(
    ("mode", "days"),
    [
        # The dates 3 to 9 of São Paulo are from 3:00 of the same dates to 3:00 of the one after, in UTC.
        (DayMode.ROLLING, Window(SINCE_1970 + 3, SINCE_1970 + 10)),
        (DayMode.CALENDAR, Window(SINCE_1970 + 3, SINCE_1970 + 9)),
    ],
)
def test_gate__of_the_last_days__judges_all_of_them(mode: DayMode, days: Window) -> None:
    basis = Basis(Clock(mode, ZONE), at(10, 20))

    assert _days_from_start(LastDays(7), basis) == days
