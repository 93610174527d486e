"""Rules of at most two conditions on traits: which there are, and which one a sample chooses."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import stats

from stats.summaries import Array
from stats.trait_cells import OTHER, TraitCells

type Flags = npt.NDArray[np.bool_]

# A rule must leave out, and take, this share of the units: less is no policy.
LEAST_SHARE = 0.05
# Error rate of the proof that a second condition is worth having, over all pairs of conditions together.
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
        any_of: one of two is enough; otherwise both must hold.
    """

    conditions: tuple[TraitCondition, ...]
    any_of: bool = False


@dataclass(frozen=True)
class Choice:
    """What a sample chooses: everybody, nobody, or a rule.

    Attributes:
        rule: None for everybody or nobody.
        everybody: of these two; False where there is a rule.
    """

    rule: NudgeRule | None
    everybody: bool = False


@dataclass(frozen=True, eq=False)
class Conditions:
    """Every condition that may stand in a rule, with the cells that it takes.

    Attributes:
        conditions: each level of each trait, and its opposite.
        flags: conditions x cells, 1.0 where the condition holds.
    """

    conditions: tuple[TraitCondition, ...]
    flags: Array = field(repr=False)

    def takes(self, choice: Choice) -> Array:
        """1.0 for each cell that a choice takes, 0.0 for the others."""
        if choice.rule is None:
            return np.full(self.flags.shape[1], float(choice.everybody))
        found = [self.flags[self.conditions.index(condition)] for condition in choice.rule.conditions]
        return np.asarray(np.max(found, axis=0) if choice.rule.any_of else np.min(found, axis=0))


def all_conditions(cells: TraitCells) -> Conditions:
    """Each level that units have, and its opposite; of a trait with two levels each level once."""
    found: dict[bytes, tuple[TraitCondition, Flags]] = {}
    for holds in (True, False):
        for place, (trait, labels) in enumerate(zip(cells.traits, cells.levels, strict=True)):
            for code, label in enumerate(labels):
                inside = (cells.codes[:, place] == code) == holds
                if label != OTHER and inside.any() and not inside.all():
                    found.setdefault(inside.tobytes(), (TraitCondition(trait, label, holds), inside))
    flags = np.array([inside for _condition, inside in found.values()], dtype=np.float64)
    return Conditions(
        tuple(condition for condition, _inside in found.values()), flags.reshape(len(found), len(cells.n))
    )


def choose(conditions: Conditions, units: Array, gain: Array, squares: Array) -> Choice:
    """The choice with the largest gain; a second condition only where it is proved to add something.

    The best of a thousand pairs is best by luck: it replaces the simpler choice only where the gain that it adds is
    significant after Bonferroni over all pairs. One condition, everybody and nobody are few, and compete by gain alone.

    Args:
        conditions: that may be used.
        units: per cell.
        gain: sum over a cell's units of what nudging them gains, net of its cost.
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
    # Units that both choices treat alike add nothing; the square of the others' scores is their variance.
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
    """Sums over the cells that both conditions take, and that either takes, of all pairs at once."""

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
        """Each pair once, taking neither hardly anybody nor nearly everybody, nor the same as one condition."""
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
    """Sum of the values over the cells that a pair of conditions and another choice treat differently."""
    mine = _sums(flags, values)[any_of]
    common = _sums(flags, values * taken)[any_of]
    return np.asarray(mine + float(values @ taken) - 2 * common)
