"""Simulated users and their active days, day by day, vectorised over users, from stored random numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtri

from events.simulation.worlds import DAYS, TARGET, WITHIN_DAYS, World

# Stored random numbers: each uniform depends on the seed and on what it decides, never on the order of drawing.
#
# So a user keeps every uniform when another arm is chosen, when other users change, or when more users are simulated:
# common random numbers by construction. The uniforms are inverted through each distribution, so a higher rate gives a
# count at least as high.

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class Stream(IntEnum):
    """The decision that a uniform is for. The numbers are part of "same seed, same bytes": append, never reorder."""

    GROUP = 1
    ENGAGEMENT = 2
    PLATFORM = 3
    CHANNEL = 4
    COUNTRY = 5
    SIGNUP = 6
    ARM = 7
    RESPONDS = 8
    STAYS = 9
    ACTIVE = 10
    COUNT = 11
    BURSTS = 12
    BURST_START = 13
    BURST_PICK = 14
    OFFSET = 15
    TUTORIAL = 16
    EXPOSURE_LOST = 17
    GUILD_ARM = 18
    GUILD_SIZE = 19
    RESPONDS_OTHERWISE = 20


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(_FIRST)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(_SECOND)
    return state ^ (state >> np.uint64(31))


def uniform(seed: int, stream: Stream, *index: ArrayLike) -> Floats:
    """Uniforms strictly between 0 and 1 at the given index, broadcast over its parts.

    The index is folded in part by part through the output function of SplitMix64. Source: Steele, Lea, Flood (2014),
    "Fast splittable pseudorandom number generators".

    Args:
        seed: 0 to 2**63 - 1.
        stream: what the uniform decides.
        index: integer arrays that broadcast together, such as user, day, behaviour; each at least 0.
    """
    # One-element arrays, not scalars: NumPy warns about scalar overflow, and overflow is what hashing wants.
    state = _mix(np.array([(seed * _GOLDEN + stream) & _MASK], dtype=np.uint64))
    for part in index:
        state = _mix(state + (np.atleast_1d(part).astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN))
    # 52 bits and a half: exactly representable, so neither 0 nor 1 can come out.
    return ((state >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def choose(uniforms: Floats, shares: Iterable[float]) -> Ints:
    """Index of the category into whose share of [0, 1] each uniform falls; shares add up to 1."""
    edges = np.cumsum(np.array(list(shares)))
    return np.minimum(np.searchsorted(edges, uniforms, side="right"), len(edges) - 1).astype(np.int64)


def poisson_inverse(uniforms: Floats, rates: Floats) -> Ints:
    """Smallest k with P(Poisson(rate) <= k) >= u, element by element; rates from 0 to 700.

    The same as ``scipy.stats.poisson.ppf`` (compared in the tests), about eight times as fast at the small rates here.
    """
    if rates.size and (rates.min() < 0 or rates.max() > 700):  # exp(-rate) would underflow and never reach u
        raise ValueError("Poisson rates must lie between 0 and 700")
    counts = np.zeros(uniforms.shape, dtype=np.int64)
    left = np.arange(uniforms.size)
    u, rate = uniforms, rates
    term = np.exp(-rate)
    cumulative = term.copy()
    k = 0
    while True:
        # Past the mean, a term below the rounding error can't lift the sum any more: the quantile is reached.
        keep = (cumulative < u) & ((term > 1e-17) | (k < rate))
        if not keep.any():
            return counts
        left, u, rate, term, cumulative = left[keep], u[keep], rate[keep], term[keep], cumulative[keep]
        k += 1
        counts[left] = k
        term = term * rate / k
        cumulative = cumulative + term


Flags = NDArray[np.bool_]

SECOND = 1_000_000
DAY = 86_400 * SECOND
START = 1_767_571_200 * SECOND  # 2026-01-05T00:00:00Z in microseconds since 1970
SIGNUP_DAYS = 56
GUILD_SIZE = 20
FRIENDS_EACH_SIDE = 2
PLATFORMS = ("android", "ios")
CHANNELS = ("organic", "ads", "referral")
COUNTRIES = ("KR", "US")


@dataclass(frozen=True)
class People:
    """Fixed attributes of each user; all arrays have one entry per user.

    Attributes:
        user: 0, 1, 2, ...; the id is made from it.
        group: index of the play-pattern group.
        engagement: E.
        mix: users x patterns, the share of each play pattern in the user's play; each row adds up to 1.
        platform, channel, country: indexes into the tuples of this module.
        guild: index of the guild, rising: guilds are consecutive users.
        signup: microseconds since 1970, whole milliseconds.
        responds: whether the user would respond to a nudge.
        responds_otherwise: whether the user would do the other behaviour more, in a world that has one.
        stays_draw, active_draw: users x days uniforms that decide staying and activity.
    """

    user: Ints
    group: Ints
    engagement: Floats
    mix: Floats
    platform: Ints
    channel: Ints
    country: Ints
    guild: Ints
    signup: Ints
    responds: Flags
    responds_otherwise: Flags
    stays_draw: Floats
    active_draw: Floats


def draw_people(world: World, units: int, seed: int) -> People:
    """Draw the users of a world; the first n users of a larger world with the same seed are the same n."""
    user = np.arange(units)
    days = np.arange(DAYS)[None, :]
    group, mix = _patterns(world, user, seed)
    means = np.array(world.engagement_means)
    engagement = means[group] + world.engagement_sd * ndtri(uniform(seed, Stream.ENGAGEMENT, user))
    if world.seen_in:
        index = [kind.name for kind in world.behaviours].index(world.seen_in)
        rate = np.array(world.behaviours[index].rates)[group]
        count = poisson_inverse(uniform(seed, Stream.COUNT, user, 0, index), rate)
        engagement = world.engagement_sd * (count - rate) / np.sqrt(rate)
    milliseconds = np.floor(uniform(seed, Stream.SIGNUP, user) * SIGNUP_DAYS * 86_400_000).astype(np.int64)
    return People(
        user=user,
        group=group,
        engagement=engagement,
        mix=mix,
        platform=(uniform(seed, Stream.PLATFORM, user) < expit(0.5 * engagement)).astype(np.int64),
        channel=choose(uniform(seed, Stream.CHANNEL, user), [1 / len(CHANNELS)] * len(CHANNELS)),
        country=choose(uniform(seed, Stream.COUNTRY, user), [1 / len(COUNTRIES)] * len(COUNTRIES)),
        guild=draw_guilds(world, units, seed),
        signup=START + milliseconds * 1000,
        responds=uniform(seed, Stream.RESPONDS, user) < world.take_up,
        responds_otherwise=uniform(seed, Stream.RESPONDS_OTHERWISE, user) < world.other_take_up,
        stays_draw=uniform(seed, Stream.STAYS, user[:, None], days),
        active_draw=uniform(seed, Stream.ACTIVE, user[:, None], days),
    )


def draw_guilds(world: World, units: int, seed: int) -> Ints:
    """Guild of each user: consecutive users, of 20 each or of lognormal size; the last one may be cut off."""
    user = np.arange(units)
    if world.guild_spread == 0:
        return user // GUILD_SIZE
    # No guild is empty, so there are never more than users.
    logs = world.guild_spread * ndtri(uniform(seed, Stream.GUILD_SIZE, user))
    ends = np.cumsum(np.maximum(np.round(GUILD_SIZE * np.exp(logs)), 1).astype(np.int64))
    return np.searchsorted(ends, user, side="right").astype(np.int64)


def _patterns(world: World, user: Ints, seed: int) -> tuple[Ints, Floats]:
    """Each user's main play pattern, and its mix of patterns: one alone, or uniform over all mixes of the styles."""
    if not world.styles:
        group = choose(uniform(seed, Stream.GROUP, user), world.shares)
        return group, np.eye(len(world.shares))[group]
    # Exponentials over their sum are uniform over the mixes (Devroye 1986, chapter 5, theorem 4.1).
    draws = uniform(seed, Stream.GROUP, user[:, None], np.arange(world.styles)[None, :])
    parts = -np.log1p(-draws)
    mix = np.zeros((user.size, len(world.shares)))
    mix[:, : world.styles] = parts / parts.sum(axis=1, keepdims=True)
    return mix.argmax(axis=1).astype(np.int64), mix


def draw_arms(world: World, units: int, seed: int, *, by_guild: bool = False) -> Ints:
    """Arm indexes with even chances, drawn for each user or for each guild as a whole."""
    draws = (
        uniform(seed, Stream.GUILD_ARM, draw_guilds(world, units, seed))
        if by_guild
        else uniform(seed, Stream.ARM, np.arange(units))
    )
    return choose(draws, [1 / len(world.arms)] * len(world.arms))


def active_days(people: People, shift: Floats | float, comes: Floats | float = 0.0, habit: float = 0.0) -> Flags:
    """Users x days: active or not.

    Leaving is drawn on every day, day 0 too; but day 0 is active for everyone, since the user signed up on it.

    Args:
        people: the users.
        shift: how far the logit of leaving is lowered from day 7 on.
        comes: how far the logit of coming is raised on days 1..6.
        habit: how far each of the days 1..6 without coming raises the logit of leaving from day 7 on.
    """
    leave_base = -2.6 - 0.8 * people.engagement
    active_base = 0.1 + 0.7 * people.engagement
    there = np.ones(people.user.size, dtype=np.bool_)
    active = np.zeros(people.stays_draw.shape, dtype=np.bool_)
    for day in range(DAYS):
        active_chance = expit(active_base + (comes if 1 <= day < WITHIN_DAYS else 0.0))
        logit = leave_base + 1.2 * np.exp(-day / 3) - (shift if day >= WITHIN_DAYS else 0.0)
        if habit and day >= WITHIN_DAYS:
            logit = logit + habit * (~active[:, 1:WITHIN_DAYS]).sum(axis=1)
        there = there & (people.stays_draw[:, day] >= expit(logit))
        active[:, day] = there & (people.active_draw[:, day] < active_chance)
    active[:, 0] = True
    return active


def friend_boost(world: World, people: People, nudged: Flags) -> Floats:
    """Factor on each user's friend_add rate on days 0..6 when ``nudged`` says who gets the nudge.

    A responding nudged user has the whole boost. Where the world spills over, the two neighbours on each side in the
    guild's ring gain a share of it, once, and never on top of a boost of their own.
    """
    boosted = nudged & people.responds
    factor = np.where(boosted, world.boost, 1.0)
    if world.spill == 0:
        return factor
    first = np.searchsorted(people.guild, people.guild)
    size = np.bincount(people.guild)[people.guild]
    friend_boosted = np.zeros_like(boosted)
    for step in (*range(-FRIENDS_EACH_SIDE, 0), *range(1, FRIENDS_EACH_SIDE + 1)):
        friend_boosted |= boosted[first + (people.user - first + step) % size]
    return np.maximum(factor, np.where(friend_boosted, 1 + world.spill * (world.boost - 1), 1.0))


def other_boost(world: World, people: People, nudged: Flags, reached: Flags) -> Floats:
    """Factor on each user's rate of the other behaviour on days 0..6: the nudge's times that of the moment."""
    return np.where(nudged & people.responds_otherwise, world.boost, 1.0) * np.where(reached, world.leads, 1.0)


def behaviour_counts(
    world: World, people: People, seed: int, user: Ints, day: Ints, behaviour: int, boost: Floats
) -> Ints:
    """How often the users did a behaviour on the given active days (one entry per pair of user and day).

    ``boost`` is a factor for each user on days 0..6 of the tested behaviour, and of the other one where there is one.
    """
    kind = world.behaviours[behaviour]
    base = people.mix @ np.array(kind.rates) * np.exp(kind.load * people.engagement)
    rate = base[user]
    if world.seen_in:
        rate = np.where(day == 0, np.array(kind.rates)[people.group][user], 0.0 if kind.name == world.seen_in else rate)
    if kind.name in (TARGET, world.other):
        rate = np.where(day < WITHIN_DAYS, rate * boost[user], rate)
    draws = uniform(seed, Stream.COUNT, user, day, behaviour)
    counts = poisson_inverse(draws, rate)
    if kind.name == TARGET and world.coin > 0:
        return np.where(day == 0, draws < world.coin * boost[user], counts).astype(np.int64)
    return counts


def early_target_count(world: World, people: People, seed: int, active: Flags, boost: Floats) -> Ints:
    """How often each user did friend_add on the days that are tested; all 0 in a world without friend_add."""
    return _early_count(world, people, seed, active, TARGET, boost)


def early_other_count(world: World, people: People, seed: int, active: Flags, boost: Floats) -> Ints:
    """The same of the other behaviour; all 0 in a world without one."""
    return _early_count(world, people, seed, active, world.other, boost)


def _early_count(world: World, people: People, seed: int, active: Flags, name: str, boost: Floats) -> Ints:
    names = [behaviour.name for behaviour in world.behaviours]
    if name not in names:
        return np.zeros(people.user.size, dtype=np.int64)
    user, day = np.nonzero(active[:, : world.within])
    counts = behaviour_counts(world, people, seed, user, day, names.index(name), boost)
    return np.bincount(user, weights=counts, minlength=people.user.size).astype(np.int64)


def comes_more(world: World, target_count: Ints) -> Floats | float:
    """How far the logit of coming on days 1..6 rises for those who reach the moment; 0 where the world knows none."""
    return np.asarray(world.comes * (target_count >= world.times)) if world.comes else 0.0


def leaving_shift(
    world: World, people: People, target_count: Ints, nudged: Flags, other_count: Ints | None = None
) -> Floats:
    """tau * dose + delta * nudged + the other behaviour's: how far the logit of leaving falls from day 7 on."""
    most = 10 if world.smooth else world.levels_off
    dose = np.minimum(target_count, most) / most if most else (target_count >= world.times).astype(np.float64)
    own = np.array(world.tau)[people.group] * dose + world.delta * nudged
    return own if other_count is None else own + world.other_tau * (other_count >= world.times)
