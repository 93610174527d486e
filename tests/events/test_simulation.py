"""The generator: uniforms, determinism, and a log from which the drawn counts can be read again."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from events.simulation import WORLDS, draw_arms, events_table, replay, simulate, users_table, write_files
from events.simulation.people import Stream, _mix, choose, poisson_inverse, uniform
from tests.simulated import experiment_table


def test_mix__splitmix64__gives_the_published_first_outputs() -> None:
    """Vigna's splitmix64.c with seed 0; the same values stand in the tests of the Java and Rust ports."""
    golden = 0x9E3779B97F4A7C15
    states = np.array([golden * k % 2**64 for k in (1, 2, 3)], dtype=np.uint64)

    assert [int(x) for x in _mix(states)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_uniform__neighbouring_indexes__are_uniform_and_unrelated() -> None:
    grid = uniform(1, Stream.COUNT, np.arange(2_000)[:, None], np.arange(50)[None, :])
    other_stream = uniform(1, Stream.ACTIVE, np.arange(2_000)[:, None], np.arange(50)[None, :])
    other_seed = uniform(2, Stream.COUNT, np.arange(2_000)[:, None], np.arange(50)[None, :])

    assert grid.min() > 0
    assert grid.max() < 1
    assert stats.kstest(grid.ravel(), "uniform").pvalue > 1e-4
    pairs = [(grid[1:], grid[:-1]), (grid[:, 1:], grid[:, :-1]), (grid, other_stream), (grid, other_seed)]
    for left, right in pairs:
        assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 4 / np.sqrt(left.size)


@pytest.mark.slow
@given(st.lists(st.tuples(st.floats(1e-9, 1 - 1e-9), st.floats(0, 60)), min_size=1, max_size=40))
def test_poisson_inverse__any_uniform_and_rate__is_scipys_quantile(pairs: list[tuple[float, float]]) -> None:
    u, rate = (np.array(column) for column in zip(*pairs, strict=True))

    found = poisson_inverse(u, rate)

    # The definition itself, which allows either side where u equals the distribution function to rounding.
    assert (stats.poisson.cdf(found, rate) >= u - 1e-12).all()
    assert (stats.poisson.cdf(found - 1, rate) < u + 1e-12).all()


def test_poisson_inverse__random_grid__equals_scipy() -> None:
    rng = np.random.default_rng(0)
    u, rate = rng.random(50_000), rng.exponential(3.0, 50_000)

    assert np.array_equal(poisson_inverse(u, rate), np.asarray(stats.poisson.ppf(u, rate)).astype(int))


def test_poisson_inverse__largest_uniform__ends() -> None:
    u = np.full(3, np.nextafter(1.0, 0.0))

    found = poisson_inverse(u, np.array([0.0, 0.3, 600.0]))

    assert found[0] == 0
    assert (found[1:] >= stats.poisson.ppf(1 - 1e-14, [0.3, 600.0])).all()


@pytest.mark.parametrize("rate", [-0.1, 700.1])
def test_poisson_inverse__rate_out_of_range__is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 700"):
        poisson_inverse(np.array([0.5]), np.array([rate]))


def test_choose__edges_of_shares__fall_into_the_next_category() -> None:
    found = choose(np.array([0.0, 0.349, 0.35, 0.999999]), (0.35, 0.30, 0.20, 0.15))

    assert found.tolist() == [0, 0, 1, 3]
    assert choose(np.array([1 - 1e-16]), [0.1] * 10).tolist() == [9]


@pytest.mark.parametrize("name", WORLDS)
def test_log__recounted_from_the_events__equals_the_drawn_counts_and_retention(name: str) -> None:
    world = WORLDS[name]
    simulation = simulate(world, 300, 11)
    kinds = {kind.name: index for index, kind in enumerate(world.behaviours)}
    rows = events_table(simulation).to_pylist()
    signup = {row["user_id"]: row["time"] for row in rows if row["event"] == "signup"}

    drawn: Counter[tuple[str, int, str]] = Counter()
    active: set[tuple[str, int]] = set()
    for row in rows:
        day = (row["time"] - signup[row["user_id"]]) // timedelta(hours=24)
        active.add((row["user_id"], day))
        if row["event"] in kinds:
            drawn[row["user_id"], day, row["event"]] += 1

    ids = users_table(simulation).column("user_id").to_pylist()
    pairs = list(zip(simulation.active_user.tolist(), simulation.active_day.tolist(), strict=True))
    assert active == {(ids[user], day) for user, day in pairs}
    expected = {
        (ids[user], day, kind): int(simulation.counts[row, index])
        for row, (user, day) in enumerate(pairs)
        for kind, index in kinds.items()
        if simulation.counts[row, index] > 0
    }
    assert dict(drawn) == expected
    assert simulation.retained.tolist() == [any((unit, day) in active for day in range(21, 28)) for unit in ids]
    friends = [sum(drawn[unit, day, "friend_add"] for day in range(world.within)) for unit in ids]
    assert simulation.target_count.tolist() == friends


@pytest.mark.slow
def test_log__every_user__begins_with_signup_then_exposure_inside_eight_weeks() -> None:
    simulation = simulate(WORLDS["step"], 500, 2)
    table = events_table(simulation)
    rows = table.to_pylist()

    first = [row for previous, row in pairwise([{"user_id": ""}, *rows]) if row["user_id"] != previous["user_id"]]
    second = [row for previous, row in pairwise(rows) if previous["event"] == "signup"]
    assert [row["event"] for row in first] == ["signup"] * 500
    assert sum(row["event"] == "signup" for row in rows) == 500
    assert {row["event"] for row in second} == {"Experiment Viewed"}
    assert all(b["time"] - a["time"] == timedelta(seconds=1) for a, b in zip(first, second, strict=True))
    start = datetime(2026, 1, 5, tzinfo=UTC)
    assert all(start <= row["time"] < start + timedelta(weeks=8) for row in first)
    assert {(row["time"] - start) // timedelta(weeks=1) for row in first} == set(range(8))
    arms = users_table(simulation).column("arm").to_pylist()
    assert [json.loads(row["properties"]) for row in second] == [
        {"experiment_id": "aha-nudge", "variation_id": arm} for arm in arms
    ]
    assert len(set(table.column("message_id").to_pylist())) == len(rows)


def test_log__active_day__has_one_to_three_bursts() -> None:
    simulation = simulate(WORLDS["step"], 300, 4)
    times: dict[tuple[int, int], list[int]] = {}
    for user, time in zip(simulation.log.user.tolist(), simulation.log.time.tolist(), strict=True):
        day = (time - int(simulation.people.signup[user])) // 86_400_000_000
        times.setdefault((user, day), []).append(time)

    gaps = [sum(b - a > 1_200_000_000 for a, b in pairwise(moments)) for moments in times.values()]
    assert max(gaps) == 2
    assert {0, 1, 2} == set(gaps)


def test_simulate__same_seed__same_bytes(tmp_path: Path) -> None:
    for folder, seed in (("a", 7), ("b", 7), ("c", 8)):
        write_files(simulate(WORLDS["step"], 400, seed), tmp_path / folder)

    for name in ("events.parquet", "users.parquet", "truth.json"):
        first, again, other = ((tmp_path / folder / name).read_bytes() for folder in "abc")
        assert first == again
        assert first != other


def test_simulate__more_users__leaves_the_first_ones_alone() -> None:
    small, large = (users_table(simulate(WORLDS["step"], units, 3)) for units in (50, 120))

    assert large.slice(0, 50).equals(small)


@pytest.mark.slow
def test_arms__given_from_outside__replace_the_drawn_ones_and_nothing_else() -> None:
    world = WORLDS["step"]
    drawn = simulate(world, 200, 9)

    same = simulate(world, 200, 9, arms=drawn.arm.copy())

    assert events_table(same).equals(events_table(drawn))


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 59), st.integers(0, 2**32))
def test_arms__of_others_change__leave_a_user_alone(user: int, mask: int) -> None:
    world = WORLDS["step"]
    before = simulate(world, 60, 9)
    arms = np.array([(mask >> (index % 33)) & 1 for index in range(60)])
    arms[user] = before.arm[user]

    after = simulate(world, 60, 9, arms=arms)

    def events_of(simulation: Any) -> list[dict[str, Any]]:
        table = events_table(simulation)
        return table.filter(simulation.log.user == user).to_pylist()  # type: ignore[no-any-return]

    assert events_of(after) == events_of(before)
    assert after.retained[user] == before.retained[user]


def test_arms__of_a_friend_in_spillover__raise_only_guild_mates() -> None:
    world = WORLDS["spillover"]
    nobody = simulate(world, 200, 9, arms=np.zeros(200, dtype=np.int64))
    source = int(np.flatnonzero(nobody.people.responds)[5])
    arms = np.zeros(200, dtype=np.int64)
    arms[source] = 1

    one = simulate(world, 200, 9, arms=arms)

    changed = np.flatnonzero(one.target_count != nobody.target_count)
    assert (one.target_count >= nobody.target_count).all()
    assert set(nobody.people.guild[changed]) == {nobody.people.guild[source]}
    assert set(changed) > {source}


def test_arms__outside_the_experiment__have_no_exposure_and_no_nudge() -> None:
    simulation = simulate(WORLDS["step"], 100, 9, arms=np.full(100, -1))

    assert experiment_table(simulation).num_rows == 0
    assert users_table(simulation).column("arm").null_count == 100
    assert "Experiment Viewed" not in events_table(simulation).column("event").to_pylist()
    assert np.array_equal(simulation.target_count, simulation.target_counts_by_arm[0])


def test_arms__drawn_by_guilds_of_any_size__are_the_same_inside_each_guild() -> None:
    world = WORLDS["guilds"]
    arms, guild = draw_arms(world, 5_000, 1, by_guild=True), simulate(world, 5_000, 1).people.guild
    nudged = np.bincount(guild, weights=arms) / np.bincount(guild)
    assert set(nudged.tolist()) == {0.0, 1.0}


def test_arms__drawn_by_guild__are_the_same_inside_each_guild() -> None:
    arms = draw_arms(WORLDS["spillover"], 20_000, 1, by_guild=True).reshape(-1, 20)

    assert (arms == arms[:, :1]).all()
    assert 0.42 < arms[:, 0].mean() < 0.58


@pytest.mark.parametrize(
    ("units", "seed", "arms", "sentence"),
    [
        (0, 1, None, "units must lie between 1 and 1000000, not 0"),
        (1_000_001, 1, None, "units must lie between 1 and 1000000, not 1000001"),
        (3, -1, None, "seed must lie between 0"),
        (3, 2**63, None, "seed must lie between 0"),
        (3, 1, [0, 1], "one entry for each of the 3 users"),
        (3, 1, [0, 1, 2], "between -1 and 1 in world step"),
        (3, 1, [0, 1, -2], "between -1 and 1 in world step"),
    ],
)
def test_simulate__request_out_of_range__is_refused(
    units: int, seed: int, arms: list[int] | None, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        simulate(WORLDS["step"], units, seed, None if arms is None else np.array(arms))


@pytest.mark.parametrize("name", WORLDS)
def test_simulate__one_user_at_the_largest_seed__works(name: str) -> None:
    simulation = simulate(WORLDS[name], 1, 2**63 - 1)

    assert events_table(simulation).num_rows == simulation.log.user.size >= 1


def test_experiment_table__exposed_users__carry_outcome_and_traits() -> None:
    simulation = simulate(WORLDS["sample_ratio"], 500, 1)

    table = experiment_table(simulation)

    names = ["unit", "variant", "segment", "platform", "channel", "country", "guild", "reached", "retained"]
    assert table.column_names == names
    assert table.num_rows == simulation.exposed.sum() < 500
    assert table.column("retained").to_pylist() == simulation.retained[simulation.exposed].astype(int).tolist()
    assert (
        table.column("reached").to_pylist() == (simulation.target_count[simulation.exposed] >= 3).astype(int).tolist()
    )
    assert set(table.column("variant").to_pylist()) == {"control", "nudge"}


@pytest.mark.slow
def test_replay__with_everything_that_goes_wrong__holds_the_clean_log() -> None:
    simulation = simulate(WORLDS["step"], 2_000, 1)
    clean = {row["message_id"]: row for row in events_table(simulation).to_pylist()}

    calls = list(replay(simulation, 5, robot_days=2))

    assert calls == list(replay(simulation, 5, robot_days=2))
    sent = [datetime.fromisoformat(call["sentAt"]) for call in calls]
    assert all(a <= b for a, b in pairwise(sent))
    robots = Counter(call["userId"] for call in calls if call["userId"].startswith("robot-"))
    assert dict(robots) == dict.fromkeys(("robot-00001", "robot-00002", "robot-00003", "robot-00004"), 1_000)

    users = [(call, at) for call, at in zip(calls, sent, strict=True) if call["messageId"] in clean]
    assert len(users) + 4_000 == len(calls)
    assert {call["messageId"] for call, _ in users} == set(clean)
    assert (len(users) - len(clean)) / len(clean) == pytest.approx(0.005, rel=0.15)
    first = {call["messageId"]: (call, at) for call, at in reversed(users)}
    late = wrong = 0
    for message_id, (call, at) in first.items():
        row = clean[message_id]
        assert (call["userId"], call["event"]) == (row["user_id"], row["event"])
        assert call["properties"] == json.loads(row["properties"])
        assert timedelta(seconds=1) <= at - row["time"] <= timedelta(days=3)
        late += at - row["time"] > timedelta(seconds=1)
        shift = abs(datetime.fromisoformat(call["timestamp"]) - row["time"])
        assert shift <= timedelta(days=30)
        wrong += shift > timedelta(0)
    assert late / len(clean) == pytest.approx(0.01, rel=0.15)
    assert wrong / len(clean) == pytest.approx(0.001, rel=0.4)
