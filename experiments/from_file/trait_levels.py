"""Pre-assignment traits of a file's units: categories as levels, numbers by quartile."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from events.counting.known_before import MOST_LEVELS
from experiments.from_file.file_columns import MISSING_LABEL, numbers, raw_column, segment_column
from experiments.from_file.reading import Source
from experiments.plan.design import Codes, Design
from reporting.numbers import significant
from stats.trait_cells import OTHER, SEGMENT, TraitColumns

QUARTILES = (0.25, 0.5, 0.75)


def trait_levels(source: Source, design: Design, kept: NDArray[np.bool_]) -> TraitColumns:
    """Segment and covariates of the kept rows; a segment that is a covariate too counts once."""
    found: list[tuple[str, tuple[str, ...], Codes]] = []
    if design.segment is not None:
        found.append((SEGMENT, *_category(source, design.segment, kept)))
    for covariate in design.covariates:
        if covariate.name == design.segment:
            continue
        kind = raw_column(source, covariate.name).type
        text = covariate.category or pa.types.is_string(kind) or pa.types.is_large_string(kind)
        found.append((covariate.name, *(_category if text else _number)(source, covariate.name, kept)))
    codes = np.column_stack([codes for *_, codes in found]) if found else np.empty((int(kept.sum()), 0), np.int64)
    return TraitColumns(tuple(name for name, *_ in found), tuple(labels for _, labels, _ in found), codes)


def _category(source: Source, name: str, kept: NDArray[np.bool_]) -> tuple[tuple[str, ...], Codes]:
    codes, labels, _absent = segment_column(source, name, kept)
    if len(labels) <= MOST_LEVELS:
        return labels, codes
    sizes = np.bincount(codes, minlength=len(labels))
    common = sorted(np.argsort(-sizes, kind="stable")[:MOST_LEVELS].tolist())
    place = np.full(len(labels), MOST_LEVELS, dtype=np.int64)
    place[common] = np.arange(MOST_LEVELS)
    return (*(labels[code] for code in common), OTHER), place[codes]


def _number(source: Source, name: str, kept: NDArray[np.bool_]) -> tuple[tuple[str, ...], Codes]:
    values = numbers(source, name, "--covariate")[kept]
    absent = np.isnan(values)
    present = values[~absent]
    # Up to four distinct values, such as 0 and 1, are levels themselves.
    different = np.unique(present[:10_000])
    different = np.unique(present) if len(different) <= len(QUARTILES) + 1 else different
    if len(different) <= len(QUARTILES) + 1:
        codes, labels = np.searchsorted(different, values), [f"{value:g}" for value in different]
    else:
        cuts = np.unique(np.quantile(present, QUARTILES))
        codes, labels = np.searchsorted(cuts, values), _intervals(cuts.tolist())
    codes = np.where(absent, len(labels), codes)
    return tuple([*labels, MISSING_LABEL] if absent.any() else labels), codes.astype(np.int64)


def _intervals(cuts: Sequence[float]) -> list[str]:
    """Labels ``<= 3``, ``3 to 8``, ``> 8``: each includes its upper end."""
    inner = [f"{significant(low)} < … ≤ {significant(high)}" for low, high in pairwise(cuts)]
    return [f"≤ {significant(cuts[0])}", *inner, f"> {significant(cuts[-1])}"]
