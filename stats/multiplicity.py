"""Adjusted p-values for families of tests. Callers leave out tests that couldn't be computed; m counts the others."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: they control the family-wise error rate.

    Raises:
        ValueError: if a value isn't between 0 and 1. A NaN would count in m and change all the others.

    Source: Holm 1979.
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    # `multipletests(method="holm")` of statsmodels 0.14 runs the garbage collector in each call: a tenth of a second,
    # or half a second in a process with a gigabyte.
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in adjusted]


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Benjamini-Hochberg adjusted p-values, in the order given: they control the false discovery rate.

    Raises:
        ValueError: if a value isn't between 0 and 1.

    Source: Benjamini and Hochberg 1995.
    """
    p = _checked(p_values)
    return [float(value) for value in stats.false_discovery_control(p, method="bh")] if len(p) else []


def benjamini_yekutieli(p_values: Sequence[float]) -> list[float]:
    """Benjamini-Yekutieli adjusted p-values, in the order given: the false discovery rate under any dependence.

    Those of Benjamini and Hochberg times 1 + 1/2 + ... + 1/m. While every hypothesis is true, a false discovery rate is
    the chance of any rejection at all.

    Raises:
        ValueError: if a value isn't between 0 and 1.

    Source: Benjamini and Yekutieli 2001.
    """
    p = _checked(p_values)
    return [float(value) for value in stats.false_discovery_control(p, method="by")] if len(p) else []


def _checked(p_values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    p = np.array(p_values, dtype=np.float64).reshape(-1)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p-values must lie between 0 and 1: remove missing ones first")
    return p
