"""One generator for all worlds: the observed log and, from the same uniforms, every user's potential outcomes."""

from dataclasses import dataclass

import numpy as np

from events.simulation.draws import Ints, Stream, uniform
from events.simulation.log import Log, build_log
from events.simulation.people import (
    Flags,
    People,
    active_days,
    behaviour_counts,
    comes_more,
    draw_arms,
    draw_people,
    early_target_count,
    friend_boost,
    leaving_shift,
)
from events.simulation.worlds import MAX_UNITS, RETENTION_DAYS, World

CONTROL, NUDGE = "control", "nudge"
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
    retained_by_arm: Flags
    retained_with_moment: Flags
    retained_without: Flags
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


def _potential_outcomes(world: World, people: People, seed: int, early: Flags) -> tuple[Ints, Flags]:
    """Potential outcomes, arms x users: N(friend_add, 0..6) and retention, each as if everyone were in that arm."""
    nobody, everybody = np.zeros(people.user.size, dtype=np.bool_), np.ones(people.user.size, dtype=np.bool_)
    counts, retained = [], []
    for name in world.arms:
        # A placebo is as salient as the nudge, but boosts nothing.
        boosted = everybody if name == NUDGE else nobody
        salient = nobody if name == CONTROL else everybody
        count = early_target_count(world, people, seed, early, friend_boost(world, people, boosted))
        counts.append(count)
        shift, comes = leaving_shift(world, people, count, salient), comes_more(world, count)
        retained.append(_retained(active_days(people, shift, comes, world.habit)))
    return np.stack(counts), np.stack(retained)


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

    boost = friend_boost(world, people, arm == world.arms.index(NUDGE))
    # The tested days are the same in every potential world: only the counts on them differ. In `daily_cause` that is
    # day 0 alone, since the behaviour changes later days.
    early = active_days(people, 0.0)
    counts_by_arm, retained_by_arm = _potential_outcomes(world, people, seed, early)
    target_count = early_target_count(world, people, seed, early, boost)
    shift, comes = leaving_shift(world, people, target_count, arm > 0), comes_more(world, target_count)
    active = active_days(people, shift, comes, world.habit)
    user, day = (part.astype(np.int64) for part in np.nonzero(active))
    counts = np.column_stack(
        [behaviour_counts(world, people, seed, user, day, index, boost) for index in range(len(world.behaviours))]
    )
    lost = (arm == world.arms.index(NUDGE)) & (uniform(seed, Stream.EXPOSURE_LOST, people.user) < world.lost_exposures)
    exposed = (arm != NOT_ENROLLED) & ~lost
    return Simulation(
        world=world,
        units=units,
        seed=seed,
        people=people,
        arm=arm,
        exposed=exposed,
        target_counts_by_arm=counts_by_arm,
        retained_by_arm=retained_by_arm,
        retained_with_moment=_retained(
            active_days(people, np.array(world.tau)[people.group], world.comes, world.habit)
        ),
        retained_without=_retained(active_days(people, 0.0, 0.0, world.habit)),
        target_count=target_count,
        retained=_retained(active),
        active_user=user,
        active_day=day,
        counts=counts,
        log=build_log(world, seed, people, exposed, user, day, counts),
    )
