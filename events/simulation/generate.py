"""One generator for all worlds: the observed log, every user's potential outcomes, and what is true, exactly."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from events.simulation.people import (
    DAY,
    SECOND,
    Flags,
    Floats,
    Ints,
    People,
    Stream,
    active_days,
    behaviour_counts,
    comes_more,
    draw_arms,
    draw_people,
    early_other_count,
    early_target_count,
    friend_boost,
    leaving_shift,
    other_boost,
    uniform,
)
from events.simulation.worlds import (
    DAYS,
    GROUP_NAMES,
    MAX_UNITS,
    NEGATIVE_CONTROLS,
    RETENTION,
    RETENTION_DAYS,
    TARGET,
    World,
)

# The event log of a simulated world: counts become timed events, in 1-3 bursts inside 24-hour days from signup.

EXPOSURE = "Experiment Viewed"
EXTRAS = ("signup", EXPOSURE, "daily_bonus", "tutorial", "app_open")
SIGNUP_CODE, EXPOSURE_CODE, BONUS_CODE, TUTORIAL_CODE, OPEN_CODE = range(5)
MAX_BURSTS = 3
BURST_SECONDS = 1_200
# A burst's events begin 5 s after its start; the seconds before hold signup, exposure, daily bonus and tutorial.
BURST_LEAD_SECONDS = 5
LAST_START = DAY - (BURST_SECONDS + 2 * BURST_LEAD_SECONDS) * SECOND


@dataclass(frozen=True)
class Log:
    """Events in the order of user and time; all arrays have one entry per event.

    Attributes:
        user: index of the user.
        code: index into ``event_names(world)``.
        time: microseconds since 1970, whole milliseconds.
        number: 0, 1, 2, ... within the user; the message id is made from it.
    """

    user: Ints
    code: Ints
    time: Ints
    number: Ints


def event_names(world: World) -> tuple[str, ...]:
    """All event names of a world, in the order of their codes."""
    return (*EXTRAS, *(behaviour.name for behaviour in world.behaviours))


def _whole_milliseconds(microseconds: Floats) -> Ints:
    return np.asarray(np.floor(microseconds / 1000).astype(np.int64) * 1000)


def _burst_starts(seed: int, user: Ints, day: Ints) -> tuple[Ints, Ints]:
    """Number of bursts of each active day, and where up to three begin, in microseconds since the day began."""
    bursts = 1 + np.floor(uniform(seed, Stream.BURSTS, user, day) * MAX_BURSTS).astype(np.int64)
    burst = np.arange(MAX_BURSTS)[None, :]
    starts = _whole_milliseconds(uniform(seed, Stream.BURST_START, user[:, None], day[:, None], burst) * LAST_START)
    starts[day == 0, 0] = 0  # the first session begins with the signup
    return bursts, starts


def _behaviour_events(seed: int, people: People, user: Ints, day: Ints, counts: Ints) -> tuple[Ints, Ints, Ints]:
    """User, code and time of every behaviour event; ``counts`` is pairs x behaviours."""
    bursts, starts = _burst_starts(seed, user, day)
    pair, behaviour = np.nonzero(counts)
    times = counts[pair, behaviour]
    occurrence = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    pair, behaviour = np.repeat(pair, times), np.repeat(behaviour, times)
    key = (user[pair], day[pair], behaviour, occurrence)
    burst = np.floor(uniform(seed, Stream.BURST_PICK, *key) * bursts[pair]).astype(np.int64)
    within = _whole_milliseconds(uniform(seed, Stream.OFFSET, *key) * BURST_SECONDS * SECOND)
    offset = starts[pair, burst] + BURST_LEAD_SECONDS * SECOND + within
    time = people.signup[user[pair]] + day[pair] * DAY + offset
    return user[pair], behaviour + len(EXTRAS), time


def _day_starts(seed: int, people: People, user: Ints, day: Ints) -> Ints:
    """Two seconds into each active day's first burst: before every behaviour event of that day."""
    bursts, starts = _burst_starts(seed, user, day)
    used = np.where(np.arange(MAX_BURSTS)[None, :] < bursts[:, None], starts, DAY)
    return np.asarray(people.signup[user] + day * DAY + used.min(axis=1) + 2 * SECOND)


def build_log(world: World, seed: int, people: People, exposed: Flags, user: Ints, day: Ints, counts: Ints) -> Log:
    """The whole log of a world.

    Args:
        world: the world's parameters.
        seed: the simulation's seed.
        people: its users.
        exposed: whose exposure event reaches the log.
        user, day: the active days, one entry per pair.
        counts: pairs x behaviours, how often each behaviour happened.
    """
    shown = np.flatnonzero(exposed)
    parts = [
        (people.user, np.full(people.user.size, SIGNUP_CODE), people.signup),
        (shown, np.full(shown.size, EXPOSURE_CODE), people.signup[shown] + SECOND),
        _behaviour_events(seed, people, user, day, counts),
    ]
    # A silent active day would be invisible: add one app_open (day 0 is visible by its signup).
    silent = (counts.sum(axis=1) == 0) & (day > 0) & (world.tutorial_reach == 0)
    parts.append((user[silent], np.full(silent.sum(), OPEN_CODE), _day_starts(seed, people, user[silent], day[silent])))
    if world.tutorial_reach > 0:
        parts.append((user, np.full(user.size, BONUS_CODE), _day_starts(seed, people, user, day)))
        taught = np.flatnonzero(uniform(seed, Stream.TUTORIAL, people.user) < world.tutorial_reach)
        parts.append((taught, np.full(taught.size, TUTORIAL_CODE), people.signup[taught] + 3 * SECOND))
    all_users, codes, times = (np.concatenate([part[field] for part in parts]) for field in range(3))
    order = np.lexsort((codes, times, all_users))
    all_users, codes, times = all_users[order], codes[order], times[order]
    first = np.searchsorted(all_users, people.user)
    return Log(all_users, codes, times, np.arange(all_users.size) - first[all_users])


# One generator for all worlds: the observed log and, from the same uniforms, every user's potential outcomes.

NOT_ENROLLED = -1
NEVER, COMPLIER, ALWAYS = 0, 1, 2
COMPLIANCE_NAMES = ("never_taker", "complier", "always_taker")


@dataclass(frozen=True)
class Simulation:
    """A simulated world: observed outcomes and potential outcomes. Arrays have one entry per user by default.

    Attributes:
        world, units, seed: as requested.
        people: the users.
        arm: index of the arm, or -1 for users outside the experiment.
        exposed: whether the user's exposure event is in the log.
        target_counts_by_arm: arms x users, N(friend_add, 0..6) if *everyone* were in that arm.
        retained_by_arm: arms x users, retention if everyone were in that arm.
        retained_with_moment, retained_without: retention under do(AHA) and do(no AHA), the dose set to 1 or 0, without
            a nudge.
        other_counts_by_arm: arms x users, the same of the other behaviour; all 0 in a world without one.
        retained_with_other, retained_without_other: retention under do(other behaviour) and do(not), without a nudge.
        target_count: N(friend_add, 0..6) as seen.
        retained: retention as seen, active on any of the days 21..27.
        active_user, active_day: one entry per active day of a user, as seen.
        counts: active days x behaviours, how often each behaviour was done.
        log: the events.
    """

    world: World
    units: int
    seed: int
    people: People
    arm: Ints
    exposed: Flags
    target_counts_by_arm: Ints
    other_counts_by_arm: Ints
    retained_by_arm: Flags
    retained_with_moment: Flags
    retained_without: Flags
    retained_with_other: Flags
    retained_without_other: Flags
    target_count: Ints
    retained: Flags
    active_user: Ints
    active_day: Ints
    counts: Ints
    log: Log

    @property
    def reached_by_arm(self) -> Flags:
        """Arms x users: whether the user would reach 3 friend_add within 7 days if everyone were in that arm."""
        return self.target_counts_by_arm >= self.world.times

    @property
    def reached(self) -> Flags:
        """Whether the user reached 3 friend_add within 7 days, as seen."""
        return self.target_count >= self.world.times

    @property
    def compliance(self) -> Ints:
        """0 never-taker, 1 complier, 2 always-taker, by control (arm 0) against nudge (arm 1). Nobody is a defier."""
        reached = self.reached_by_arm
        return np.asarray(reached[0].astype(np.int64) + reached[1])


def _retained(active: Flags) -> Flags:
    first, last = RETENTION_DAYS
    return np.asarray(active[:, first : last + 1].any(axis=1))


def check_request(units: int, seed: int) -> None:
    """Raises ValueError with one sentence when a world of this size or seed can't be made."""
    if not 1 <= units <= MAX_UNITS:
        raise ValueError(f"units must lie between 1 and {MAX_UNITS}, not {units}")
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed must lie between 0 and {2**63 - 1}, not {seed}")


def _check_arms(world: World, units: int, arms: Ints) -> None:
    if arms.shape != (units,):
        raise ValueError(f"arms needs one entry for each of the {units} users, not the shape {arms.shape}")
    if arms.min() < NOT_ENROLLED or arms.max() >= len(world.arms):
        raise ValueError(f"arms must lie between {NOT_ENROLLED} and {len(world.arms) - 1} in world {world.name}")


@dataclass(frozen=True)
class _Potential:
    """What would be if everyone were in an arm, arms x users, and if nobody were nudged and one behaviour were set.

    Attributes:
        target, other: counts of the tested and of the other behaviour on the tested days.
        retained: retention.
        with_moment, without: retention under do(AHA) and do(no AHA), without a nudge.
        with_other, without_other: the same of the other behaviour.
    """

    target: Ints
    other: Ints
    retained: Flags
    with_moment: Flags
    without: Flags
    with_other: Flags
    without_other: Flags


def _potential_outcomes(world: World, people: People, seed: int, early: Flags) -> _Potential:
    nobody, everybody = np.zeros(people.user.size, dtype=np.bool_), np.ones(people.user.size, dtype=np.bool_)

    def others(nudged: Flags, reached: Flags) -> Ints:
        return early_other_count(world, people, seed, early, other_boost(world, people, nudged, reached))

    def outcome(shift: Floats | float, comes: Floats | float = 0.0) -> Flags:
        return _retained(active_days(people, shift, comes, world.habit))

    targets, chats, retained = [], [], []
    for place, (friends, chat) in enumerate(zip(world.nudged_to("friends"), world.nudged_to("chat"), strict=True)):
        # A placebo is as salient as the nudge, but boosts nothing.
        salient = everybody if place else nobody
        boost = friend_boost(world, people, everybody if friends else nobody)
        count = early_target_count(world, people, seed, early, boost)
        other = others(everybody if chat else nobody, count >= world.times)
        shift = leaving_shift(world, people, count, salient, other)
        targets.append(count)
        chats.append(other)
        retained.append(outcome(shift, comes_more(world, count)))
    # A dose of 1, or of 0, whatever the user did.
    dose: Floats = np.array(world.tau)[people.group]
    plain = targets[0]
    led, alone = (
        np.asarray(world.other_tau * (others(nobody, reached) >= world.times)) for reached in (everybody, nobody)
    )
    own = leaving_shift(world, people, plain, nobody)
    return _Potential(
        np.stack(targets),
        np.stack(chats),
        np.stack(retained),
        outcome(np.asarray(dose + led), world.comes),
        outcome(alone),
        outcome(np.asarray(own + world.other_tau)),
        outcome(own),
    )


def simulate(world: World, units: int, seed: int, arms: Ints | None = None) -> Simulation:
    """Simulate a world with known truth. The same arguments give the same result to the last bit.

    Args:
        world: parameters, usually ``WORLDS[name]``.
        units: number of users, 1 to 1,000,000.
        seed: 0 to 2**63 - 1.
        arms: arm index per user, -1 for users outside the experiment; drawn evenly when not given. One user's result
            doesn't depend on other users' arms, except through friends in a world that spills over.

    Raises:
        ValueError: units, seed or arms out of range.
    """
    check_request(units, seed)
    people = draw_people(world, units, seed)
    arm = draw_arms(world, units, seed) if arms is None else np.asarray(arms).astype(np.int64)
    _check_arms(world, units, arm)

    # A user outside the experiment, in arm -1, is not nudged.
    to_friends, to_chat = (np.array([*world.nudged_to(nudge), False])[arm] for nudge in ("friends", "chat"))
    boost = friend_boost(world, people, to_friends)
    # The tested days are the same in every potential world: only the counts on them differ. In `daily_cause` that is
    # day 0 alone, since the behaviour changes later days.
    early = active_days(people, 0.0)
    potential = _potential_outcomes(world, people, seed, early)
    target_count = early_target_count(world, people, seed, early, boost)
    chat_boost = other_boost(world, people, to_chat, target_count >= world.times)
    other_count = early_other_count(world, people, seed, early, chat_boost)
    shift, comes = leaving_shift(world, people, target_count, arm > 0, other_count), comes_more(world, target_count)
    active = active_days(people, shift, comes, world.habit)
    user, day = (part.astype(np.int64) for part in np.nonzero(active))
    counts = np.column_stack(
        [
            behaviour_counts(world, people, seed, user, day, index, chat_boost if kind.name == world.other else boost)
            for index, kind in enumerate(world.behaviours)
        ]
    )
    lost = to_friends & (uniform(seed, Stream.EXPOSURE_LOST, people.user) < world.lost_exposures)
    exposed = (arm != NOT_ENROLLED) & ~lost
    return Simulation(
        world=world,
        units=units,
        seed=seed,
        people=people,
        arm=arm,
        exposed=exposed,
        target_counts_by_arm=potential.target,
        other_counts_by_arm=potential.other,
        retained_by_arm=potential.retained,
        retained_with_moment=potential.with_moment,
        retained_without=potential.without,
        retained_with_other=potential.with_other,
        retained_without_other=potential.without_other,
        target_count=target_count,
        retained=_retained(active),
        active_user=user,
        active_day=day,
        counts=counts,
        log=build_log(world, seed, people, exposed, user, day, counts),
    )


# What is true in a simulated world, exactly: averages of potential outcomes, not estimates.

Json = dict[str, Any]
NOBODY = "no user belongs to this group"
NOBODY_MOVED = "the nudge moves no user to the other behaviour"
NO_COMPLIERS = "the nudge moves no user across the threshold"


def unit_ids(units: int) -> list[str]:
    """Ids of the first users: u0000001, u0000002, ..."""
    return [f"u{number:07d}" for number in range(1, units + 1)]


def _mean(values: Floats, members: Flags, reason: str = NOBODY) -> float | dict[str, str]:
    """Mean over the members, or the reason why there is none: never 0 or NaN."""
    return float(values[members].mean()) if members.any() else {"not_computable": reason}


def _effects(simulation: Simulation, members: Flags) -> Json:
    """Every effect and share among the members."""
    retained = simulation.retained_by_arm.astype(np.float64)
    reached = simulation.reached_by_arm.astype(np.float64)
    moment = simulation.retained_with_moment.astype(np.float64) - simulation.retained_without
    compliance = simulation.compliance
    arms = list(enumerate(simulation.world.arms))
    itt = _mean(retained[1] - retained[0], members)
    first_stage = _mean(reached[1] - reached[0], members)
    wald: float | dict[str, str] = {"not_computable": NO_COMPLIERS}
    if isinstance(itt, float) and isinstance(first_stage, float) and first_stage > 0:
        wald = itt / first_stage
    return {
        "units": int(members.sum()),
        "effect": _mean(moment, members & (compliance == COMPLIER), NO_COMPLIERS),
        "ate": _mean(moment, members),
        "itt": itt,
        "itt_by_arm": {name: _mean(retained[index] - retained[0], members) for index, name in arms if index > 0},
        "wald": wald,
        "take_up": {name: _mean(reached[index], members) for index, name in arms},
        "retention_rate": {name: _mean(retained[index], members) for index, name in arms},
        "shares": {
            name: _mean((compliance == code).astype(np.float64), members) for code, name in enumerate(COMPLIANCE_NAMES)
        },
    }


def _other(simulation: Simulation) -> Json | None:
    """The other behaviour: its own effect on those whom the nudge moves to it, and how many these are."""
    world = simulation.world
    if not world.other:
        return None
    reached = simulation.other_counts_by_arm >= world.times
    effect = simulation.retained_with_other.astype(np.float64) - simulation.retained_without_other
    everyone = np.ones(simulation.units, dtype=np.bool_)
    return {
        "behaviour": world.other,
        "times": world.times,
        "days": world.within,
        "effect": _mean(effect, reached[1] & ~reached[0], NOBODY_MOVED),
        "ate": _mean(effect, everyone),
        "take_up": {name: float(reached[index].mean()) for index, name in enumerate(world.arms)},
        "moved": float(reached[1].mean() - reached[0].mean()),
        "consequence": world.leads != 1,
    }


def _moments(world: World) -> list[Json]:
    """Behaviours at whose threshold retention jumps."""
    causes = [TARGET] if world.moment and world.has_cause else []
    causes += [world.other] if world.other_tau else []
    return [{"behaviour": name, "times": world.times, "days": world.within} for name in causes]


def _memberships(simulation: Simulation) -> Json:
    ids = np.array(unit_ids(simulation.units))
    group, compliance = simulation.people.group, simulation.compliance
    return {
        "group": {name: ids[group == code].tolist() for code, name in enumerate(GROUP_NAMES)},
        "compliance": {name: ids[compliance == code].tolist() for code, name in enumerate(COMPLIANCE_NAMES)},
    }


def truth(simulation: Simulation) -> Json:
    """The exact truth of a simulation, ready for JSON; docs/methods/worlds.md explains every key.

    Shares and rates run from 0 to 1; effects are differences of retention rates, positive when retention rises.
    ``effect`` is the complier average causal effect: do(AHA) against do(no AHA) among the users whom the nudge moves.
    """
    world = simulation.world
    tested = {"behaviour": TARGET, "times": world.times, "days": world.within}
    names = [behaviour.name for behaviour in world.behaviours]
    everyone = np.ones(simulation.units, dtype=np.bool_)
    return {
        "world": world.name,
        "seed": simulation.seed,
        "units": simulation.units,
        "days": DAYS,
        "parameters": asdict(world),
        "parameters_hash": world.parameter_hash,
        "moment": next(iter(_moments(world)), None),
        "tested": tested,
        "other": _other(simulation),
        "retention": RETENTION,
        **_effects(simulation, everyone),
        "by_group": {
            name: _effects(simulation, simulation.people.group == code) for code, name in enumerate(GROUP_NAMES)
        },
        "groups": [name for name, share in zip(GROUP_NAMES, world.shares, strict=True) if share > 0],
        "inert": list(world.inert),
        "negative_controls": [name for name in NEGATIVE_CONTROLS if name in names],
        "forced": ["tutorial", "daily_bonus"] if world.tutorial_reach > 0 else [],
        "tier_drivers": [name for name in ("chat", TARGET) if name in names],
        "memberships": _memberships(simulation),
    }
