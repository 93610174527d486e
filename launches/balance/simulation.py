"""Play the rules of an event over past days, as if the event had been then. Pure; the method: docs/methods/balance.md.

A block is a run of past days as long as the event and with its weekdays, and the users who had been active shortly
before. Each block is one possible course of the event: their mean is the estimate, and how they differ is the chance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from math import ceil, sqrt

import numpy as np
import numpy.typing as npt

from launches.balance.rules import PointRule, Response, Rules
from runs.payloads import Schema
from stats.results import Interval

type Ints = npt.NDArray[np.int64]
type Floats = npt.NDArray[np.float64]

LEVEL = 0.9
METHOD = "next-block"
DRAWS = 100  # of users, with replacement
FEWEST_BLOCKS, MOST_BLOCKS = 2, 6
TRIED = 0.1  # a tenth more and less activity, for the sensitivity
ROUNDING = 1e-6  # sums are single floats


# ── What is played ────────────────────────────────────────────────────────────
@dataclass(frozen=True, eq=False)
class Block:
    """Past days of users who had been active shortly before them.

    Attributes:
        first: its first date.
        group: of each user, the place in `Past.groups`.
        user, day: one entry for each day, from 0, on which a user was active; by user, then day.
        times: how often each of `Past.behaviours` was done then, one column each.
    """

    first: date
    group: Ints
    user: Ints
    day: Ints
    times: Ints


@dataclass(frozen=True)
class Group:
    """Users side by side: a segment's key and name; both "" for all users, the name "" for those in none."""

    key: str
    name: str


@dataclass(frozen=True, eq=False)
class Past:
    """What the rules are played over.

    Attributes:
        behaviours: their texts.
        groups: of users.
        users: how many users of each group there are now.
        blocks: the newest first.
        one_in: the blocks hold one in so many users.
        last: the last date that was read.
    """

    behaviours: tuple[str, ...]
    groups: tuple[Group, ...]
    users: Ints
    blocks: tuple[Block, ...]
    one_in: int
    last: date


# ── What comes out ────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Band:
    """An estimate with what makes it uncertain, told apart.

    Attributes:
        estimate: at the middle response.
        low, high: its 90 % interval there: how past weeks and users differ.
        at_low, at_high: the estimates at the low and the high response.
    """

    estimate: float
    low: float
    high: float
    at_low: float
    at_high: float


@dataclass(frozen=True)
class RunsOut:
    """When a stock is used up and somebody goes without, as the number of the day from 0; None if it lasts.

    Attributes:
        day: at the middle response.
        earliest, latest: by the 90 % interval.
        at_low, at_high: at the low and the high response.
        without: users who reach the step and get nothing.
    """

    day: int | None
    earliest: int | None
    latest: int | None
    at_low: int | None
    at_high: int | None
    without: Band


@dataclass(frozen=True)
class StepResult:
    """One step.

    Attributes:
        share: of the users who reach it by the last day, 0 to 1.
        users: how many they are.
        cost: of its rewards, with no more than the stock.
        by_day: the share that has reached it by each day.
        by_group: the share by group; None for a group without users in the past.
        runs_out: None for a step without a stock.
    """

    share: Band
    users: Band
    cost: Band
    by_day: tuple[Band, ...]
    by_group: tuple[Band | None, ...]
    runs_out: RunsOut | None


class Change(StrEnum):
    """What is changed to see how much hangs on it."""

    LESS = "less_activity"
    MORE = "more_activity"
    WITHOUT = "without"
    DOUBLED = "doubled"


@dataclass(frozen=True)
class Sensitivity:
    """The same event with one thing changed.

    Attributes:
        change: what.
        rule: the place of the rule; None for the activity.
        shares: who reaches each step.
        cost: of all rewards.
    """

    change: Change
    rule: int | None
    shares: tuple[float, ...]
    cost: float


@dataclass(frozen=True)
class GroupSize:
    """A group and its users now."""

    key: str
    name: str
    users: int


@dataclass(frozen=True)
class Balance:
    """What the rules come to.

    Attributes:
        rules: as played.
        users: how many take part.
        groups: side by side; one with the key "" where nothing was named.
        steps: in the order of the rules.
        cost: of all rewards.
        activity: points that a user's acts would be worth without caps and response, over all days, with the 90 %
            interval of a next block: what happens afterwards is held against it.
        sensitivity: one row for each change.
        blocks: first dates of the past that was played, the newest first.
        one_in: of so many users one was played.
        last: the last date that was read.
    """

    rules: Rules
    users: int
    groups: tuple[GroupSize, ...]
    steps: tuple[StepResult, ...]
    cost: Band
    activity: Interval
    sensitivity: tuple[Sensitivity, ...]
    blocks: tuple[date, ...]
    one_in: int
    last: date


# ── Points of one block ───────────────────────────────────────────────────────
@dataclass(frozen=True, eq=False)
class Played:
    """The points of one block's users.

    Attributes:
        group: of each user.
        so_far: points of each user up to and with each day.
        by_rule: points of each user over all days, one row for each rule; none where nobody asked.
    """

    group: Ints
    so_far: npt.NDArray[np.float32]
    by_rule: Floats

    def reached(self, points: float) -> Ints:
        """The day from 0 on which each user reaches so many points; the number of days for those who never do."""
        return (self.so_far < _least(points)).sum(axis=1)


def play(
    block: Block, behaviours: Sequence[str], rules: Rules, u: float, *, seed: Sequence[int] = (), apart: bool = False
) -> Played:
    """The points of a block's users by the rules of an event.

    Args:
        block: past days.
        behaviours: names of its behaviours.
        rules: of the event: multipliers hold on its dates, not on those of the block.
        u: response: activity times 1 + u.
        seed: of the draw of the response.
        apart: also by rule.
    """
    times = respond(block, u, np.random.default_rng([*seed, 1]))
    users, days = block.group.size, rules.days
    total, by_rule = np.zeros(block.user.size), []
    for rule in rules.rules:
        points = points_of(rule, times[:, behaviours.index(rule.behaviour)], block.day, rules)
        total += points
        if apart:
            by_rule.append(np.bincount(block.user, points, users))
    so_far = np.zeros((users, days), dtype=np.float32)
    so_far[block.user, block.day] = total
    return Played(block.group, np.cumsum(so_far, axis=1, out=so_far), np.array(by_rule))


def respond(block: Block, u: float, rng: np.random.Generator) -> Ints:
    """How often each user does each behaviour on each active day of the event.

    For a negative u each act stays with the chance 1 + u. For a positive one, acts of another active day of the same
    user join, each with the chance u: counts of a user vary from day to day as before, and none is made up.
    """
    if u == 0:
        return block.times
    if u < 0:
        return _thinned(block.times, 1 + u, rng)
    days = np.bincount(block.user, minlength=block.group.size)
    starts = np.cumsum(days) - days
    place = np.arange(block.user.size) - starts[block.user]
    found, shift = block.times.copy(), rng.integers(1, np.maximum(days, 2))
    for more in range(ceil(u)):
        other = starts[block.user] + (place + (shift + more)[block.user]) % days[block.user]
        found += _thinned(block.times, min(1.0, u - more), rng)[other]
    return found


def _thinned(times: Ints, chance: float, rng: np.random.Generator) -> Ints:
    """What is left of each number when each act stays with a chance; zeros, which are most, take no draw."""
    left, some = np.zeros_like(times), times > 0
    left[some] = rng.binomial(times[some], chance)
    return left


def points_of(rule: PointRule, times: Ints, day: Ints, rules: Rules) -> Floats:
    """Points of days: the times that count, by the multiplier of the date, up to the cap of points."""
    counted = times if rule.cap_times is None else np.minimum(times, rule.cap_times)
    factors = np.array([rule.times_on(on) for on in rules.dates]) * rule.points
    points = counted * factors[day]
    return points if rule.cap_points is None else np.minimum(points, rule.cap_points)


def _least(points: float) -> float:
    """The threshold itself, but sums of fractions may fall short of it by rounding."""
    return points - ROUNDING * max(1.0, points)


# ── The whole ─────────────────────────────────────────────────────────────────
type Plays = dict[float, list[Played]]  # of every block, by response


def balance(past: Past, rules: Rules, plays: Plays | None = None, *, sensitive: bool = True) -> Balance:
    """Play an event over the past.

    Args:
        past: with every behaviour of the rules, and at least two blocks.
        rules: of the event.
        plays: of the same rules with other steps, which need no new points; what is played here is added.
        sensitive: also with one thing changed, which plays the blocks twice more.
    """
    table = _Table(past, rules, {} if plays is None else plays)
    u = rules.response
    middle = table.courses(u.middle)
    low, high = (middle if other == u.middle else table.courses(other) for other in (u.low, u.high))
    spread = _Spread(len(past.blocks))
    users = round(table.users)
    steps = tuple(_step(table, spread, (middle, low, high), place) for place in range(len(rules.steps)))
    cost = spread.band(*(one.cost for one in (middle, low, high)), drawn=middle.drawn_cost)
    sizes = (GroupSize(group.key, group.name, int(n)) for group, n in zip(past.groups, past.users, strict=True))
    return Balance(
        rules=rules,
        users=users,
        groups=tuple(sizes),
        steps=steps,
        cost=cost,
        activity=spread.interval(table.activity()),
        sensitivity=tuple(table.sensitivity()) if sensitive else (),
        blocks=tuple(block.first for block in past.blocks),
        one_in=past.one_in,
        last=past.last,
    )


@dataclass(frozen=True, eq=False)
class _Courses:
    """The event in each block.

    Attributes:
        shares: by block, group, step and day.
        total: the same of all users, by block, step and day.
        cost: of all rewards, by block.
        step_cost: by block and step.
        drawn: variance of `total` over draws of users; None where nobody asked, as the next two.
        drawn_groups: of `shares` on the last day.
        drawn_cost: of `cost`.
        drawn_step_cost: of `step_cost`.
    """

    shares: Floats
    total: Floats
    cost: Floats
    step_cost: Floats
    drawn: Floats
    drawn_groups: Floats
    drawn_cost: Floats
    drawn_step_cost: Floats


class _Table:
    """The blocks, played at several responses."""

    def __init__(self, past: Past, rules: Rules, plays: Plays) -> None:
        self.past, self.rules, self.played = past, rules, plays
        self.weights = past.users / max(int(past.users.sum()), 1)
        self.users = float(past.users.sum())
        self.costs = np.array([step.cost for step in rules.steps])
        self.stock = np.array([np.inf if step.stock is None else step.stock for step in rules.steps])

    def plays(self, u: float) -> list[Played]:
        """Each block's points at one response; the draws are the same whatever the steps are."""
        apart = u == self.rules.response.middle
        if u not in self.played:
            self.played[u] = [
                play(block, self.past.behaviours, self.rules, u, seed=(self.rules.seed, place), apart=apart)
                for place, block in enumerate(self.past.blocks)
            ]
        return self.played[u]

    def courses(self, u: float) -> _Courses:
        """The event in each block at one response."""
        draw = u == self.rules.response.middle
        days, steps = self.rules.days, len(self.rules.steps)
        shares, drawn, drawn_groups, drawn_cost, drawn_steps = [], [], [], [], []
        for place, played in enumerate(self.plays(u)):
            reached = np.stack([played.reached(step.points) for step in self.rules.steps], axis=1)
            patterns, counts = _patterns(played.group, reached, days + 1)
            shares.append(self._shares(patterns, counts[None, :])[0])
            if draw:
                rng = np.random.default_rng([self.rules.seed, place, 2])
                some = self._shares(patterns, rng.poisson(counts, (DRAWS, counts.size)))
                whole = self._whole(some)
                given = self._given(whole) * self.costs
                drawn.append(whole.var(axis=0))
                drawn_groups.append(some[..., -1].var(axis=0))
                drawn_cost.append(given.sum(axis=1).var())
                drawn_steps.append(given.var(axis=0))
        by_block = np.array(shares)
        total = self._whole(by_block)
        given = self._given(total) * self.costs
        none = np.zeros((1, steps, days))
        return _Courses(
            by_block,
            total,
            given.sum(axis=1),
            given,
            np.mean(drawn, axis=0) if draw else none[0],
            np.mean(drawn_groups, axis=0) if draw else none[0],
            np.mean(drawn_cost) if draw else none[0],
            np.mean(drawn_steps, axis=0) if draw else none[0],
        )

    def _shares(self, patterns: Ints, counts: Ints) -> Floats:
        """By draw, group, step and day the share that has reached it; nan for a group without users.

        Args:
            patterns: group and days of reaching, one row for each that occurs.
            counts: users of each, by draw.
        """
        days, groups = self.rules.days, len(self.past.groups)
        found = np.empty((len(counts), groups, patterns.shape[1] - 1, days))
        for step in range(patterns.shape[1] - 1):
            cells = patterns[:, 0] * (days + 1) + patterns[:, step + 1]
            order = np.argsort(cells, kind="stable")
            starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
            sums = np.zeros((len(counts), groups * (days + 1)))
            sums[:, cells[order][starts]] = np.add.reduceat(counts[:, order], starts, axis=1)
            by_day = sums.reshape(len(counts), groups, days + 1)
            users = by_day.sum(axis=2, keepdims=True)
            with np.errstate(invalid="ignore"):
                found[:, :, step] = by_day.cumsum(axis=2)[:, :, :days] / np.where(users > 0, users, np.nan)
        return found

    def _whole(self, shares: Floats) -> Floats:
        """Shares of all users; a group that had nobody then counts as the others did."""
        known = ~np.isnan(shares[:, :, :1, :1])
        weights = self.weights[None, :, None, None] * known
        whole: Floats = (np.nan_to_num(shares) * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-12)
        return whole

    def _given(self, total: Floats) -> Floats:
        """Rewards that are given, by course and step."""
        given: Floats = np.minimum(total[:, :, -1] * self.users, self.stock)
        return given

    def activity(self) -> Floats:
        """Points a user that the acts would be worth without caps, by block."""
        worth = np.zeros(len(self.past.behaviours))
        for rule in self.rules.rules:
            worth[self.past.behaviours.index(rule.behaviour)] += rule.points
        return np.array([self._mean(block.group, worth_of(block, worth)) for block in self.past.blocks])

    def _mean(self, group: Ints, values: Floats) -> float:
        sizes = np.bincount(group, minlength=len(self.weights))
        means = np.bincount(group, values, len(self.weights)) / np.maximum(sizes, 1)
        weights = self.weights * (sizes > 0)
        return float((means * weights).sum() / max(weights.sum(), 1e-12))

    def sensitivity(self) -> Iterator[Sensitivity]:
        """The event with a tenth less and more activity, and without each rule and with each doubled."""
        u = self.rules.response.middle
        for change, sign in ((Change.LESS, -1), (Change.MORE, 1)):
            plays = self.plays(max(-1.0, (1 + u) * (1 + sign * TRIED) - 1))
            yield self._changed(change, None, [played.so_far[:, -1].astype(np.float64) for played in plays])
        for place in range(len(self.rules.rules)):
            for change, sign in ((Change.WITHOUT, -1), (Change.DOUBLED, 1)):
                totals = [one.so_far[:, -1] + sign * one.by_rule[place] for one in self.plays(u)]
                yield self._changed(change, place, totals)

    def _changed(self, change: Change, rule: int | None, totals: Sequence[Floats]) -> Sensitivity:
        shares = np.array(
            [
                [
                    self._mean(block.group, (points >= _least(step.points)).astype(np.float64))
                    for step in self.rules.steps
                ]
                for block, points in zip(self.past.blocks, totals, strict=True)
            ]
        )
        cost = (np.minimum(shares * self.users, self.stock) * self.costs).sum(axis=1)
        return Sensitivity(change, rule, tuple(map(float, shares.mean(axis=0))), float(cost.mean()))


def worth_of(block: Block, worth: Floats) -> Floats:
    """Points of each user's acts without caps, multipliers and response."""
    return np.bincount(block.user, block.times @ worth, block.group.size).astype(np.float64)


def _patterns(group: Ints, reached: Ints, base: int) -> tuple[Ints, Ints]:
    """Each combination of group and days of reaching that occurs, and how many users have it.

    A draw of users needs only how many of each kind are drawn.
    """
    code = group.copy()
    for column in reached.T:
        code = code * base + column
    _codes, first, counts = np.unique(code, return_index=True, return_counts=True)
    return np.column_stack([group, reached])[first], counts


class _Spread:
    """How far a next course of the event may lie from the mean of those of the past."""

    def __init__(self, blocks: int) -> None:
        from scipy import stats

        self.blocks = blocks
        # A next block differs from the mean of M by sqrt(1 + 1/M) of how single blocks differ.
        self.factor = float(stats.t.isf((1 - LEVEL) / 2, blocks - 1)) * sqrt(1 + 1 / blocks)

    def half(self, values: Floats, drawn: Floats | float = 0.0) -> Floats:
        """Half the interval of a next block.

        Args:
            values: by block, then anything.
            drawn: their variance over draws of users: they never differ by less.
        """
        known = np.sum(~np.isnan(values), axis=0)
        between = np.where(known > 1, np.nanvar(values, axis=0) * known / np.maximum(known - 1, 1), 0.0)
        return self.factor * np.sqrt(np.maximum(between, drawn))

    def interval(self, values: Floats) -> Interval:
        """Mean and interval of a value that is never negative."""
        mean, half = float(values.mean()), float(self.half(values))
        return Interval(mean, max(0.0, mean - half), mean + half, LEVEL, METHOD)

    def band(
        self, middle: Floats, low: Floats, high: Floats, *, drawn: Floats | float = 0.0, most: float = np.inf
    ) -> Band:
        """The band of one value, of its courses at three responses."""
        mean, half = float(np.nanmean(middle)), float(self.half(middle, drawn))
        ends = float(np.nanmean(low)), float(np.nanmean(high))
        return Band(mean, max(0.0, mean - half), min(most, mean + half), *ends)


def _step(table: _Table, spread: _Spread, courses: tuple[_Courses, _Courses, _Courses], place: int) -> StepResult:
    middle = courses[0]
    by_day = tuple(
        spread.band(*(one.total[:, place, day] for one in courses), drawn=middle.drawn[place, day], most=1.0)
        for day in range(table.rules.days)
    )
    by_group: list[Band | None] = []
    for group in range(len(table.past.groups)):
        some = [one.shares[:, group, place, -1] for one in courses]
        drawn = np.nan_to_num(middle.drawn_groups[group, place])
        by_group.append(None if np.isnan(some[0]).all() else spread.band(*some, drawn=drawn, most=1.0))
    share = by_day[-1]
    cost = spread.band(*(one.step_cost[:, place] for one in courses), drawn=middle.drawn_step_cost[place])
    return StepResult(share, _times(share, table.users), cost, by_day, tuple(by_group), _runs_out(table, by_day, place))


def _times(band: Band, users: float) -> Band:
    return Band(*(value * users for value in (band.estimate, band.low, band.high, band.at_low, band.at_high)))


def _runs_out(table: _Table, by_day: Sequence[Band], place: int) -> RunsOut | None:
    stock = table.rules.steps[place].stock
    if stock is None:
        return None
    demand = [_times(band, table.users) for band in by_day]

    def first(name: str) -> int | None:
        return next((day for day, band in enumerate(demand) if getattr(band, name) > stock), None)

    last = demand[-1]
    without = Band(
        *(max(0.0, value - stock) for value in (last.estimate, last.low, last.high, last.at_low, last.at_high))
    )
    return RunsOut(first("estimate"), first("high"), first("low"), first("at_low"), first("at_high"), without)


# ── Search ────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Found:
    """A threshold and the share of users that reaches it."""

    points: float
    share: float


def threshold_for(past: Past, rules: Rules, share: float, plays: Plays | None = None) -> Found:
    """The threshold whose share lies nearest to the one that is wanted, at the middle response.

    Points come in lumps, so that not every share can be had; among thresholds with the same share the roundest.

    Args:
        past, rules, plays: as for `balance`.
        share: of the users, between 0 and 1.
    """
    table = _Table(past, rules, {} if plays is None else plays)
    values, weights = [], []
    for played in table.plays(rules.response.middle):
        sizes = np.bincount(played.group, minlength=len(table.weights))
        known = table.weights * (sizes > 0)
        values.append(played.so_far[:, -1])
        weights.append((known / max(known.sum(), 1e-12) / np.maximum(sizes, 1))[played.group])
    points, weight = np.concatenate(values), np.concatenate(weights) / len(values)
    distinct, place = np.unique(np.round(points.astype(np.float64), 3), return_inverse=True)
    at_least = np.bincount(place, weight, distinct.size)[::-1].cumsum()[::-1]
    some = distinct > 0
    if not some.any():
        return Found(1.0, 0.0)
    lower = np.concatenate([[0.0], distinct])[:-1][some]
    distinct, at_least = distinct[some], at_least[some]
    best = int(np.abs(at_least - share).argmin())
    return Found(_roundest(float(lower[best]), float(distinct[best])), float(at_least[best]))


def _roundest(above: float, most: float) -> float:
    """The number with the fewest digits that is greater than one and at most the other."""
    for power in range(9, -3, -1):
        size = 10.0**power
        rounded = float(np.floor(most / size + ROUNDING) * size)
        if rounded > above + ROUNDING * max(1.0, above):
            return round(rounded, 2)
    return most


# ── Afterwards ────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class StepHappened:
    """One step, as it came.

    Attributes:
        share: of the users who had been active before, 0 to 1.
        users: how many they are.
        newcomers: others who reached it.
        by_day: the share that had reached it by each day.
        by_group: the share by group; None without users.
    """

    share: float
    users: int
    newcomers: int
    by_day: tuple[float, ...]
    by_group: tuple[float | None, ...]


@dataclass(frozen=True)
class Happened:
    """What came of an event, by the rules as they were promised.

    Attributes:
        users: who had been active before it.
        newcomers: others who got points.
        steps: in the order of the rules.
        cost: of the rewards of both, with no more than the stock.
        activity: points a user that the acts were worth without caps.
        response: u that this shows, with its range: for the next event.
    """

    users: int
    newcomers: int
    steps: tuple[StepHappened, ...]
    cost: float
    activity: float
    response: Response | None


def happened(known: Past, new: Past, promised: Balance) -> Happened:
    """Play the rules over the event's own days.

    Args:
        known: one block, the event's days, of the users who had been active before it.
        new: one block of the others.
        promised: what was expected.
    """
    rules, table = promised.rules, _Table(known, promised.rules, {})
    played, others = (play(one.blocks[0], one.behaviours, rules, 0.0) for one in (known, new))
    steps, cost, one_in = [], 0.0, known.one_in
    for step in rules.steps:
        day, groups = played.reached(step.points), len(known.groups)
        reached = day < rules.days
        newcomers = int((others.reached(step.points) < rules.days).sum()) * one_in
        sizes = np.bincount(played.group, minlength=groups)
        hits = np.bincount(played.group, reached, groups)
        total = max(day.size, 1)
        steps.append(
            StepHappened(
                float(reached.mean()) if day.size else 0.0,
                int(reached.sum()) * one_in,
                newcomers,
                tuple(float((day <= on).sum() / total) for on in range(rules.days)),
                tuple(float(hit / n) if n else None for hit, n in zip(hits, sizes, strict=True)),
            )
        )
        wanted = steps[-1].users + newcomers
        cost += step.cost * (wanted if step.stock is None else min(wanted, step.stock))
    activity = float(table.activity()[0])
    return Happened(
        int(played.group.size) * one_in,
        int((others.so_far[:, -1] > 0).sum()) * one_in,
        tuple(steps),
        cost,
        activity,
        _response(activity, promised.activity),
    )


def _response(activity: float, expected: Interval) -> Response | None:
    """The response that an activity shows, against what was expected of it."""
    if expected.low <= 0:
        return None
    low, middle, high = (activity / value - 1 for value in (expected.high, expected.estimate, expected.low))
    return Response(round(low, 3), round(middle, 3), round(high, 3))


# ── What is stored ────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class BalanceReport:
    """The result of a run.

    Attributes:
        balance: of the rules.
        happened: what came of the event, held against it; None for a promise.
    """

    balance: Balance
    happened: Happened | None = None


BALANCE = Schema(BalanceReport)
