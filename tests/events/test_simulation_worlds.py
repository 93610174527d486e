"""The parameters of every world, typed again from docs/methods/worlds.md, and what each world plants."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from events.simulation import WORLDS, Simulation, World, simulate
from events.simulation.generate import event_names
from events.simulation.people import friend_boost
from events.simulation.worlds import BEHAVIOURS, GROUP_NAMES, NEGATIVE_CONTROLS

BASE: dict[str, Any] = {
    "moment": True,
    "shares": (0.35, 0.30, 0.20, 0.15),
    "engagement_means": (-0.5, 0.0, 0.2, 0.7),
    "engagement_sd": 0.7,
    "tau": (0.72, 1.32, 0.48, 1.56),
    "smooth": False,
    "levels_off": 0,
    "delta": 0.0,
    "take_up": 0.6,
    "boost": 3.0,
    "spill": 0.0,
    "lost_exposures": 0.0,
    "tutorial_reach": 0.0,
    "arms": ("control", "nudge"),
    "units": 20_000,
    "times": 3,
    "within": 7,
    "coin": 0.0,
    "comes": 0.0,
    "habit": 0.0,
    "seen_in": "",
    "guild_spread": 0.0,
    "other": "",
    "other_tau": 0.0,
    "other_take_up": 0.0,
    "leads": 1.0,
}
NONE = (0.0, 0.0, 0.0, 0.0)
DIFFERS: dict[str, dict[str, Any]] = {
    "step": {},
    "no_effect": {"moment": False, "tau": NONE},
    "smooth": {"moment": False, "smooth": True, "tau": tuple(1.4085 * x for x in (0.72, 1.32, 0.48, 1.56))},
    "levels_off": {"moment": False, "levels_off": 4},
    "levels_off_at_3": {"moment": False, "levels_off": 3},
    "forced": {"tutorial_reach": 0.98},
    "direct_nudge": {"moment": False, "tau": NONE, "delta": 0.4, "arms": ("control", "nudge", "placebo")},
    "weak_nudge": {"take_up": 0.02},
    "opposite_segments": {"tau": (1.2, 1.2, -0.96, -0.96)},
    "sample_ratio": {"lost_exposures": 0.12},
    "spillover": {"spill": 0.5},
    "guilds": {"spill": 0.5, "guild_spread": 1.0},
    "guilds_null": {"moment": False, "tau": NONE, "spill": 0.5, "guild_spread": 1.0},
    "blob": {"shares": (0.0, 1.0, 0.0, 0.0)},
    "planted_groups": {"moment": False, "tau": NONE, "engagement_means": NONE},
    "noise": {"moment": False, "tau": NONE, "units": 2_000},
    "styles": {"moment": False, "tau": NONE, "engagement_means": NONE, "styles": 3},
    "daily_cause": {
        "tau": NONE,
        "engagement_means": (0.7, 0.7, 0.7, 0.7),
        "times": 1,
        "within": 1,
        "coin": 0.5,
        "comes": 3.0,
        "habit": 0.8,
    },
    "measured_confounding": {"seen_in": "profile_field"},
    "salience": {"delta": 0.1, "arms": ("control", "nudge", "placebo")},
    "spill": {"tau": NONE, "take_up": 0.4, "other": "chat", "other_tau": 0.92, "other_take_up": 0.284},
    "spill_2": {"tau": NONE, "take_up": 0.4, "other": "chat", "other_tau": 0.92, "other_take_up": 0.095},
    "spill_both": {"tau": (1.28,) * 4, "take_up": 0.4, "other": "chat", "other_tau": 1.2, "other_take_up": 0.284},
    "consequence": {"tau": (0.9,) * 4, "take_up": 0.4, "other": "chat", "other_tau": 1.0, "leads": 3.0},
    "salience_null": {"moment": False, "tau": NONE, "delta": 0.1, "arms": ("control", "nudge", "placebo")},
}
RATES = {
    "friend_add": ((0.35, 0.55, 0.75, 1.10), 0.3),
    "craft": ((1.2, 0.2, 0.3, 0.6), 0.2),
    "battle": ((0.2, 1.5, 0.3, 0.6), 0.3),
    "shop": ((0.10, 0.15, 0.90, 0.30), 0.2),
    "chat": ((0.20, 0.35, 0.60, 1.10), 0.9),
    "browse": ((2.0, 2.0, 2.0, 2.0), 0.6),
    **dict.fromkeys(
        ("settings_open", "error_seen", "rotate", "mute", "help_open", "ad_seen", "screenshot"),
        ((0.3, 0.3, 0.3, 0.3), 0.0),
    ),
}


def run(name: str, units: int = 4_000, seed: int = 5) -> Simulation:
    return simulate(WORLDS[name], units, seed)


def test_worlds__names__are_those_of_the_table() -> None:
    assert set(WORLDS) == set(DIFFERS)
    assert all(name == world.name for name, world in WORLDS.items())


@pytest.mark.parametrize("name", DIFFERS)
def test_world__parameters__equal_the_table(name: str) -> None:
    world = WORLDS[name]

    for parameter, value in {**BASE, **DIFFERS[name]}.items():
        assert getattr(world, parameter) == pytest.approx(value), parameter


@pytest.mark.parametrize("name", [name for name in DIFFERS if name not in ("noise", "styles")])
def test_world__behaviours__equal_the_table(name: str) -> None:
    alike = {"profile_field": ((2.0, 2.0, 2.0, 2.0), 0.0), "friend_add": ((0.75, 0.75, 0.75, 0.75), 0.3)}
    profile = alike if name == "measured_confounding" else {}

    assert {kind.name: (kind.rates, kind.load) for kind in WORLDS[name].behaviours} == RATES | profile


def test_world__noise__has_fifty_behaviours_of_rate_three_tenths() -> None:
    kinds = WORLDS["noise"].behaviours

    assert len({kind.name for kind in kinds}) == 50
    assert {(kind.rates, kind.load) for kind in kinds} == {((0.3, 0.3, 0.3, 0.3), 0.0)}


@pytest.mark.slow
def test_world__styles__users_are_uniform_over_the_mixes() -> None:
    people = run("styles", 20_000).people

    assert people.mix.sum(axis=1) == pytest.approx(1.0)
    assert not people.mix[:, 3].any()
    assert (people.group == people.mix.argmax(axis=1)).all()
    # Uniform over a triangle: P(weight > t) = (1 - t)^2, and a third has each corner nearest.
    for style in range(3):
        for threshold in (0.25, 0.5, 0.75):
            share = (people.mix[:, style] > threshold).mean()
            assert share == pytest.approx((1 - threshold) ** 2, abs=0.012)
        assert (people.group == style).mean() == pytest.approx(1 / 3, abs=0.012)


def test_world__styles__each_pattern_has_four_behaviours_of_its_own() -> None:
    kinds = WORLDS["styles"].behaviours

    assert [kind.name for kind in kinds if kind.rates[1] == 1.5] == ["battle", "raid", "duel", "train"]
    assert all(sorted(kind.rates[:3]) == [0.05, 0.05, 1.5] for kind in kinds[1:])
    assert {kind.load for kind in kinds} == {0.0}


def test_world__parameter_hash__tells_worlds_apart() -> None:
    hashes = {world.parameter_hash for world in WORLDS.values()}

    assert len(hashes) == len(WORLDS)


def test_world__parameter_hash__of_a_world_from_before_later_parameters__is_as_it_was() -> None:
    # Stored results name it: benchmarks/aha_worlds/rows.jsonl.
    assert WORLDS["step"].parameter_hash.startswith("40266ec9d6c8")


@pytest.mark.parametrize(("name", "others"), [("spill", ["friend_add"]), ("spill_both", []), ("consequence", [])])
def test_world__inert__with_two_behaviours_holds_neither_cause(name: str, others: list[str]) -> None:
    assert [kind for kind in WORLDS[name].inert if kind in ("friend_add", "chat")] == others


@pytest.mark.parametrize(("name", "inert"), [("step", False), ("no_effect", True), ("smooth", False)])
def test_world__inert__names_the_cause_only_without_an_effect(name: str, inert: bool) -> None:
    assert ("friend_add" in WORLDS[name].inert) is inert
    assert set(NEGATIVE_CONTROLS) < set(WORLDS[name].inert)


@pytest.mark.slow
def test_groups__shares_and_engagement__are_those_planted() -> None:
    simulation = run("step", 20_000)
    people = simulation.people

    for code, (share, mean) in enumerate(zip(BASE["shares"], BASE["engagement_means"], strict=True)):
        members = people.group == code
        assert abs(members.mean() - share) < 4 * np.sqrt(share * (1 - share) / 20_000)
        assert abs(people.engagement[members].mean() - mean) < 4 * 0.7 / np.sqrt(members.sum())
        assert people.engagement[members].std() == pytest.approx(0.7, rel=0.05)


@pytest.mark.slow
def test_platform__follows_engagement__as_planted() -> None:
    people = run("step", 20_000).people
    expected = 1 / (1 + np.exp(-0.5 * people.engagement))

    assert abs((people.platform - expected).mean()) < 4 * 0.5 / np.sqrt(20_000)
    assert np.corrcoef(people.platform, people.engagement)[0, 1] > 0.1


@pytest.mark.slow
def test_counts__per_active_day__follow_the_rates_of_the_table() -> None:
    simulation = run("step", 8_000)
    people = simulation.people
    late = simulation.active_day >= 7  # beyond the nudge's days
    user = simulation.active_user[late]

    for index, kind in enumerate(BEHAVIOURS):
        rates, load = RATES[kind.name]
        for code in range(len(GROUP_NAMES)):
            members = people.group[user] == code
            exposure = np.exp(load * people.engagement[user[members]]).sum()
            total = simulation.counts[late, index][members].sum()
            assert abs(total - rates[code] * exposure) < 4.5 * np.sqrt(rates[code] * exposure), (kind.name, code)


@pytest.mark.slow
def test_nudge__on_days_0_to_6__triples_the_responders_friend_add() -> None:
    simulation = run("step", 20_000)
    boosted = (simulation.arm == 1) & simulation.people.responds
    user = simulation.active_user
    base = np.array(RATES["friend_add"][0])[simulation.people.group] * np.exp(0.3 * simulation.people.engagement)

    for days, factor in ((simulation.active_day < 7, 3.0), (simulation.active_day >= 7, 1.0)):
        rows = days & boosted[user]
        ratio = simulation.counts[rows, 0].sum() / base[user[rows]].sum()
        assert ratio == pytest.approx(factor, rel=0.04)


@pytest.mark.slow
def test_weak_nudge__responders__are_two_in_a_hundred() -> None:
    assert run("weak_nudge", 20_000).people.responds.mean() == pytest.approx(0.02, abs=0.004)


@pytest.mark.slow
def test_direct_nudge__placebo__moves_retention_but_not_the_behaviour() -> None:
    simulation = run("direct_nudge", 20_000)

    control, nudge, placebo = simulation.target_counts_by_arm
    assert (placebo == control).all()
    assert (nudge > control).any()
    assert (simulation.retained_by_arm[1] == simulation.retained_by_arm[2]).all()
    assert simulation.retained_by_arm[2].mean() - simulation.retained_by_arm[0].mean() > 0.03
    assert np.bincount(simulation.arm) / 20_000 == pytest.approx([1 / 3] * 3, abs=0.015)


@pytest.mark.slow
def test_sample_ratio__nudged_arm__loses_twelve_percent_of_its_exposures() -> None:
    simulation = run("sample_ratio", 20_000)

    assert simulation.exposed[simulation.arm == 0].all()
    assert simulation.exposed[simulation.arm == 1].mean() == pytest.approx(0.88, abs=0.013)
    exposures = simulation.log.code == event_names(simulation.world).index("Experiment Viewed")
    assert np.array_equal(simulation.log.user[exposures], np.flatnonzero(simulation.exposed))


def test_forced__tutorial_and_daily_bonus__meet_everyone() -> None:
    simulation = run("forced")
    log, names = simulation.log, event_names(simulation.world)
    day = (log.time - simulation.people.signup[log.user]) // 86_400_000_000
    bonus = log.code == names.index("daily_bonus")

    assert (log.code == names.index("tutorial")).sum() / 4_000 == pytest.approx(0.98, abs=0.01)
    assert not (log.code == names.index("app_open")).any()
    # One on each active day, and on every day but the first before anything else.
    assert np.array_equal(log.user[bonus], simulation.active_user)
    assert np.array_equal(day[bonus], simulation.active_day)
    starts = np.r_[True, (log.user[1:] != log.user[:-1]) | (day[1:] != day[:-1])]
    assert np.array_equal(starts & (day > 0), bonus & (day > 0))


def test_blob__groups__are_one() -> None:
    simulation = run("blob")

    assert set(simulation.people.group) == {1}


@pytest.mark.slow
def test_planted_groups__engagement__is_the_same_in_all() -> None:
    people = run("planted_groups", 20_000).people

    for code in range(4):
        members = people.engagement[people.group == code]
        assert abs(members.mean()) < 4 * 0.7 / np.sqrt(members.size)


@pytest.mark.slow
def test_spillover__control_user_with_a_boosted_friend__has_twice_the_rate() -> None:
    simulation = run("spillover", 20_000)
    people = simulation.people
    boosted = ((simulation.arm == 1) & people.responds).reshape(-1, 20)
    friend = sum((np.roll(boosted, step, axis=1) for step in (-2, -1, 1, 2)), np.zeros_like(boosted)).ravel()
    early = simulation.active_day < 7
    base = np.array(RATES["friend_add"][0])[people.group] * np.exp(0.3 * people.engagement)

    for has_friend, factor in ((True, 2.0), (False, 1.0)):
        rows = early & (~boosted.ravel() & (friend.astype(bool) == has_friend))[simulation.active_user]
        ratio = simulation.counts[rows, 0].sum() / base[simulation.active_user[rows]].sum()
        assert ratio == pytest.approx(factor, rel=0.05)


def test_spillover__last_guild_of_one__is_its_own_ring() -> None:
    simulation = run("spillover", 21)
    alone = run("step", 21)

    assert (simulation.target_counts_by_arm[:, 20] == alone.target_counts_by_arm[:, 20]).all()


@pytest.mark.slow
@pytest.mark.proof
def test_guilds__sizes__are_lognormal_around_twenty() -> None:
    guild = run("guilds", 200_000).people.guild
    sizes = np.bincount(guild)[:-1]

    assert (np.diff(guild) >= 0).all()
    assert np.median(sizes) == pytest.approx(20, abs=1)
    assert np.log(sizes).std() == pytest.approx(1.0, abs=0.05)
    assert sizes.min() >= 1
    # The first users of a larger world are in the same guilds.
    assert (run("guilds", 500).people.guild == guild[:500]).all()


def test_guilds__friends__are_two_on_each_side_inside_the_guild() -> None:
    people = run("guilds", 3_000).people
    alone = np.flatnonzero(np.bincount(people.guild)[people.guild] > 5)[40]
    nudged = np.zeros(3_000, dtype=bool)
    nudged[alone] = True

    factor = friend_boost(WORLDS["guilds"], replace(people, responds=np.ones(3_000, dtype=bool)), nudged)

    first, size = np.flatnonzero(people.guild == people.guild[alone])[0], (people.guild == people.guild[alone]).sum()
    friends = {int(first + (alone - first + step) % size) for step in (-2, -1, 1, 2)}
    assert set(np.flatnonzero(factor == 2.0).tolist()) == friends
    assert np.flatnonzero(factor == 3.0).tolist() == [alone]


@pytest.mark.parametrize("name", WORLDS)
def test_retention__every_world__is_plausible(name: str) -> None:
    world: World = WORLDS[name]
    simulation = simulate(world, 2_000, 3)
    active = np.bincount(simulation.active_day, minlength=35) / 2_000

    assert active[0] == 1.0
    assert 0.1 < simulation.retained.mean() < 0.35
    assert active[1] > active[7] > active[21] > 0.03


@pytest.mark.slow
def test_daily_cause__a_coin_on_day_0__brings_people_back_and_keeps_them() -> None:
    simulation = run("daily_cause", 40_000)
    days = np.bincount(
        simulation.active_user[(simulation.active_day > 0) & (simulation.active_day < 7)], minlength=40_000
    )
    effect = simulation.retained_with_moment.mean() - simulation.retained_without.mean()
    control = simulation.arm == 0

    # docs/methods/worlds.md: the true effect is .179.
    assert effect == pytest.approx(0.179, abs=0.006)
    assert simulation.reached_by_arm[0].mean() == pytest.approx(0.5, abs=0.01)
    # The coin knows nothing of the user, so that doers and others differ by the effect alone.
    assert abs(np.corrcoef(simulation.reached_by_arm[0], simulation.people.engagement)[0, 1]) < 0.02
    raw = (
        simulation.retained[simulation.reached & control].mean()
        - simulation.retained[~simulation.reached & control].mean()
    )
    assert raw == pytest.approx(effect, abs=0.02)
    assert days[simulation.reached].mean() > days[~simulation.reached].mean() + 0.8
    assert (simulation.reached_by_arm[1] >= simulation.reached_by_arm[0]).all()


@pytest.mark.slow
def test_measured_confounding__profile_fields_of_day_0__are_the_engagement() -> None:
    simulation = run("measured_confounding", 20_000)
    user, day = simulation.active_user, simulation.active_day
    names = [kind.name for kind in simulation.world.behaviours]
    profile, friend = (simulation.counts[:, names.index(name)] for name in ("profile_field", "friend_add"))
    engagement = simulation.people.engagement

    assert not profile[day > 0].any()
    assert engagement == pytest.approx(0.7 * (profile[day == 0] - 2) / np.sqrt(2))
    first = (day == 0) & (simulation.arm == 0)[user]
    assert abs(np.corrcoef(friend[first], engagement[user[first]])[0, 1]) < 0.03
    later = (day > 0) & (day < 7) & (simulation.arm == 0)[user]
    assert np.corrcoef(friend[later], engagement[user[later]])[0, 1] > 0.1


@pytest.mark.slow
def test_measured_confounding__play_pattern__decides_what_the_moment_does_and_not_how_soon() -> None:
    simulation = run("measured_confounding", 20_000)
    group, plain = simulation.people.group, simulation.arm == 0
    gain = simulation.retained_with_moment * 1.0 - simulation.retained_without

    reached = [simulation.reached[plain & (group == one)].mean() for one in range(4)]
    effect = [gain[group == one].mean() for one in range(4)]

    assert max(reached) - min(reached) < 0.04
    assert effect[3] - effect[2] > 0.08
