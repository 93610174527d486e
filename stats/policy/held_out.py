"""Whom to nudge: the rule that a sample chooses, and what such a choice gains on units that had no part in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stats.policy.conditions import Choice, Conditions, NudgeRule, all_conditions, choose
from stats.policy.unit_folds import Fold, joined, split, whole
from stats.policy.unit_scores import Scores, scores, variant_share
from stats.results import Interval, NotComputable, Reason, check_alpha
from stats.summaries import Array
from stats.trait_cells import TraitCells

# Of five folds two choose and three judge: a rule of one or two conditions is chosen with fewer units than it takes to
# prove what it gains.
FOLDS, JUDGING, SPLITS = 5, 3, 20
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
        folds: of each split.
        splits: random splits, of which the medians are told.
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
    """Choose a rule of at most two conditions, and estimate what such a choice gains on held-out units.

    Of five random folds two choose and the other three tell the gain: given the choice it is a plain mean over units
    that had no part in it. 20 random splits, whose medians are taken, so that no lucky split decides. A median of
    limits at half the error rate holds at the whole rate however the splits depend on each other: at least half of them
    are wrong together at most twice as often as a single one (Markov). Folds that judge in turn give narrower limits,
    but each choice then rests on the units that judge the others: where nothing has an effect, such limits over nobody
    and over everybody lay above 0 in 7 to 13 %.

    "Beats" asks for two lower limits above 0: over everybody and over nobody, each one-sided at alpha. Both must hold,
    so neither is corrected. A rule that does as well as everybody with fewer nudges doesn't beat it unless a nudge has
    a cost; with effects of one sign everywhere and no cost, no rule can.

    Args:
        cells: of control and the variant.
        cost: of nudging one unit, in the outcome's unit: those whom the nudge hardly helps are then better left out.
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
    over_all, over_none = (_median([found.gains[place] for found in rounds], both) for place in (0, 1))
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
        agreement=float(np.mean([found.choice == final for found in rounds])),
        cost=cost,
        folds=FOLDS,
        splits=SPLITS,
        seed=seed,
        judging=JUDGING,
    )


@dataclass(frozen=True, eq=False)
class _Round:
    """One split: what the learning folds chose, its gains over everybody and nobody on the others, and the effects."""

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


def _effect(found: Sequence[Scores], alpha: float) -> Interval | NotComputable:
    known = [one for one in found if one.units.sum() > 0]
    # Units that hardly any split puts on this side have no effect to tell.
    return _median(known, alpha) if len(known) > len(found) / 2 else NotComputable(Reason.NO_DATA)


def _median(found: Sequence[Scores], alpha: float) -> Interval:
    """Medians of estimate and limits over the splits: limits at alpha/2, so that the interval holds at alpha."""
    limits = [one.mean(alpha / 2) for one in found]
    estimate, low, high = (
        float(np.median([getattr(one, name) for one in limits])) for name in ("estimate", "low", "high")
    )
    return Interval(estimate, low, high, 1 - alpha, limits[0].method)
