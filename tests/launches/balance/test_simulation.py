"""Rules played over past days: by hand, both sides of caps, multipliers, stocks; and worlds with known rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.simulation.event_worlds import EVENT_WORLDS
from launches.balance.simulation import Change, Plays, balance, happened, play, respond, threshold_for
from tests.launches.balance.make import block_of, past_of, rules, world_past

BATTLE = {"behaviour": "battle", "points": 10}
CRAFT = {"behaviour": "craft", "points": 15}


# ── By hand ───────────────────────────────────────────────────────────────────
def test_points__of_a_dozen_users__are_those_counted_by_hand() -> None:
    # The event begins on a Wednesday: its days 3 and 4 are the weekend, on which a battle counts double.
    # Five battles a day count; crafts give at most 30 points a day.
    asked = rules(days=7)
    rows = [
        (0, 0, 5, 0),  # 50
        (1, 0, 6, 0),  # the sixth battle counts nothing: 50
        (2, 3, 2, 0),  # Saturday: 40
        (3, 2, 2, 0),  # Friday: 20
        (4, 4, 5, 3),  # Sunday: 100, and three crafts are 30 for two: 130
        (5, 0, 0, 2),  # 30
        (6, 0, 0, 3),  # 30
        (7, 0, 1, 1),  # 25
        (7, 1, 1, 1),  # 25 more
        (8, 6, 0, 0),  # there and does nothing
        (9, 0, 5, 2),  # 80
        (9, 6, 5, 2),  # 80 more: 160
        # Users 10 and 11 aren't there at all.
    ]
    played = play(block_of(rows, 12), ("battle", "craft"), asked, 0.0, apart=True)
    assert played.so_far[:, -1].tolist() == [50, 50, 40, 20, 130, 30, 30, 50, 0, 160, 0, 0]
    assert played.so_far[7].tolist() == [25, 50, 50, 50, 50, 50, 50]
    assert played.by_rule[0].tolist() == [50, 50, 40, 20, 100, 0, 0, 20, 0, 100, 0, 0]
    # 50 points are reached on day 0 by users 0, 1 and 9, on day 1 by user 7, on day 4 by user 4.
    assert played.reached(50).tolist() == [0, 0, 7, 7, 4, 7, 7, 1, 7, 0, 7, 7]
    assert played.reached(50.01).tolist() == [7, 7, 7, 7, 4, 7, 7, 7, 7, 0, 7, 7]


@pytest.mark.parametrize(("points", "users"), [(160, 1), (160.5, 0), (130, 2), (50, 5), (20, 9), (0.01, 9)])
def test_share__at_a_threshold__counts_who_has_as_many_points(points: float, users: int) -> None:
    rows = [(0, 0, 5, 0), (1, 0, 6, 0), (2, 3, 2, 0), (3, 2, 2, 0), (4, 4, 5, 3), (5, 0, 0, 2), (6, 0, 0, 3)]
    rows += [(7, 0, 1, 1), (7, 1, 1, 1), (8, 6, 0, 0), (9, 0, 5, 2), (9, 6, 5, 2)]
    asked = rules(days=7, steps=[{"name": "A", "points": points, "cost": 2}])
    made = balance(past_of(block_of(rows, 12), block_of(rows, 12, -7)), asked)
    (step,) = made.steps
    assert step.share.estimate == pytest.approx(users / 12)
    assert step.users.estimate == pytest.approx(users)
    assert made.cost.estimate == pytest.approx(2 * users)
    assert step.share.low <= step.share.estimate <= step.share.high


@pytest.mark.parametrize(("stock", "day", "without"), [(0, 0, 3), (2, 0, 1), (3, None, 0)])
def test_stock__of_a_step__is_gone_on_the_day_on_which_somebody_goes_without(
    stock: int, day: int | None, without: int
) -> None:
    rows = [(user, 0, 5, 0) for user in range(3)]
    asked = rules(days=7, steps=[{"name": "A", "points": 50, "cost": 2, "stock": stock}])
    made = balance(past_of(block_of(rows, 4), block_of(rows, 4, -7)), asked)
    out = made.steps[0].runs_out
    assert out is not None
    assert (out.day, out.without.estimate) == (day, without)
    assert made.cost.estimate == pytest.approx(2 * min(stock, 3))


def test_stock__that_lasts_for_the_first_days__is_gone_later() -> None:
    rows = [(0, 0, 5, 0), (1, 2, 5, 0), (2, 4, 5, 0)]
    asked = rules(days=7, steps=[{"name": "A", "points": 50, "stock": 2}])
    out = balance(past_of(block_of(rows, 4), block_of(rows, 4, -7)), asked).steps[0].runs_out
    assert out is not None
    assert out.day == 4


def test_sensitivity__without_a_rule_and_doubled__is_what_that_rule_alone_gives() -> None:
    rows = [(0, 0, 5, 0), (1, 0, 2, 2), (2, 0, 0, 2)]
    asked = rules(days=7, rules=[BATTLE, CRAFT], steps=[{"name": "A", "points": 50, "cost": 1}])
    made = balance(past_of(block_of(rows, 4), block_of(rows, 4, -7)), asked)
    shares = {(row.change, row.rule): row.shares[0] for row in made.sensitivity}
    assert made.steps[0].share.estimate == 2 / 4  # user 0 has 50, user 1 has 20 + 30
    assert shares[Change.WITHOUT, 0] == 0  # 30 and 30
    assert shares[Change.DOUBLED, 0] == 2 / 4
    assert shares[Change.WITHOUT, 1] == 1 / 4
    assert shares[Change.DOUBLED, 1] == 3 / 4  # user 2 has 60 now


# ── Response ──────────────────────────────────────────────────────────────────
@given(st.integers(0, 1_000), st.sampled_from([-1.0, -0.5, -0.1, 0.0, 0.2, 1.0, 2.5]))
def test_respond__any_block__changes_the_times_by_the_response_on_average(seed: int, u: float) -> None:
    rng = np.random.default_rng(seed)
    rows = [(user, day, int(rng.poisson(4)), int(rng.poisson(2))) for user in range(40) for day in range(14)]
    block = block_of(rows, 40)
    found = respond(block, u, np.random.default_rng(seed))
    assert (found >= 0).all()
    assert found.sum() == pytest.approx((1 + u) * block.times.sum(), rel=0.12, abs=1e-9)
    if u in (0.0, 1.0):  # at 1 each day gets the acts of another one: twice as many in all, exactly
        assert found.sum() == (1 + u) * block.times.sum()


def test_threshold__for_a_share__is_the_roundest_that_so_many_reach() -> None:
    rows = [(user, 0, user % 5 + 1, 0) for user in range(100)]  # 10, 20, 30, 40, 50 points, a fifth each
    asked = rules(days=7, rules=[BATTLE], steps=[{"name": "A", "points": 1}])
    past = past_of(block_of(rows, 100), block_of(rows, 100, -7))
    for share, points in ((0.4, 40.0), (0.39, 40.0), (0.2, 50.0), (1.0, 10.0)):
        found = threshold_for(past, asked, share)
        assert found.points <= points
        assert found.points > points - 10
        assert found.share == pytest.approx(round(share, 1))


# ── Worlds ────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("name", "u"), [("event", 0.0), ("event_response", 0.25), ("event_weeks", 0.0)])
def test_world__played_by_known_rules__shares_within_2_points_and_cost_within_5_percent(name: str, u: float) -> None:
    shares, costs, covered = [], [], []
    asked = rules(response={"middle": u})
    for seed in range(16):
        past, known, new = world_past(EVENT_WORLDS[name], seed)
        made = balance(past, asked)
        came = happened(known, new, made)
        pairs = list(zip(asked.steps, made.steps, came.steps, strict=True))
        shares.append([promised.share.estimate - one.share for _step, promised, one in pairs])
        paid = sum(step.cost * min(one.users, step.stock or one.users) for step, _promised, one in pairs)
        costs.append(made.cost.estimate / paid - 1)
        covered.append([promised.share.low <= one.share <= promised.share.high for _step, promised, one in pairs])
        assert came.response is not None
        assert came.response.middle == pytest.approx(u if name != "event_weeks" else 0.0, abs=0.12)
    assert np.abs(np.mean(shares, axis=0)).max() <= 0.02
    assert abs(np.mean(costs)) <= 0.05
    if name != "event_weeks":  # there single weeks differ by more, and the interval says so
        assert np.abs(shares).max() <= 0.03
    assert np.mean(covered) >= 0.8


def test_world__search_for_30_percent__hits_its_aim_within_a_point() -> None:
    for seed in range(4):
        past, known, _new = world_past(EVENT_WORLDS["event"], seed)
        asked = rules()
        found = threshold_for(past, asked, 0.3)
        assert found.share == pytest.approx(0.3, abs=0.01)
        with_it = rules(steps=[{"name": "A", "points": found.points}])
        assert balance(past, with_it).steps[0].share.estimate == pytest.approx(found.share, abs=1e-9)
        (played,) = [play(one, known.behaviours, with_it, 0.0) for one in known.blocks]
        assert (played.reached(found.points) < 14).mean() == pytest.approx(0.3, abs=0.03)


def test_change_of_a_threshold__with_the_points_at_hand__plays_nothing_anew() -> None:
    past, _known, _new = world_past(EVENT_WORLDS["event"], 1)
    plays: Plays = {}
    whole = balance(past, rules(), plays)
    before = {u: list(played) for u, played in plays.items()}
    changed = balance(past, rules(steps=[{"name": "Bronze", "points": 100, "cost": 0.2}]), plays)
    assert changed.steps[0].share.estimate == whole.steps[0].share.estimate
    assert {u: [id(one) for one in played] for u, played in plays.items()} == {
        u: [id(one) for one in played] for u, played in before.items()
    }
