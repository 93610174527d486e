"""Moments of control and variant for each combination of traits known before assignment.

Generalising from compliers and targeting rules need nothing else; no unit-level rows are needed.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stats.summaries import Array, Joint

type Codes = npt.NDArray[np.int64]

# The name of the trait "segment": no property or column has it.
SEGMENT = ""
# A level for several rare ones: no condition uses it, since nobody could say whom it selects.
OTHER = "other"


@dataclass(frozen=True, eq=False)
class TraitColumns:
    """Traits of some rows, known before assignment; a row is a unit, or several identical units.

    Attributes:
        traits: names.
        levels: labels of each trait's levels.
        codes: level of each trait, rows x traits.
    """

    traits: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    codes: Codes

    def of(self, rows: npt.NDArray[np.bool_]) -> "TraitColumns":
        """A subset of the rows."""
        return self if not self.traits else replace(self, codes=self.codes[rows])

    @property
    def varied(self) -> "TraitColumns":
        """Drop traits that are the same for all rows."""
        places = [place for place in range(len(self.traits)) if len(np.unique(self.codes[:, place])) > 1]
        return TraitColumns(
            tuple(self.traits[place] for place in places),
            tuple(self.levels[place] for place in places),
            self.codes[:, places],
        )


NO_COLUMNS = TraitColumns((), (), np.empty((0, 0), np.int64))


@dataclass(frozen=True, eq=False)
class TraitCells:
    """One entry per combination of levels that some unit has.

    Attributes:
        traits: names, all known before the assignment.
        levels: labels of each trait's levels.
        codes: level of each trait, cells x traits.
        n: units in control and in the variant, cells x 2.
        means: of the outcome, and of the behaviour where one is named, cells x 2 x columns.
        covariance: n-1 covariance, cells x 2 x columns x columns; zeros where n <= 1.
        stratum: of each cell; within a stratum all units had the same chance of the variant; all 0 with one split for
            all. With several, the first trait is the stratum.
        proportion: the outcome is 0 or 1.
    """

    traits: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    codes: Codes
    n: Array
    means: Array
    covariance: Array
    stratum: Codes
    proportion: bool

    @property
    def units(self) -> int:
        """Of both arms."""
        return int(self.n.sum())

    @property
    def strata(self) -> int:
        """Number of strata with a split of their own."""
        return len(np.unique(self.stratum))

    def combination(self, cell: int) -> tuple[tuple[str, str], ...]:
        """(trait, level) of each trait."""
        parts = zip(self.traits, self.levels, self.codes[cell].tolist(), strict=True)
        return tuple((name, labels[code]) for name, labels, code in parts)

    def joints(self, cell: int) -> tuple[Joint, Joint]:
        """Moments of control and variant in one cell."""
        control, variant = (
            Joint(int(self.n[cell, arm]), self.means[cell, arm], self.covariance[cell, arm]) for arm in (0, 1)
        )
        return control, variant

    def without(self, trait: int) -> "TraitCells":
        """Merge cells that differ only in one trait."""
        places = [place for place in range(len(self.traits)) if place != trait]
        names, labels = tuple(self.traits[i] for i in places), tuple(self.levels[i] for i in places)
        return _pooled(replace(self, traits=names, levels=labels, codes=self.codes[:, places]))


def trait_cells(
    columns: TraitColumns,
    treated: npt.ArrayLike,
    n: npt.ArrayLike,
    means: npt.ArrayLike,
    covariance: npt.ArrayLike,
    *,
    proportion: bool,
    stratum: npt.ArrayLike | None = None,
) -> TraitCells:
    """Pool rows to one entry per combination of traits. A trait that is the same for all is left out.

    Args:
        columns: traits of the rows.
        treated: 1 variant, 0 control, per row.
        n: units per row; 1 where rows are units.
        means: rows x k: the outcome, optionally the behaviour.
        covariance: rows x k x k, n-1; zeros where n <= 1.
        proportion: the outcome is 0 or 1.
        stratum: of each row, where the split differs between values of the first trait; None for one split.
    """
    units, centres, within = np.asarray(n, float), np.asarray(means, float), np.asarray(covariance, float)
    rows, arm = len(units), np.asarray(treated, float) == 1
    both = np.zeros((rows, 2))
    both[np.arange(rows), arm.astype(int)] = units
    known = columns.varied
    return _pooled(
        TraitCells(
            known.traits,
            known.levels,
            known.codes,
            both,
            np.repeat(centres[:, None, :], 2, axis=1),
            np.repeat(within[:, None], 2, axis=1),
            np.zeros(rows, np.int64) if stratum is None else np.asarray(stratum, np.int64),
            proportion,
        )
    )


def _pooled(cells: TraitCells) -> TraitCells:
    """Pool cells of the same combination: means weighted by units, variance within and between cells."""
    codes, nonempty = cells.codes, cells.n.sum(axis=1) > 0
    if codes.shape[1]:
        keys, place = np.unique(codes[nonempty], axis=0, return_inverse=True)
        place = place.ravel()
    else:  # without traits
        keys, place = np.zeros((int(nonempty.any()), 0), np.int64), np.zeros(int(nonempty.sum()), np.int64)
    size, columns = len(keys), cells.means.shape[2]
    n, means = cells.n[nonempty], cells.means[nonempty]
    total, sums = np.zeros((size, 2)), np.zeros((size, 2, columns))
    np.add.at(total, place, n)
    np.add.at(sums, place, n[..., None] * means)
    centre = sums / np.maximum(total, 1)[..., None]
    gap = means - centre[place]
    scatter = np.zeros((size, 2, columns, columns))
    parts = np.maximum(n - 1, 0)[..., None, None] * cells.covariance[nonempty]
    parts = parts + n[..., None, None] * gap[..., :, None] * gap[..., None, :]
    np.add.at(scatter, place, parts)
    stratum = np.zeros(size, np.int64)
    stratum[place] = cells.stratum[nonempty]
    covariance = scatter / np.maximum(total - 1, 1)[..., None, None]
    return replace(cells, codes=keys, n=total, means=centre, covariance=covariance, stratum=stratum)
