"""Whom to nudge: the rule that a sample chooses, and what such a choice gains on units that had no part in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from stats.policy.conditions import Choice, Conditions, NudgeRule, all_conditions, choose
from stats.policy.unit_folds import Fold, joined, split, whole
from stats.policy.unit_scores import Scores, scores, variant_share
from stats.results import Interval, NotComputable, Reason, check_alpha
from stats.summaries import Array
from stats.trait_cells import TraitCells

FOLDS, SPLITS = 5, 20
# Units of an arm below which no rule of any use could be told from luck.
LEAST_UNITS = 500


@dataclass(frozen=True)
class Policy:
    """A rule whom to nudge, its value beside nudging everybody and nobody, and whether it beats both.

    All gains are per unit of the whole population, nudged or not, in the outcome's unit, net of the cost.

    Attributes:
        rule: chosen on all units; None where nudging everybody or nobody is the best choice.
        everybody: without a rule, which of these two it is.
        beats: there is a rule, and its gains over everybody and over nobody both lie above 0 with the whole interval,
            whose limits are one-sided at alpha each.
        share: of the units that the choice takes.
        over_all: what the choice gains over nudging everybody, on held-out units.
        over_none: what it gains over nudging nobody, on held-out units.
        all_over_none: what nudging everybody gains over nobody.
        inside: effect of the nudge on the units that the choice takes, on held-out units, before its cost; not
            computable where it takes nobody.
        outside: the same of the others.
        agreement: share of the training samples that chose this very rule, 0 to 1.
        cost: of nudging one unit, in the outcome's unit.
        folds: of each split; the share of units that judges is one of them.
        splits: random splits, of which the medians are told.
        seed: of the splits.
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


def whom_to_nudge(cells: TraitCells, *, cost: float = 0.0, alpha: float = 0.05, seed: int) -> Policy | NotComputable:
    """Choose a rule of at most two conditions, and estimate what such a choice gains on held-out units.

    Cross-fitting: of five folds, four choose and the fifth tells the gain, in turn. 20 random splits, whose medians are
    taken, so that no lucky split decides.

    "Beats" asks for two lower limits above 0: over everybody and over nobody, each one-sided at alpha. Both must hold,
    so neither is corrected. A rule that does as well as everybody with fewer nudges doesn't beat it unless a nudge has
    a cost; with effects of one sign everywhere and no cost, no rule can.

    Args:
        cells: of control and the variant.
        cost: of nudging one unit, in the outcome's unit: those whom the nudge hardly helps are then better left out.
        alpha: error rate of "beats", and of each limit: the intervals have the level 1 - 2 alpha.
        seed: of the splits.

    Source: Athey and Wager 2021 (policies from doubly robust scores); Chernozhukov, Demirer, Duflo and Fernandez-Val
    2025 (medians over splits); Berger 1982 (two limits, one level).
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
    rounds = [_cross_fitted(conditions, split(cells, FOLDS, rng), share, cost) for _ in range(SPLITS)]
    over_all, over_none = (_median([found.gains[place].mean(both) for found in rounds]) for place in (0, 1))
    return Policy(
        rule=final.rule,
        everybody=final.everybody,
        beats=final.rule is not None and min(over_all.low, over_none.low) > 0,
        share=float(conditions.takes(final) @ plain.units / plain.units.sum()),
        over_all=over_all,
        over_none=over_none,
        all_over_none=plain.mean(both),
        inside=_effect([found.inside for found in rounds], both),
        outside=_effect([found.outside for found in rounds], both),
        agreement=float(np.mean([choice == final for found in rounds for choice in found.choices])),
        cost=cost,
        folds=FOLDS,
        splits=SPLITS,
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class _Round:
    """One split: what each fold's others chose, and on all folds the gains over everybody and nobody."""

    choices: tuple[Choice, ...]
    gains: tuple[Scores, Scores]
    inside: Scores
    outside: Scores


def _cross_fitted(conditions: Conditions, folds: Sequence[Fold], share: Array, cost: float) -> _Round:
    choices, parts = [], []
    for held, judging in enumerate(folds):
        learning = joined([fold for place, fold in enumerate(folds) if place != held])
        seen = scores(learning, learning, share).net(cost)
        choice = choose(conditions, seen.units, seen.total, seen.squares)
        taken = conditions.takes(choice)
        effects = scores(judging, learning, share)
        net = effects.net(cost)
        choices.append(choice)
        parts.append((net.times(taken - 1), net.times(taken), effects.inside(taken), effects.inside(1 - taken)))
    over_all, over_none, inside, outside = (reduce(Scores.plus, column) for column in zip(*parts, strict=True))
    return _Round(tuple(choices), (over_all, over_none), inside, outside)


def _effect(found: Sequence[Scores], alpha: float) -> Interval | NotComputable:
    known = [one.mean(alpha) for one in found if one.units.sum() > 0]
    # Units that hardly any split puts on this side have no effect to tell.
    return _median(known) if len(known) > len(found) / 2 else NotComputable(Reason.NO_DATA)


def _median(found: Sequence[Interval]) -> Interval:
    estimate, low, high = (
        float(np.median([getattr(one, name) for one in found])) for name in ("estimate", "low", "high")
    )
    return Interval(estimate, low, high, found[0].level, found[0].method)
