"""Targeting rules: whom to nudge by traits, doubly robust scores, and a rule's gain on held-out units."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats

from stats.results import Interval, NotComputable, Reason, check_alpha
from stats.summaries import Array
from stats.trait_cells import OTHER, TraitCells

# Rules of at most two conditions on traits: enumerate them, and choose one on a sample.

type Flags = npt.NDArray[np.bool_]

# A rule must include, and exclude, at least this share of the units to be useful.
LEAST_SHARE = 0.05
# Error rate of the test that a second condition adds something, over all pairs of conditions together.
SECOND_CONDITION_ALPHA = 0.05


@dataclass(frozen=True)
class TraitCondition:
    """``trait is level``, or ``trait is not level`` where `holds` is False."""

    trait: str
    level: str
    holds: bool


@dataclass(frozen=True)
class NudgeRule:
    """Whom to nudge.

    Attributes:
        conditions: one or two.
        any_of: whether one of the two is enough; otherwise both must hold.
    """

    conditions: tuple[TraitCondition, ...]
    any_of: bool = False


@dataclass(frozen=True)
class Choice:
    """What a sample chooses: nudge all units, none, or by a rule.

    Attributes:
        rule: None for all or none.
        everybody: True for all, False for none; False with a rule.
    """

    rule: NudgeRule | None
    everybody: bool = False


@dataclass(frozen=True, eq=False)
class Conditions:
    """Every condition allowed in a rule, with the cells that it selects.

    Attributes:
        conditions: each level of each trait, and its opposite.
        flags: conditions x cells, 1.0 where the condition holds.
    """

    conditions: tuple[TraitCondition, ...]
    flags: Array = field(repr=False)

    def takes(self, choice: Choice) -> Array:
        """1.0 for each cell that a choice selects, 0.0 for the others."""
        if choice.rule is None:
            return np.full(self.flags.shape[1], float(choice.everybody))
        flags = [self.flags[self.conditions.index(condition)] for condition in choice.rule.conditions]
        return np.asarray(np.max(flags, axis=0) if choice.rule.any_of else np.min(flags, axis=0))


def all_conditions(cells: TraitCells) -> Conditions:
    """Every level with units, and its opposite; for a trait with two levels each level once."""
    distinct: dict[bytes, tuple[TraitCondition, Flags]] = {}
    for holds in (True, False):
        for place, (trait, labels) in enumerate(zip(cells.traits, cells.levels, strict=True)):
            for code, label in enumerate(labels):
                inside = (cells.codes[:, place] == code) == holds
                if label != OTHER and inside.any() and not inside.all():
                    distinct.setdefault(inside.tobytes(), (TraitCondition(trait, label, holds), inside))
    flags = np.array([inside for _condition, inside in distinct.values()], dtype=np.float64)
    return Conditions(
        tuple(condition for condition, _inside in distinct.values()), flags.reshape(len(distinct), len(cells.n))
    )


def choose(conditions: Conditions, units: Array, gain: Array, squares: Array) -> Choice:
    """The choice with the largest gain; a second condition only if it significantly adds something.

    The best of a thousand pairs is best by luck: it replaces the simpler choice only if its additional gain is
    significant after Bonferroni over all pairs. Rules of one condition, all and none are few, and compete by gain
    alone.

    Args:
        conditions: allowed conditions.
        units: per cell.
        gain: sum over a cell's units of the gain from nudging them, net of its cost.
        squares: sum of the squares of the same.
    """
    total = float(units.sum())
    options = [(0.0, Choice(None)), (float(gain.sum()), Choice(None, everybody=True))]
    flags = conditions.flags
    share = flags @ units / total
    single = [
        (float(value), Choice(NudgeRule((condition,))))
        for condition, value, part in zip(conditions.conditions, flags @ gain, share, strict=True)
        if LEAST_SHARE <= part <= 1 - LEAST_SHARE
    ]
    best, simple = max([*options, *single], key=lambda option: option[0])
    pairs = _Pairs.of(flags, units, gain)
    taken = conditions.takes(simple)
    added = np.stack([pairs.both, pairs.either]) - best
    # Units that both choices treat alike contribute nothing; the squares of the others' scores give the variance.
    spread = np.stack([_differ(flags, squares, taken, any_of=any_of) for any_of in (False, True)])
    allowed = np.stack([pairs.allowed(any_of=any_of) for any_of in (False, True)])
    count = int(allowed.sum())
    if count == 0:
        return simple
    critical = float(stats.norm.isf(SECOND_CONDITION_ALPHA / count))
    error = np.sqrt(np.maximum(spread - np.square(added) / total, 0.0))
    proved = allowed & (added > critical * error) & (added > 0)
    if not proved.any():
        return simple
    any_of, first, second = np.unravel_index(int(np.argmax(np.where(proved, added, -np.inf))), added.shape)
    named = (conditions.conditions[int(first)], conditions.conditions[int(second)])
    return Choice(NudgeRule(named, any_of=bool(any_of)))


@dataclass(frozen=True, eq=False)
class _Pairs:
    """For all pairs of conditions at once: sums over the cells that both select, and that either selects."""

    both: Array
    either: Array
    share_both: Array
    share_either: Array

    @classmethod
    def of(cls, flags: Array, units: Array, gain: Array) -> "_Pairs":
        both, either = _sums(flags, gain)
        n_both, n_either = _sums(flags, units)
        return cls(both, either, n_both / units.sum(), n_either / units.sum())

    def allowed(self, *, any_of: bool) -> Flags:
        """Mask: each pair once, without pairs that select hardly any or nearly all units, or equal one condition."""
        share = self.share_either if any_of else self.share_both
        single = np.diag(self.share_both)
        alone = np.isclose(share, single[:, None]) | np.isclose(share, single[None, :])
        sized = (share >= LEAST_SHARE) & (share <= 1 - LEAST_SHARE)
        return np.asarray(np.triu(sized & ~alone, 1))


def _sums(flags: Array, values: Array) -> tuple[Array, Array]:
    both = (flags * values) @ flags.T
    single = flags @ values
    return both, single[:, None] + single[None, :] - both


def _differ(flags: Array, values: Array, taken: Array, *, any_of: bool) -> Array:
    """Sum of the values over the cells where a pair of conditions and another choice differ."""
    mine = _sums(flags, values)[any_of]
    common = _sums(flags, values * taken)[any_of]
    return np.asarray(mine + float(values @ taken) - 2 * common)


# Random folds of units, drawn from the moments of their cells: holding units out needs no unit-level rows.


@dataclass(frozen=True, eq=False)
class Fold:
    """One fold's units per cell and arm, with the mean of their outcome and its variance; cells x 2 each."""

    n: Array
    means: Array
    variance: Array

    @property
    def units(self) -> Array:
        """Units per cell, both arms together."""
        return np.asarray(self.n.sum(axis=1))


def whole(cells: TraitCells) -> Fold:
    """Number of all units."""
    return Fold(cells.n, cells.means[:, :, 0], cells.covariance[:, :, 0, 0])


def split(cells: TraitCells, folds: int, rng: np.random.Generator) -> list[Fold]:
    """Assign each unit to a fold at random.

    Of a 0/1 outcome this is exact: the number of ones in a cell is sufficient, and each falls into each fold with equal
    probability. For numbers, the folds' means are drawn from their normal distribution given the cell's own mean, v
    (diag(1/n_k) - 1/n): unconditionally they are then distributed as independent folds.

    Source: multinomial thinning; Neufeld, Dharamshi, Gao and Witten 2024 (data thinning of a normal mean).
    """
    n, means, variance = cells.n, cells.means[:, :, 0], cells.covariance[:, :, 0, 0]
    even = np.full(folds, 1 / folds)
    if cells.proportion:
        ones = np.rint(n * means).astype(np.int64)
        successes = rng.multinomial(ones, even)
        sizes = successes + rng.multinomial(np.rint(n).astype(np.int64) - ones, even)
        share = successes / np.maximum(sizes, 1)
        spread = share * (1 - share) * sizes / np.maximum(sizes - 1, 1)
        return [Fold(sizes[..., k].astype(float), share[..., k], spread[..., k]) for k in range(folds)]
    sizes = rng.multinomial(np.rint(n).astype(np.int64), even)
    noise = rng.standard_normal(sizes.shape) * np.sqrt(variance[..., None] / np.maximum(sizes, 1))
    centre = (sizes * noise).sum(axis=-1) / np.maximum(n, 1)
    drawn = np.where(sizes > 0, means[..., None] + noise - centre[..., None], 0.0)
    return [Fold(sizes[..., k].astype(float), drawn[..., k], variance) for k in range(folds)]


def joined(folds: list[Fold]) -> Fold:
    """Merge several folds into one."""
    n = np.sum([fold.n for fold in folds], axis=0)
    means = np.sum([fold.n * fold.means for fold in folds], axis=0) / np.maximum(n, 1)
    scatter = np.sum(
        [np.maximum(fold.n - 1, 0) * fold.variance + fold.n * np.square(fold.means - means) for fold in folds], axis=0
    )
    return Fold(n, means, scatter / np.maximum(n - 1, 1))


# Doubly robust scores of the gain from nudging a unit: their mean over any group is the effect on that group.

# The outcome model shrinks a cell's mean towards its arm's mean as if this many units with the arm's mean were added.
PRIOR_UNITS = 20.0


@dataclass(frozen=True, eq=False)
class Scores:
    """Per cell: number of units, sum of their scores, and sum of squares."""

    units: Array
    total: Array
    squares: Array

    def times(self, weights: Array) -> "Scores":
        """Each cell's scores times a weight; a weight of 0 keeps its units in the denominator."""
        return Scores(self.units, self.total * weights, self.squares * weights**2)

    def net(self, cost: float) -> "Scores":
        """The scores minus the cost of nudging a unit."""
        total = self.total - cost * self.units
        return Scores(self.units, total, self.squares - 2 * cost * self.total + cost**2 * self.units)

    def inside(self, kept: Array) -> "Scores":
        """The scores of the units in some cells only."""
        return Scores(self.units * kept, self.total * kept, self.squares * kept)

    def mean(self, alpha: float) -> Interval:
        """Mean over all units with its normal interval."""
        n = float(self.units.sum())
        mean = float(self.total.sum()) / n
        error = sqrt(max(float(self.squares.sum()) / n - mean**2, 0.0) / n)
        half = float(stats.norm.isf(alpha / 2)) * error
        return Interval(mean, mean - half, mean + half, 1 - alpha, "whom-to-nudge")


def scores(judging: Fold, learning: Fold, share: Array) -> Scores:
    """Doubly robust scores of a fold's units, with an outcome model learnt on other units.

    A unit's score is m1(x) - m0(x) + G (R - m1(x))/e - (1-G)(R - m0(x))/(1-e); a cell's moments give its sum and the
    sum of its squares.

    Args:
        judging: the units to score.
        learning: the units to learn m from.
        share: of the variant among a cell's units as assigned, per cell.

    Source: Robins, Rotnitzky and Zhao 1994.
    """
    model = _outcome_model(learning)
    gap = (model[:, 1] - model[:, 0])[:, None]
    weight = np.column_stack([-1 / (1 - share), 1 / share])
    centre = gap + weight * (judging.means - model)
    squares = np.maximum(judging.n - 1, 0) * judging.variance * weight**2 + judging.n * centre**2
    return Scores(judging.units, (judging.n * centre).sum(axis=1), squares.sum(axis=1))


def variant_share(cells: TraitCells) -> Array:
    """Share of the variant in each cell's stratum, estimated from its units; strictly between 0 and 1."""
    shares = np.zeros(len(cells.n))
    for stratum in np.unique(cells.stratum):
        inside = cells.stratum == stratum
        control, variant = cells.n[inside].sum(axis=0)
        shares[inside] = variant / (control + variant)
    return shares


def _outcome_model(fold: Fold) -> Array:
    """Mean outcome per cell and arm, shrunk towards the arm's mean, since small cells have imprecise means."""
    arm = (fold.n * fold.means).sum(axis=0) / np.maximum(fold.n.sum(axis=0), 1)
    return np.asarray((fold.n * fold.means + PRIOR_UNITS * arm) / (fold.n + PRIOR_UNITS))


# Targeting: the rule that a sample chooses, and its gain on units that had no part in the choice.

# Of five folds two choose and three evaluate: choosing a rule of one or two conditions needs fewer units than proving
# its gain.
FOLDS, JUDGING, SPLITS = 5, 3, 20
# Units of an arm below which no useful rule could be distinguished from luck.
LEAST_UNITS = 500


@dataclass(frozen=True)
class Policy:
    """A targeting rule, its gain over nudging everybody and nobody, and whether it beats both.

    All gains are per unit of the whole population, nudged or not, in the outcome's unit, net of the cost.

    Attributes:
        rule: chosen on all units; None where nudging everybody or nobody is the best choice.
        everybody: without a rule, which of these two it is.
        beats: there is a rule, and its gains over everybody and over nobody both lie above 0 with the whole interval,
            whose limits are one-sided at alpha each.
        share: of the units that the choice nudges.
        over_all: gain of the choice over nudging everybody, on held-out units.
        over_none: its gain over nudging nobody, on held-out units.
        all_over_none: gain of nudging everybody over nobody.
        inside: effect of the nudge on the units that the choice nudges, on held-out units, before its cost; not
            computable if it nudges nobody.
        outside: the same of the others.
        agreement: share of the training samples that chose exactly this rule, 0 to 1.
        cost: of nudging one unit, in the outcome's unit.
        folds: of each split.
        splits: random splits, whose medians are reported.
        seed: of the splits.
        judging: of the folds, those that judge what the others chose; 1, each in turn, in analyses up to 0.4.
    """

    rule: NudgeRule | None
    everybody: bool
    beats: bool
    share: float
    over_all: Interval
    over_none: Interval
    all_over_none: Interval
    inside: Interval | NotComputable
    outside: Interval | NotComputable
    agreement: float
    cost: float
    folds: int
    splits: int
    seed: int
    judging: int = 1


def whom_to_nudge(cells: TraitCells, *, cost: float = 0.0, alpha: float = 0.05, seed: int) -> Policy | NotComputable:
    """Choose a rule of at most two conditions, and estimate its gain on held-out units.

    Of five random folds two choose and the other three estimate the gain: given the choice it is a plain mean over
    units that had no part in it. The medians over 20 random splits are reported, so that no lucky split decides. A
    median of limits at half the error rate holds at the whole rate however the splits depend on each other: at least
    half of them are wrong together at most twice as often as a single one (Markov). Evaluating on each fold in turn
    gives narrower limits, but each choice then uses the units that evaluate the others: where nothing has an effect,
    such limits over nobody and over everybody lay above 0 in 7 to 13 %.

    "Beats" requires two lower limits above 0: over everybody and over nobody, each one-sided at alpha. Both must hold,
    so neither is corrected. A rule that does as well as everybody with fewer nudges doesn't beat it unless a nudge has
    a cost; with effects of one sign everywhere and no cost, no rule can.

    Args:
        cells: of control and the variant.
        cost: of nudging one unit, in the outcome's unit: users whom the nudge hardly helps are then better left out.
        alpha: error rate of "beats", and of each limit: the intervals have the level 1 - 2 alpha.
        seed: of the splits.

    Source: Athey and Wager 2021 (policies from doubly robust scores); Meinshausen, Meier and Bühlmann 2009,
    Chernozhukov, Demirer, Duflo and Fernandez-Val 2025 (medians over splits at half the rate); Berger 1982 (two limits,
    one level).
    """
    check_alpha(alpha)
    both = min(2 * alpha, 0.999)
    arms = cells.n.sum(axis=0)
    if arms.min() < LEAST_UNITS:
        return NotComputable(Reason.TOO_FEW_FOR_RULE, {"n": int(arms.min()), "needed": LEAST_UNITS})
    conditions = all_conditions(cells)
    if not conditions.conditions:
        return NotComputable(Reason.NO_TRAITS)
    rng, share, everything = np.random.default_rng(seed), variant_share(cells), whole(cells)
    plain = scores(everything, everything, share).net(cost)
    final = choose(conditions, plain.units, plain.total, plain.squares)
    rounds = [_judged(conditions, split(cells, FOLDS, rng), share, cost) for _ in range(SPLITS)]
    over_all, over_none = (_median([trial.gains[place] for trial in rounds], both) for place in (0, 1))
    return Policy(
        rule=final.rule,
        everybody=final.everybody,
        beats=final.rule is not None and min(over_all.low, over_none.low) > 0,
        share=float(conditions.takes(final) @ plain.units / plain.units.sum()),
        over_all=over_all,
        over_none=over_none,
        all_over_none=plain.mean(both),
        inside=_effect([trial.inside for trial in rounds], both),
        outside=_effect([trial.outside for trial in rounds], both),
        agreement=float(np.mean([trial.choice == final for trial in rounds])),
        cost=cost,
        folds=FOLDS,
        splits=SPLITS,
        seed=seed,
        judging=JUDGING,
    )


@dataclass(frozen=True, eq=False)
class _Round:
    """One split: the choice of the learning folds, its gains over everybody and nobody on the others, and effects."""

    choice: Choice
    gains: tuple[Scores, Scores]
    inside: Scores
    outside: Scores


def _judged(conditions: Conditions, folds: list[Fold], share: Array, cost: float) -> _Round:
    judging, learning = joined(folds[:JUDGING]), joined(folds[JUDGING:])
    seen = scores(learning, learning, share).net(cost)
    choice = choose(conditions, seen.units, seen.total, seen.squares)
    taken = conditions.takes(choice)
    effects = scores(judging, learning, share)
    net = effects.net(cost)
    return _Round(choice, (net.times(taken - 1), net.times(taken)), effects.inside(taken), effects.inside(1 - taken))


def _effect(samples: Sequence[Scores], alpha: float) -> Interval | NotComputable:
    known = [sample for sample in samples if sample.units.sum() > 0]
    # If hardly any split selects units on this side, there is no effect to report.
    return _median(known, alpha) if len(known) > len(samples) / 2 else NotComputable(Reason.NO_DATA)


def _median(samples: Sequence[Scores], alpha: float) -> Interval:
    """Medians of estimate and limits over the splits: limits at alpha/2, so that the interval holds at alpha."""
    limits = [sample.mean(alpha / 2) for sample in samples]
    estimate, low, high = (
        float(np.median([getattr(interval, name) for interval in limits])) for name in ("estimate", "low", "high")
    )
    return Interval(estimate, low, high, 1 - alpha, limits[0].method)
