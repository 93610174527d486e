"""What an experiment asks the warehouse, counted on fingers: units, cells, outcomes."""

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from events.windows import Clock
from experiments.draw.bucketing import Saturation, unit_hash
from tests.experiments.ask import ask
from tests.experiments.log import END, NEW_YORK, PLAN, SEOUL, START, at, did, met

DOZEN = [
    met("a", "control", 0),
    did("a", "add", 1),
    did("a", "play", 50),  # day 2: retained
    met("b", "control", 2),
    did("b", "add", 3),
    did("b", "add", 20),  # twice: reached
    met("c", "nudge", 0),
    did("c", "add", 1),
    did("c", "add", 30),
    did("c", "play", 90),  # day 3: retained
    did("c", "add", 60),  # day 2: too late to be counted
    met("d", "1", 5),  # the arm by its index
    met("d", "nudge", 500),
]


# ── who counts ────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_gather__dozen_rows__moments_are_those_of_the_fingers() -> None:
    found = ask(DOZEN, PLAN, END)

    cells, block = found.cells, found.cells.blocks["window:2-3"]
    assert cells.variants == ("control", "nudge")
    assert (cells.variant.tolist(), cells.exposed.tolist()) == ([0, 1], [2, 2])
    assert (cells.segments, cells.weeks, cells.covariates) == (("",), (date(2026, 3, 2),), ())
    assert block.names == ("value", "reached", "times")
    assert block.n.tolist() == [2, 2]
    # control: a (1, 0, 1), b (0, 1, 2); nudge: c (1, 1, 2), d (0, 0, 0)
    assert block.means.tolist() == [[0.5, 0.5, 1.5], [0.5, 0.5, 1.0]]
    assert block.covariance[0].tolist() == [[0.5, -0.5, -0.5], [-0.5, 0.5, 0.5], [-0.5, 0.5, 0.5]]
    assert block.covariance[1].tolist() == [[0.5, 0.5, 1.0], [0.5, 0.5, 1.0], [1.0, 1.0, 2.0]]
    assert found.times == (("control", 1, 1), ("control", 2, 1), ("nudge", 0, 1), ("nudge", 2, 1))
    assert (found.events, found.several_variants, dict(found.unknown_variants)) == (13, 0, {})
    assert (found.data_end, found.time_zone, found.day_mode) == (END, "UTC", "rolling")


@pytest.mark.slow
def test_gather__several_variants__count_in_the_first__unknown_ones_are_left_out() -> None:
    rows = [
        *DOZEN,
        met("e", "nudge", 400),
        met("e", "control", 1),
        met("e", "gold", 500),
        did("e", "play", 50),  # day 2 of its first exposure: retained
        met("n", "nudge", 1),
        met("n", "control", 2),
        met("o", "control", 3),  # both at one moment, so that none is the first
        met("o", "nudge", 3),
        met("p", "gold", 3),
        met("p", "nudge", 3),
        met("f", "gold", 1),
        met("g", "gold", 1),
        met("g", "gold", 9),
        met("h", "7", 1),  # no arm has the index 7
        met("i", "control", 1, name="experiment_viewed"),
        ("j", "Experiment Viewed", at(1), '{"experimentId": "x", "variationId": "nudge"}'),
        ("k", "Experiment Viewed", at(1), '{"experiment_id": "y", "variation_id": "nudge"}'),
        ("l", "Experiment Viewed", at(1), '{"experiment_id": "x"}'),
        met("m", "gold", 1),
        met("m", "control", 2),
    ]

    found = ask(rows, PLAN, END)

    assert (found.several_variants, found.identity_conflicts, found.no_first_arm) == (2, 0, 2)
    assert found.first_arms == (("", "control", 1), ("", "nudge", 1))
    assert dict(found.unknown_variants) == {"7": 1, "gold": 3}
    assert found.cells.exposed.tolist() == [4, 4]
    assert found.exposures_by_day == ((date(2026, 3, 2), "control", 4), (date(2026, 3, 2), "nudge", 4))
    # control: a, b, e, i; of these a and e came back on day 2 or 3 of their first exposure
    assert found.cells.blocks["window:2-3"].means[:, 0].tolist() == [0.5, 0.25]


@pytest.mark.slow
def test_gather__arms_named_like_indices__keep_their_names() -> None:
    rows = [met("a", "1", 0), met("b", "0", 0), met("c", "0", 0), did("a", "add", 1)]

    found = ask(rows, replace(PLAN, variants=("1", "0")), END)

    assert found.cells.exposed.tolist() == [1, 2]


@pytest.mark.slow
def test_gather__young_units__count_for_each_outcome_they_are_mature_for() -> None:
    plan = replace(PLAN, outcomes=("window:2-3", "on_day:0"), behaviour=None)
    end = START + timedelta(hours=96)
    rows = [
        met("a", "control", 0),  # exactly four whole days: mature for days 2-3
        did("a", "play", 95),
        met("b", "control", 0.001),  # seconds too young
        did("b", "play", 50),
        met("c", "control", 72.001),  # not one whole day
        did("c", "play", 73),
        did("a", "play", 96),  # at the data's end: not counted
    ]

    found = ask(rows, plan, end)

    retained, active = found.cells.blocks["window:2-3"], found.cells.blocks["on_day:0"]
    assert found.cells.exposed.tolist() == [3]
    assert (retained.n.tolist(), retained.means.tolist()) == ([1], [[1.0]])
    assert (active.n.tolist(), active.means.tolist()) == ([2], [[0.0]])
    assert retained.covariance.tolist() == [[[0.0]]]
    assert active.names == ("value",)
    assert found.last_mature_on == date(2026, 3, 9)  # the last exposure on Thursday the 5th, four days later
    assert found.latest_exposure == START + timedelta(hours=72.001)
    assert found.silent == (("control", 2, 0), ("nudge", 0, 0))


@pytest.mark.slow
def test_gather__no_mature_unit__moments_are_zero_and_nothing_fails() -> None:
    found = ask(DOZEN, PLAN, START + timedelta(days=1))

    block = found.cells.blocks["window:2-3"]
    assert block.n.tolist() == [0, 0]
    assert not block.means.any()
    assert not block.covariance.any()
    assert found.times == ()


@pytest.mark.slow
def test_gather__outcome_that_ends_before_the_behaviour__counts_the_behaviour_so_far() -> None:
    plan = replace(PLAN, outcomes=("on_day:0",), days=5)
    rows = [met("a", "control", 0), did("a", "add", 1), did("a", "add", 30), met("b", "control", 0)]

    found = ask(rows, plan, START + timedelta(days=2))

    block = found.cells.blocks["on_day:0"]
    assert (block.n.tolist(), block.means.tolist()) == ([2], [[0.5, 0.5, 1.0]])
    assert found.times == ()  # nobody's behaviour window is over


@pytest.mark.slow
def test_gather__other_behaviours__are_counted_on_the_behaviours_days_from_their_number_of_times_on() -> None:
    plan = replace(PLAN, others=(("chat", 1), ("shop", 2)))
    rows = [
        *DOZEN,
        did("a", "chat", 1),
        did("a", "shop", 2),  # once: not from two times on
        did("b", "chat", 99),  # day 4: too late to be counted
        did("b", "shop", 3),
        did("b", "shop", 47),
        did("c", "chat", 0),
        did("d", "chat", 4),  # before the exposure
    ]

    found = ask(rows, plan, END)

    block, plain = found.cells.blocks["window:2-3"], ask(rows, PLAN, END).cells.blocks["window:2-3"]
    assert found.cells.others == ("chat", "shop")
    assert block.names == ("value", "reached", "times", "other_0", "other_1")
    # control: a chats, b shops; nudge: c chats, d does neither
    assert block.means[:, 3:].tolist() == [[0.5, 0.5], [0.5, 0.0]]
    assert block.covariance[0, 3].tolist() == [0.5, -0.5, -0.5, 0.5, -0.5]
    assert block.covariance[1, 4].tolist() == [0.0] * 5
    assert plain.names == ("value", "reached", "times")
    assert (block.means[:, :3] == plain.means).all()
    assert (block.covariance[:, :3, :3] == plain.covariance).all()


@pytest.mark.slow
def test_gather__other_behaviours__of_an_outcome_that_ends_before_them_are_counted_so_far() -> None:
    plan = replace(PLAN, outcomes=("on_day:0",), days=5, others=(("chat", 2),))
    rows = [met("a", "control", 0), did("a", "add", 1), met("b", "control", 0)]
    rows += [did("a", "chat", 1), did("a", "chat", 30)]

    block = ask(rows, plan, START + timedelta(days=2)).cells.blocks["on_day:0"]

    assert (block.n.tolist(), block.means[:, 3].tolist()) == ([2], [0.5])


@pytest.mark.slow
def test_gather__other_behaviour_that_nobody_has_done__counts_0_and_stops_nothing() -> None:
    plan = replace(PLAN, others=(("duel", 1),))

    block = ask(DOZEN, plan, END).cells.blocks["window:2-3"]

    assert (block.means[:, 3].tolist(), block.covariance[:, 3].tolist()) == ([0.0, 0.0], [[0.0] * 4, [0.0] * 4])


@pytest.mark.slow
def test_gather__other_behaviours__of_ratios_follow_the_denominator_and_quantiles_have_none() -> None:
    outcomes = ("sum:buy:coins:0-1 / active_days:0-1", "quantile:0.5:count:add:0-1")
    plan = replace(PLAN, outcomes=outcomes, others=(("chat", 1),))
    rows = [*DOZEN, did("a", "buy", 1, coins=3), did("a", "chat", 1)]

    ratio, quantile = (ask(rows, plan, END).cells.blocks[name] for name in outcomes)

    assert ratio.names == ("value", "denominator", "reached", "times", "other_0")
    assert ratio.means[:, 4].tolist() == [0.5, 0.0]
    assert quantile.names == ("value",)


# ── cells ─────────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_gather__segments_and_weeks__are_those_of_the_first_exposure() -> None:
    rows = [
        met("a", "control", 10, segment="a later one"),
        met("a", "control", 0, segment="first"),
        met("b", "control", 0),
        met("b", "control", 10, segment="a later one"),
        met("c", "nudge", 24 * 7, segment="first"),
        met("c", "nudge", 24 * 8),
        did("c", "add", 24 * 8),
    ]

    cells = ask(rows, PLAN, END).cells

    assert cells.segments == ("", "first")
    assert cells.weeks == (date(2026, 3, 2), date(2026, 3, 9))
    assert cells.variant.tolist() == [0, 0, 1]
    assert cells.segment.tolist() == [0, 1, 1]
    assert cells.week.tolist() == [0, 0, 1]
    assert cells.exposed.tolist() == [1, 1, 1]


@pytest.mark.slow
def test_gather__zone_east_of_greenwich__dates_are_local() -> None:
    rows = [met("a", "control", -10), did("a", "add", 1)]  # Sunday 14:00 in London, 23:00 in Seoul
    late = [met("a", "control", -8), did("a", "add", 1)]  # Monday 01:00 in Seoul

    sunday, monday = ask(rows, PLAN, END, clock=SEOUL), ask(late, PLAN, END, clock=SEOUL)

    assert (sunday.cells.weeks, monday.cells.weeks) == ((date(2026, 2, 23),), (date(2026, 3, 2),))
    assert sunday.exposures_by_day == ((date(2026, 3, 1), "control", 1),)
    assert monday.exposures_by_day == ((date(2026, 3, 2), "control", 1),)
    assert (sunday.last_mature_on, monday.last_mature_on) == (date(2026, 3, 5), date(2026, 3, 6))


@pytest.mark.slow
def test_gather__covariates__come_from_the_first_signup_before_the_exposure() -> None:
    plan = replace(PLAN, covariates=("channel",), behaviour=None)
    rows = [
        did("a", "signup", -5, channel="ad"),
        did("a", "signup", -1, channel="friend"),
        met("a", "control", 0),
        did("b", "signup", 1, channel="ad"),  # after the exposure: not known before it
        met("b", "control", 0),
        did("c", "signup", 0, channel="ad"),  # at the same moment
        met("c", "control", 0),
        met("d", "control", 0),  # never signed up
        did("e", "signup", -1, level=3),  # says nothing of the channel
        met("e", "control", 0),
    ]

    cells = ask(rows, plan, END).cells

    assert (cells.covariates, cells.levels) == (("channel",), (("", "ad"),))
    assert (cells.covariate.tolist(), cells.exposed.tolist()) == ([[0], [1]], [3, 2])


@pytest.mark.slow
def test_gather__rare_levels__are_pooled_and_missing_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.analyse.gather.gather.MOST_LEVELS", 2)
    plan = replace(PLAN, covariates=("channel",), behaviour=None)
    channels = ["ad", "ad", "ad", "web", "web", "shop", "tv", None, None]
    said: list[dict[str, Any]] = [{} if name is None else {"channel": name} for name in channels]
    rows = [did(str(place), "signup", -1, **each) for place, each in enumerate(said)]
    rows += [met(str(place), "control", 0) for place, _ in enumerate(channels)]

    cells = ask(rows, plan, END).cells

    exposed = {cells.levels[0][code]: int(n) for (code,), n in zip(cells.covariate, cells.exposed, strict=True)}
    assert exposed == {"": 2, "ad": 3, "web": 2, "other": 2}


@pytest.mark.slow
@pytest.mark.parametrize(("clock", "expected"), [(Clock(), {"a": "3", "b": "0"}), (SEOUL, {"a": "2", "b": "0"})])
def test_gather__days_before__are_different_active_days_of_the_stretch_before(
    clock: Clock, expected: dict[str, str]
) -> None:
    plan = replace(PLAN, behaviour=None, active_days_before=3)
    # Exposure on Monday at 12:00 in London, 21:00 in Seoul.
    rows = [
        met("a", "control", 12),
        did("a", "play", 11),  # rolling: day -1; calendar: the exposure's own date, no day before
        did("a", "play", -4),  # Sunday 20:00 in London: day -1; Monday 05:00 in Seoul: that date too
        did("a", "play", -34),  # Saturday 14:00 in London, 23:00 in Seoul: day -2 and day -2
        did("a", "play", -34 - 24),  # day -3 and day -3
        did("a", "play", -34 - 48),  # outside
        met("b", "nudge", 12),
        did("b", "play", 13),
        met("b", "nudge", 11.9, experiment_id="y"),  # an exposure is no activity
    ]

    cells = ask(rows, plan, END, clock=clock).cells

    found = {"ab"[arm]: cells.levels[0][code] for arm, (code,) in zip(cells.variant, cells.covariate, strict=True)}
    assert cells.covariates == ("active_days_before",)
    assert found == expected


# ── outcomes ──────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_gather__ratio__has_both_parts_and_their_covariance() -> None:
    text = "sum:buy:coins:0-1 / active_days:0-1"
    plan = replace(PLAN, outcomes=(text,))
    rows = [
        met("a", "control", 0),
        did("a", "buy", 1, coins=3),
        did("a", "buy", 30, coins=4.5),
        met("b", "control", 0),
        did("b", "buy", 1, coins=1),
        did("b", "add", 2),
        did("b", "add", 3),
        did("b", "buy", 60, coins=100),  # day 2
    ]

    block = ask(rows, plan, END).cells.blocks[text]

    assert block.names == ("value", "denominator", "reached", "times")
    assert block.means.tolist() == [[4.25, 1.5, 0.5, 1.0]]
    a, b = np.array([7.5, 2, 0, 0]), np.array([1.0, 1, 1, 2])
    assert block.covariance[0] == pytest.approx(np.cov(np.vstack([a, b]).T), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("clock", "retained"), [(Clock(), 0.0), (SEOUL, 1.0), (NEW_YORK, 0.0)])
def test_gather__day_mode__decides_which_day_an_event_is_on(clock: Clock, retained: float) -> None:
    plan = replace(PLAN, outcomes=("on_day:1",), behaviour=None)
    rows = [met("a", "control", 14), did("a", "play", 16)]  # Monday 23:00 and Tuesday 01:00 in Seoul

    block = ask(rows, plan, END, clock=clock).cells.blocks["on_day:1"]

    assert block.means.tolist() == [[retained]]


@pytest.mark.slow
def test_gather__clock_signup__counts_days_from_the_signup_and_leaves_others_out() -> None:
    plan = replace(PLAN, clock="signup", outcomes=("on_day:1",))
    rows = [
        did("a", "signup", 0),
        did("a", "add", 1),
        met("a", "control", 20),  # day 0 began with the signup
        did("a", "add", 25),  # day 1 since the signup, day 0 since the exposure
        did("b", "signup", 0),
        met("b", "nudge", 100),
        did("b", "add", 130),
        met("c", "nudge", 0),  # never signed up
        met("d", "nudge", 0),
        did("d", "signup", 1),  # only after the exposure
    ]

    found = ask(rows, plan, END)

    assert found.no_signup == 2
    assert found.cells.exposed.tolist() == [1, 1]
    assert found.cells.blocks["on_day:1"].means.tolist() == [[1.0, 1.0, 2.0], [0.0, 0.0, 0.0]]
    assert found.silent == (("control", 1, 0), ("nudge", 1, 0))
    assert found.last_mature_on == date(2026, 3, 4)


@pytest.mark.slow
def test_gather__clock_signup__silence_is_counted_from_the_exposure() -> None:
    plan = replace(PLAN, clock="signup", outcomes=("on_day:1",), behaviour=None)
    rows = [did("a", "signup", 0), did("a", "play", 5), met("a", "control", 20)]

    assert ask(rows, plan, END).silent[0] == ("control", 1, 1)


@pytest.mark.slow
def test_gather__named_activity__only_it_makes_a_day_active() -> None:
    plan = replace(PLAN, outcomes=("on_day:1",), behaviour=None)
    rows = [met("a", "control", 0), did("a", "push", 25), met("b", "control", 0), did("b", "play", 25)]

    found = ask(rows, plan, END, activity=("play",))

    assert found.cells.blocks["on_day:1"].means.tolist() == [[0.5]]
    assert found.curve[:2] == (("control", 0, 2, 0), ("control", 1, 2, 1))
    assert found.silent[0] == ("control", 2, 0)  # a push is an event all the same


@pytest.mark.slow
@pytest.mark.parametrize("amount", ["Infinity", "-inf", "NaN", "1e999", 1e300, "x", True, None, {}, []])
def test_gather__amounts_that_are_no_numbers__count_as_none(amount: Any) -> None:
    plan = replace(PLAN, outcomes=("sum:pay:amount:2-3",), behaviour=None)
    rows = [met("a", "control", 0), met("b", "control", 0), met("c", "nudge", 0)]
    rows += [did("a", "pay", 50, amount=amount), did("b", "pay", 50, amount=4.5), did("b", "pay", 51, amount="1.5")]

    block = ask(rows, plan, END).cells.blocks["sum:pay:amount:2-3"]

    assert block.n.tolist() == [2, 1]
    assert block.means.tolist() == [[3.0], [0.0]]
    assert block.covariance[0].tolist() == [[18.0]]


# ── clusters ──────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_gather__of_clusters__tells_cells_apart_by_the_first_exposure_and_counts_who_names_none() -> None:
    def guild(unit: str, arm: str, hour: int, name: str | None) -> tuple[Any, ...]:
        said = {"experiment_id": "x", "variation_id": arm, **({} if name is None else {"cluster": name})}
        return unit, "Experiment Viewed", at(hour), json.dumps(said)

    rows = [
        guild("a", "control", 0, "g1"),
        guild("a", "control", 9, "g2"),  # it changed its guild: the first stays
        guild("b", "control", 1, "g1"),
        did("b", "play", 51),
        guild("c", "nudge", 1, "g2"),
        guild("d", "nudge", 1, None),
        guild("e", "nudge", 2, "g2"),
        guild("e", "control", 3, "g1"),
    ]

    found = ask(rows, replace(PLAN, clustered=True, behaviour=None), END)
    plain = ask(rows, replace(PLAN, behaviour=None), END)

    cells = found.cells
    assert cells.cluster is not None
    assert (cells.clusters, cells.cluster.tolist(), cells.variant.tolist()) == (2, [0, 1], [0, 1])
    assert cells.exposed.tolist() == [2, 2]
    assert (found.no_cluster, found.several_variants, found.no_signup) == (1, 1, 0)
    assert cells.blocks["window:2-3"].means[:, 0].tolist() == [0.5, 0]
    assert (plain.cells.cluster, plain.no_cluster, plain.cells.exposed.tolist()) == (None, 0, [2, 3])


@pytest.mark.slow
def test_gather__of_saturations__says_what_each_cluster_drew() -> None:
    names = [f"g{n}" for n in range(6)]
    rows = [
        (
            f"u{n}",
            "Experiment Viewed",
            at(n),
            json.dumps({"experiment_id": "x", "variation_id": "control", "cluster": one}),
        )
        for n, one in enumerate(names)
    ]
    asked = replace(
        PLAN, behaviour=None, clustered=True, seed="s", saturations=(Saturation(0, 0.5), Saturation(0.5, 0.5))
    )

    found = ask([*rows, did("u0", "play", 60)], asked, END)

    assert found.cells.saturation is not None
    assert found.cells.saturation.tolist() == [int(unit_hash("s", one) >= 0.5) for one in names]
