"""Negative-control outcomes: the ladder's rung on something that was settled before anybody could do the behaviour.

A behaviour can't change what was known at signup. Where those who do it still differ in that from comparable others,
something that came before drives both, and may drive the difference in retention as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aha.evidence.aipw import Difference
from aha.evidence.daily_trials import Trials
from aha.evidence.ladder import RungName, Units, daily_rung, full_rung
from aha.evidence.nuisance import Codes
from runs.parallel import each
from runs.progress import Progress, silent
from stats.results import NotComputable, computable

MOST_OUTCOMES = 3
MOST_ROWS = 20_000
RAREST = 0.05


@dataclass(frozen=True)
class EarlierOutcome:
    """One negative-control outcome of a candidate.

    Attributes:
        name: what was known at signup, ``platform=ios``.
        rung: how it was compared: as the headline of the ladder is.
        difference: share of it among those who did the behaviour minus among comparable others, the rest held equal;
            its level is corrected for the number of outcomes (Bonferroni).
        units: units that it rests on.
    """

    name: str
    rung: RungName
    difference: Difference | NotComputable
    units: int


def earlier_outcomes(
    units: Units,
    trials: Trials | None,
    names: Sequence[str],
    *,
    seed: int,
    alpha: float = 0.05,
    max_units: int = MOST_ROWS,
    progress: Progress = silent,
) -> tuple[EarlierOutcome, ...]:
    """The rung of what was known at signup, of at most three properties; none without any.

    Args:
        units: as the ladder has them; the columns of `before` are the outcomes, one after the other, and each is left
            out of what is held equal together with the other values of its property.
        trials: days at risk where the daily trials are the headline, else None: then AIPW-full is taken.
        names: ``property=value`` of each column of `units.before`.
        seed: of samples, folds and models.
        alpha: two-sided error rate of all outcomes together.
        max_units: rows that the models see; what matters here is a difference of some points, not a small one.
        progress: told how far it is.

    Source: Lipsitch, Tchetgen Tchetgen, Cohen 2010.
    """
    chosen = _columns(units, names)

    def compare(column: int, inner: Progress) -> EarlierOutcome:
        kept = [place for place, name in enumerate(names) if _property(name) != _property(names[column])]
        rest = replace(units, before=units.before[:, kept])
        options = {"seed": seed, "alpha": alpha / len(chosen), "max_units": max_units, "progress": inner}
        outcome = units.before[:, column]
        rung = full_rung(rest, outcome, **options) if trials is None else daily_rung(rest, trials, outcome, **options)
        return EarlierOutcome(names[column], rung.name, rung.difference, rung.units)

    return tuple(each(chosen, compare, progress=progress))


def shows_confounding(found: Sequence[EarlierOutcome]) -> tuple[EarlierOutcome, ...]:
    """The outcomes whose interval excludes 0."""
    return tuple(row for row in found if computable(row.difference) and row.difference.excludes_zero)


def _columns(units: Units, names: Sequence[str]) -> list[int]:
    """Per property its value that splits the units most evenly; of the properties those that split best."""
    shares = units.before.mean(axis=0) if len(names) else np.zeros(0)
    best: dict[str, int] = {}
    for place, name in enumerate(names):
        key = _property(name)
        if key not in best or abs(shares[place] - 0.5) < abs(shares[best[key]] - 0.5):
            best[key] = place
    even: Codes = np.array([place for place in best.values() if RAREST <= shares[place] <= 1 - RAREST], dtype=np.int64)
    return sorted(even[np.argsort(np.abs(shares[even] - 0.5), kind="stable")][:MOST_OUTCOMES].tolist())


def _property(name: str) -> str:
    return name.partition("=")[0]
