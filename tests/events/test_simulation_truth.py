"""Truth checked by other routes: quadrature over engagement, sums over the potential outcomes, and estimates."""

import json

import numpy as np
import pytest
from scipy import special, stats

from events.simulation import LAB, WORLDS, Simulation, draw_arms, simulate, truth
from events.simulation.people import active_days, draw_people
from events.simulation.worlds import SMOOTH_SCALE
from tests.marks import first_in_ci
from tests.simulated import experiment_table

SHARES, MEANS = np.array([0.35, 0.30, 0.20, 0.15]), np.array([-0.5, 0.0, 0.2, 0.7])
TAU = 1.2 * np.array([0.6, 1.1, 0.4, 1.3])
FRIEND_RATES = np.array([0.35, 0.55, 0.75, 1.10])
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def leave(day: int, engagement: np.ndarray, shift: float) -> np.ndarray:
    return np.asarray(special.expit(-2.6 + 1.2 * np.exp(-day / 3) - 0.8 * engagement - shift * (day >= 7)))


def count_distribution(group: int, boost: float) -> np.ndarray:
    """P(N = k) for k = 0..199 by a chain over days 0..6: still there or not, and active days so far."""
    engagement = MEANS[group] + 0.7 * NODES
    there, gone = np.zeros((NODES.size, 8)), np.zeros((NODES.size, 8))
    there[:, 1], gone[:, 1] = 1 - leave(0, engagement, 0), leave(0, engagement, 0)
    active = special.expit(0.1 + 0.7 * engagement)[:, None]
    for day in range(1, 7):
        gone += there * leave(day, engagement, 0)[:, None]
        there *= 1 - leave(day, engagement, 0)[:, None]
        there = there * (1 - active) + np.pad(there, ((0, 0), (1, 0)))[:, :-1] * active
    rate = FRIEND_RATES[group] * boost * np.exp(0.3 * engagement)
    days = np.arange(8)[None, :, None]
    chance = stats.poisson.pmf(np.arange(200)[None, None, :], days * rate[:, None, None])
    return np.asarray((WEIGHTS[:, None, None] * (there + gone)[:, :, None] * chance).sum(axis=(0, 1)))


def retention(group: int, shift: float) -> float:
    """P(active on any of the days 21..27), backwards from day 27."""
    engagement = MEANS[group] + 0.7 * NODES
    active = special.expit(0.1 + 0.7 * engagement)
    silent = np.ones(NODES.size)
    for day in range(27, 20, -1):
        gone = leave(day, engagement, shift)
        silent = gone + (1 - gone) * (1 - active) * silent
    stays = np.prod([1 - leave(day, engagement, shift) for day in range(21)], axis=0)
    return float((WEIGHTS * stays * (1 - silent)).sum())


@pytest.fixture(scope="module")
def step() -> Simulation:
    return simulate(WORLDS["step"], 20_000, 1)


def test_smooth_scale__by_quadrature__gives_the_same_mean_effect() -> None:
    chances = [count_distribution(group, 1.0) for group in range(4)]
    dose = np.minimum(np.arange(200), 10) / 10
    as_step = sum(SHARES[g] * TAU[g] * chances[g][3:].sum() for g in range(4))
    as_smooth = sum(SHARES[g] * TAU[g] * (chances[g] * dose).sum() for g in range(4))

    assert pytest.approx(as_step / as_smooth, abs=5e-5) == SMOOTH_SCALE


@pytest.mark.slow
def test_truth__take_up__agrees_with_quadrature(step: Simulation) -> None:
    plain = SHARES @ [count_distribution(group, 1.0)[3:].sum() for group in range(4)]
    boosted = SHARES @ [count_distribution(group, 3.0)[3:].sum() for group in range(4)]
    expected = {"control": plain, "nudge": 0.4 * plain + 0.6 * boosted}

    found = truth(step)["take_up"]

    for arm, share in expected.items():
        assert abs(found[arm] - share) < 4 * np.sqrt(share * (1 - share) / 20_000)


@pytest.mark.slow
def test_truth__average_effect__agrees_with_quadrature(step: Simulation) -> None:
    with_moment = SHARES @ [retention(group, TAU[group]) for group in range(4)]
    without = SHARES @ [retention(group, 0.0) for group in range(4)]

    assert abs(step.retained_with_moment.mean() - with_moment) < 4 * np.sqrt(with_moment / 20_000)
    assert abs(step.retained_without.mean() - without) < 4 * np.sqrt(without / 20_000)
    # Common random numbers: the difference has the variance of a share of changed users only.
    effect = with_moment - without
    assert abs(truth(step)["ate"] - effect) < 4 * np.sqrt(effect / 20_000)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 1.2])
def test_active_days__given_engagement__have_the_chance_of_the_formula(shift: float) -> None:
    """Summed plainly and weighted by E: an error in how engagement enters leaves the plain sum almost alone."""
    people = draw_people(WORLDS["step"], 100_000, 1)
    active = active_days(people, shift)
    engagement = people.engagement

    stays = 1 - leave(0, engagement, shift)
    for day in range(1, 35):
        stays = stays * (1 - leave(day, engagement, shift))
        chance = stays * special.expit(0.1 + 0.7 * engagement)
        for weight in (np.ones(100_000), engagement):
            error = np.sqrt((weight**2 * chance * (1 - chance)).sum())
            assert abs((weight * (active[:, day] - chance)).sum()) < 4.5 * error, day


@pytest.mark.slow
def test_retained__at_both_edges_of_the_window__counts_days_21_and_27_only(step: Simulation) -> None:
    active = np.zeros((20_000, 35), dtype=bool)
    active[step.active_user, step.active_day] = True

    assert np.array_equal(step.retained, active[:, [21, 22, 23, 24, 25, 26, 27]].any(axis=1))
    for first, last in ((20, 27), (22, 27), (21, 26), (21, 28)):  # the sample can tell these windows apart
        assert not np.array_equal(step.retained, active[:, first : last + 1].any(axis=1))


@pytest.mark.slow
def test_truth__effect__is_the_mean_difference_among_compliers(step: Simulation) -> None:
    found = truth(step)
    compliers = (step.target_counts_by_arm[0] < 3) & (step.target_counts_by_arm[1] >= 3)

    differences = [
        int(a) - int(b)
        for a, b, complier in zip(step.retained_with_moment, step.retained_without, compliers, strict=True)
        if complier
    ]
    assert found["effect"] == pytest.approx(sum(differences) / len(differences), abs=1e-12)
    assert found["shares"]["complier"] == pytest.approx(len(differences) / 20_000, abs=1e-12)
    assert found["itt"] == pytest.approx(found["effect"] * found["shares"]["complier"], abs=1e-12)
    assert found["wald"] == pytest.approx(found["effect"], abs=1e-12)
    assert sum(found["shares"].values()) == pytest.approx(1, abs=1e-12)


def test_truth__groups__add_up_to_the_whole(step: Simulation) -> None:
    found = truth(step)
    groups = found["by_group"].values()

    assert sum(group["units"] for group in groups) == 20_000
    for key in ("ate", "itt"):
        assert sum(group["units"] * group[key] for group in groups) / 20_000 == pytest.approx(found[key], abs=1e-12)
    compliers = [group["units"] * group["shares"]["complier"] for group in groups]
    effects = [group["effect"] for group in groups]
    assert np.average(effects, weights=compliers) == pytest.approx(found["effect"], abs=1e-12)
    members = found["memberships"]
    assert {name: len(ids) for name, ids in members["group"].items()} == {
        name: group["units"] for name, group in found["by_group"].items()
    }
    assert sorted(unit for units in members["compliance"].values() for unit in units) == [
        f"u{k:07d}" for k in range(1, 20_001)
    ]


@pytest.mark.parametrize("name", WORLDS)
def test_potential_outcomes__of_the_arm_a_user_is_in__are_what_was_seen(name: str) -> None:
    simulation = simulate(WORLDS[name], 1_000, 6)
    if WORLDS[name].spill:  # there the outcome depends on everyone: put all in one arm
        simulation = simulate(WORLDS[name], 1_000, 6, arms=np.ones(1_000, dtype=np.int64))
    user = np.arange(1_000)

    assert np.array_equal(simulation.target_counts_by_arm[simulation.arm, user], simulation.target_count)
    assert np.array_equal(simulation.retained_by_arm[simulation.arm, user], simulation.retained)


@pytest.mark.parametrize("name", WORLDS)
def test_monotonicity__every_world__is_exact(name: str) -> None:
    simulation = simulate(WORLDS[name], 2_000, 6)

    assert (simulation.target_counts_by_arm[1] >= simulation.target_counts_by_arm[0]).all()
    if min(WORLDS[name].tau) >= 0:
        assert (simulation.retained_with_moment >= simulation.retained_without).all()
        assert (simulation.retained_by_arm[1] >= simulation.retained_by_arm[0]).all()


@pytest.mark.parametrize("name", WORLDS)
def test_truth__every_world__is_json_and_names_its_moment(name: str) -> None:
    found = json.loads(json.dumps(truth(simulate(WORLDS[name], 1_500, 6)), allow_nan=False))

    times, days = (1, 1) if name == "daily_cause" else (3, 7)
    moment = {"behaviour": "friend_add", "times": times, "days": days}
    without = {
        "no_effect",
        "smooth",
        "levels_off",
        "levels_off_at_3",
        "direct_nudge",
        "planted_groups",
        "noise",
        "salience_null",
        "guilds_null",
        "styles",
    }
    if name in ("spill", "spill_2"):
        moment["behaviour"] = "chat"
    assert found["moment"] == (None if name in without else moment)
    assert found["retention"] == "window:21-27"
    assert (found["world"], found["units"], found["seed"]) == (name, 1_500, 6)
    if name in {
        "no_effect",
        "direct_nudge",
        "planted_groups",
        "salience_null",
        "guilds_null",
        "styles",
        "spill",
        "spill_2",
    }:
        assert found["effect"] == found["ate"] == 0
    elif name == "noise":
        assert set(found["effect"]) == set(found["wald"]) == {"not_computable"}
        assert found["ate"] == found["itt"] == 0
    else:
        assert found["ate"] > 0
    assert found["groups"] == (["battler"] if name == "blob" else ["solo crafter", "battler", "trader", "social"])
    assert ("not_computable" in str(found["by_group"]["trader"])) is (name in {"blob", "noise"})


@pytest.mark.slow
def test_truth__opposite_segments__differ_in_sign() -> None:
    groups = truth(simulate(WORLDS["opposite_segments"], 20_000, 1))["by_group"]

    signs = {name: np.sign(group["effect"]) for name, group in groups.items()}
    assert signs == {"solo crafter": 1, "battler": 1, "trader": -1, "social": -1}


@pytest.mark.slow
def test_truth__direct_nudge__has_an_itt_without_an_effect() -> None:
    found = truth(simulate(WORLDS["direct_nudge"], 20_000, 1))

    assert found["effect"] == 0
    assert found["itt"] > 0.03
    assert found["itt_by_arm"]["placebo"] == found["itt"]


# World: friend_add's effect, chat's, how far the nudge moves friend_add and chat; in points of users.
TWO = {
    "spill": (0, 15, 12, 6),
    "spill_2": (0, 15, 12, 2),
    "spill_both": (15, 15, 12, 6),
    "consequence": (15, 15, 12, 4),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TWO)
def test_truth__of_two_behaviours__is_what_the_world_promises(name: str) -> None:
    found = truth(simulate(WORLDS[name], 60_000, 1))
    other = found["other"]

    measured = [found["effect"], other["effect"], found["take_up"]["nudge"] - found["take_up"]["control"]]
    # 7,200 compliers, 1,200 to 3,600 of chat, of whom 15 % each gain: errors of .4 to 1 point.
    assert [100 * part for part in measured] == pytest.approx(TWO[name][:3], abs=2.5)
    assert 100 * other["moved"] == pytest.approx(TWO[name][3], abs=0.4)
    assert other["moved"] == pytest.approx(other["take_up"]["nudge"] - other["take_up"]["control"], abs=1e-12)
    assert other["consequence"] is (name == "consequence")
    assert (other["behaviour"], other["times"], other["days"]) == ("chat", 3, 7)


@pytest.mark.slow
@pytest.mark.parametrize("name", TWO)
def test_truth__of_two_behaviours__is_near_what_the_experiments_rows_show(name: str) -> None:
    simulation = simulate(WORLDS[name], 60_000, 2)
    table, found = experiment_table(simulation).to_pandas(), truth(simulation)
    arms = [table[table.variant == arm] for arm in ("control", "nudge")]

    for column, true in (
        ("retained", found["itt"]),
        ("reached", found["take_up"]["nudge"] - found["take_up"]["control"]),
        ("chat", found["other"]["moved"]),
        ("craft", 0.0),
    ):
        error = np.sqrt(sum(arm[column].var() / len(arm) for arm in arms))
        assert abs(arms[1][column].mean() - arms[0][column].mean() - true) < 4 * error, column
    # Its own log, counted as any tool would.
    chats = (simulation.active_day < 7) * simulation.counts[:, [k.name for k in WORLDS[name].behaviours].index("chat")]
    often = np.bincount(simulation.active_user, weights=chats, minlength=60_000) >= 3
    assert np.array_equal(often, simulation.other_counts_by_arm[simulation.arm, np.arange(60_000)] >= 3)


@pytest.mark.slow
def test_truth__consequence__moves_chat_through_friends_alone() -> None:
    simulation = simulate(WORLDS["consequence"], 20_000, 1)
    chats = simulation.other_counts_by_arm
    moved = simulation.compliance == 1

    assert np.array_equal(chats[0][~moved], chats[1][~moved])
    assert (chats[1][moved] > chats[0][moved]).mean() > 0.3
    assert truth(simulation)["wald"] == pytest.approx(truth(simulation)["effect"], abs=1e-12)


@pytest.mark.slow
def test_lab__of_two_nudges__moves_each_behaviour_by_its_own_and_keeps_by_friends_alone() -> None:
    simulation = simulate(LAB, 40_000, 1)
    friends, chats = simulation.reached_by_arm, simulation.other_counts_by_arm >= LAB.times
    with_friends, with_chat = np.array(LAB.nudged_to("friends")), np.array(LAB.nudged_to("chat"))

    assert (with_friends.tolist(), with_chat.tolist()) == ([False, True, False, True], [False, False, True, True])
    for place in range(4):
        assert np.array_equal(friends[place], friends[1 if with_friends[place] else 0])
        assert np.array_equal(chats[place], chats[2 if with_chat[place] else 0])
        assert np.array_equal(simulation.retained_by_arm[place], simulation.retained_by_arm[int(with_friends[place])])
    assert friends[1].mean() - friends[0].mean() > 0.1
    assert chats[2].mean() - chats[0].mean() > 0.1
    assert np.array_equal(simulation.retained_with_other, simulation.retained_without_other)
    # As seen: who drew which set.
    assert np.array_equal(simulation.reached, friends[simulation.arm, np.arange(40_000)])
    assert np.array_equal(simulation.retained, simulation.retained_by_arm[simulation.arm, np.arange(40_000)])


def test_truth__of_one_behaviour__has_no_other() -> None:
    assert truth(simulate(WORLDS["step"], 500, 1))["other"] is None


def wald(simulation: Simulation) -> tuple[float, float]:
    """Wald estimate and its standard error from the exported experiment. Source: docs/methods/encouragement.md."""
    table = experiment_table(simulation).to_pandas()
    arms = [table[table.variant == name] for name in ("control", "nudge")]
    itt = arms[1].retained.mean() - arms[0].retained.mean()
    first_stage = arms[1].reached.mean() - arms[0].reached.mean()
    ratio = itt / first_stage
    variance = sum((arm.retained - ratio * arm.reached).var(ddof=1) / len(arm) for arm in arms)
    return ratio, np.sqrt(variance) / abs(first_stage)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["step", "smooth", "no_effect", "forced"])
@pytest.mark.parametrize("seeds", first_in_ci([2, 6]))
def test_wald__over_several_seeds__meets_the_truth_within_sampling_error(seeds: int, name: str) -> None:
    scores = []
    for seed in range(seeds):
        simulation = simulate(WORLDS[name], 20_000, seed)
        estimate, error = wald(simulation)
        scores.append((estimate - truth(simulation)["wald"]) / error)

    assert max(abs(score) for score in scores) < 4
    assert abs(np.mean(scores)) < 3.5 / np.sqrt(seeds)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", first_in_ci([2, 4]))
def test_wald__spillover_by_guild__meets_the_truth_and_by_user_falls_short(seeds: int) -> None:
    by_guild: list[float] = []
    by_user: list[float] = []
    true_first_stage: list[float] = []
    for seed in range(seeds):
        arms = draw_arms(WORLDS["spillover"], 20_000, seed, by_guild=True)
        for found, chosen in ((by_guild, arms), (by_user, None)):
            simulation = simulate(WORLDS["spillover"], 20_000, seed, arms=chosen)
            table = experiment_table(simulation).to_pandas().groupby("variant").reached.mean()
            found.append(table["nudge"] - table["control"])
        true_first_stage.append(truth(simulation)["take_up"]["nudge"] - truth(simulation)["take_up"]["control"])

    target = np.mean(true_first_stage)
    assert np.mean(by_guild) == pytest.approx(target, abs=0.015)
    assert np.mean(by_user) < target - 0.05
