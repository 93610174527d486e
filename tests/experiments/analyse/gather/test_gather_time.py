"""What an experiment asks the warehouse, counted on fingers: over time, counts, refusals."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from experiments.plan.derived import Question
from runs.refusals import Refused
from tests.experiments.ask import ask
from tests.experiments.log import END, PLAN, START, did, met

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


# ── the rest ──────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_gather__durations__end_with_the_first_long_silence_or_at_the_end_of_follow_up() -> None:
    plan = replace(PLAN, churn_gap=3, behaviour=None)
    end = START + timedelta(days=8)
    rows = [
        met("a", "control", 0),
        did("a", "play", 25),  # day 1, then silence: churned after day 1
        did("a", "play", 24 * 7),
        met("b", "control", 0),
        *[did("b", "play", 24 * day + 1) for day in range(8)],  # never silent: censored at 8 - 3 - 1
        met("c", "nudge", 0, segment="s"),
        did("c", "play", 24 * 4 + 1),  # days 1 to 3 silent: churned after day 0
        met("d", "nudge", 24 * 5),  # exactly three whole days: a silence of three would show a day later; left out
        met("e", "nudge", 24 * 5 + 1),  # fewer: left out
        met("f", "nudge", 24 * 4),  # one more: silent on days 1 to 3, churned after day 0
        met("g", "nudge", 24 * 4),  # as long, and active on day 2: followed until day 0
        did("g", "play", 24 * 6 + 1),
    ]

    found = ask(rows, plan, end)

    assert found.durations == (
        ("control", "", 1, True, 1),
        ("control", "", 4, False, 1),
        ("nudge", "", 0, False, 1),
        ("nudge", "", 0, True, 1),
        ("nudge", "s", 0, True, 1),
    )


@pytest.mark.slow
@pytest.mark.parametrize("gap", [31, 40])
def test_gather__long_gap__gives_the_same_kind_of_durations(gap: int) -> None:
    plan = replace(PLAN, churn_gap=gap, behaviour=None)
    rows = [
        met("a", "control", 0),
        did("a", "play", 24 * 30 + 1),
        did("a", "play", 24 * (31 + gap) + 1),  # exactly `gap` whole days of silence after day 30
        met("b", "control", 0),
        did("b", "play", 24 * 30 + 1),
        did("b", "play", 24 * (30 + gap) + 1),  # one day fewer: no churn on day 30
    ]

    found = ask(rows, plan, START + timedelta(days=30 + 2 * gap))

    assert found.durations == (("control", "", 30, True, 1), ("control", "", 29 + gap, False, 1))


@pytest.mark.slow
def test_gather__curve__counts_active_units_of_those_with_the_whole_day_observed() -> None:
    plan = replace(PLAN, behaviour=None)
    rows = [
        met("a", "control", 0),
        did("a", "play", 1),
        did("a", "play", 50),
        did("a", "play", 51),
        met("b", "control", 24),
        did("b", "play", 24 * 3 + 1),  # its day 2
        did("b", "play", 24 * 4),  # its day 3, which has only begun
    ]

    found = ask(rows, plan, START + timedelta(hours=24 * 4 + 12))

    assert found.curve[:4] == (("control", 0, 2, 1), ("control", 1, 2, 0), ("control", 2, 2, 2), ("control", 3, 1, 0))


@pytest.mark.slow
def test_gather__times__are_cut_off_at_the_cap() -> None:
    rows = [met("a", "control", 0), *[did("a", "add", 1 + place / 100) for place in range(9)]]

    assert ask(rows, replace(PLAN, most_times=5), END).times == (("control", 5, 1),)


@pytest.mark.slow
def test_gather__silent__are_units_with_a_day_but_no_event_after_the_exposure() -> None:
    rows = [
        did("a", "play", -1),
        met("a", "control", 0),  # only before
        met("a", "control", 30),  # an exposure is no event of the unit
        met("b", "control", 0),
        did("b", "add", 0),  # at the same moment
        met("c", "nudge", 24 * 19 + 1),  # its day 0 isn't over
    ]

    assert ask(rows, PLAN, END).silent == (("control", 2, 1), ("nudge", 0, 0))


@pytest.mark.slow
def test_gather__late__counts_known_arrivals_from_the_first_exposure_on() -> None:
    rows = [
        did("a", "play", -1, arrived=100),  # before the first exposure
        met("a", "control", 0),  # no arrival known
        did("a", "add", 1, arrived=49),  # exactly 48 hours: in time
        did("a", "add", 2, arrived=50.001),  # late
        did("z", "add", 3, arrived=300),  # late, though never exposed
        did("z", "add", 4, arrived=4),
    ]

    assert ask(rows, PLAN, END).late == (4, 2)


@pytest.mark.slow
def test_gather__numeric_primary__is_cut_into_pooled_quintiles() -> None:
    plan = replace(PLAN, outcomes=("count:play:2-3", "window:2-3", "count:play:0-3"))
    rows = []
    for unit in range(10):
        rows.append(met(str(unit), "control" if unit < 5 else "nudge", 0))
        rows += [did(str(unit), "play", 50)] * unit
        rows += [did(str(unit), "add", 1)] * (2 if unit % 2 else 0)

    found = ask(rows, plan, END, primary=["count:play:2-3", "window:2-3"])

    assert set(found.bins) == {"count:play:2-3"}  # a 0/1 outcome needs none, a secondary one neither
    assert found.bins["count:play:2-3"] == (
        *(("control", place // 2, place % 2, 1) for place in range(5)),
        *(("nudge", place // 2, place % 2, 1) for place in range(5, 10)),
    )


@pytest.mark.slow
def test_gather__equal_values__share_the_bin_of_the_lowest() -> None:
    plan = replace(PLAN, outcomes=("count:play:2-3",))
    rows = [met(str(unit), "control", 0) for unit in range(10)]
    rows += [did(str(unit), "play", 50) for unit in (8, 9)] + [did("9", "play", 51), did("9", "add", 1)]

    assert ask(rows, plan, END).bins["count:play:2-3"] == (("control", 0, 0, 8), ("control", 4, 0, 2))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("primary", "day"),
    [
        (["window:2-3"], 6),
        (["window:2-3", "on_day:0"], 6),  # the longest decides
        (["on_day:0"], 3),
        (["survival:9"], 12),
        (["count:add:0-1 / active_days:0-5"], 8),
        ([], None),
    ],
)
def test_gather__last_mature_on__is_when_the_last_unit_has_every_primary_window_behind_it(
    primary: list[str], day: int | None
) -> None:
    rows = [met("a", "control", -100), met("b", "control", -1), did("a", "add", 0)]  # b on Sunday the first, 23:00

    assert ask(rows, PLAN, END, primary=primary).last_mature_on == (None if day is None else date(2026, 3, day - 1))


# ── refusals ──────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (replace(PLAN, experiment="never"), "Nobody has met the experiment 'never' yet"),
        (replace(PLAN, variants=("x",)), "Nobody can be analysed in the experiment 'x'"),
        (replace(PLAN, outcomes=("count:fly:0-1",)), "count:fly:0-1: there is no event 'fly'; the log has "),
        (replace(PLAN, outcomes=("count:add:0-1 / sum:fly:p:0-1",)), "there is no event 'fly'"),
        (replace(PLAN, outcomes=("min_events:fly:0-1:2",)), "there is no event 'fly'"),
        (replace(PLAN, behaviour="fly"), "fly: there is no event 'fly'"),
        (replace(PLAN, clock="signup"), "signup: there is no event 'signup'"),
        (replace(PLAN, covariates=("channel",)), "signup: there is no event 'signup'"),
    ],
)
def test_gather__nothing_to_ask__is_refused_with_a_sentence(plan: Question, words: str) -> None:
    with pytest.raises(Refused) as refusal:
        ask(DOZEN, plan, END)

    assert words in str(refusal.value)
