"""Sums of 0/1 columns over many overlapping groups of units, in compiled loops over bytes.

A shuffle is yes or no for each unit, which fits into a byte: a thousand shuffles of 200,000 units are read at memory
speed, while a product of floating-point numbers reads four times as much and adds one by one.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

type Bytes = npt.NDArray[np.uint8]
type Ints = npt.NDArray[np.int64]
type Small = npt.NDArray[np.int32]

LARGEST_BYTE = 255


def sums_over_groups(starts: Small, units: Small, values: Bytes) -> Small:
    """Sums of each column over the units of each group: units × columns becomes groups × columns.

    Args:
        starts, units: the groups as rows of a sparse matrix in CSR form: `indptr` and `indices`.
        values: whole numbers from 0 to 255.
    """
    out = np.zeros((starts.size - 1, values.shape[1]), dtype=np.int32)
    at_once = LARGEST_BYTE // max(int(values.max(initial=0)), 1)
    _compiled(_add_groups)(starts, units, np.ascontiguousarray(values), at_once, out)
    return out


def first_of_each_stratum(orders: Small, code: Ints, kept: Ints) -> Bytes:
    """Units × orders: 1 for the first `kept[s]` units of each stratum s in that order.

    Args:
        orders: orders × units, each a permutation of the units.
        code: stratum of each unit, 0 upwards.
        kept: how many of each stratum.
    """
    out = np.zeros(orders.shape, dtype=np.uint8)
    _compiled(_mark_first)(orders, code, kept, out)
    return np.ascontiguousarray(out.T)


def tosses_by_group(coins: npt.NDArray[np.float32], chance: npt.NDArray[np.float32], group: Ints, groups: int) -> Small:
    """Groups × columns: number of units in each group whose random number is below the group's chance.

    Args:
        coins: units × columns, random numbers from 0 to 1.
        chance: per group.
        group: of each unit, 0 to `groups` - 1.
        groups: how many there are.
    """
    out = np.zeros((groups, coins.shape[1]), dtype=np.int32)
    _compiled(_add_tosses)(coins, chance, group, out)
    return out


def compile_all() -> None:
    """Compile the loops and cache them on disk, so that no study waits for it."""
    groups = np.array([0, 1], dtype=np.int32), np.zeros(1, dtype=np.int32)
    sums_over_groups(*groups, np.ones((1, 1), dtype=np.uint8))
    codes = np.zeros(1, dtype=np.int64)
    first_of_each_stratum(np.zeros((1, 1), dtype=np.int32), codes, codes)
    tosses_by_group(np.zeros((1, 1), dtype=np.float32), np.zeros(1, dtype=np.float32), codes, 1)


@cache
def _compiled(loop: Callable[..., None]) -> Any:
    """The compiled loop, cached in `NUMBA_CACHE_DIR`; it releases the GIL, so threads run in parallel."""
    import numba

    try:
        return numba.njit(nogil=True, cache=True)(loop)
    except RuntimeError:  # no writable folder: compile for this process only
        return numba.njit(nogil=True)(loop)


def _add_groups(starts: Small, units: Small, values: Bytes, at_once: int, out: Small) -> None:
    columns = values.shape[1]
    so_far = np.zeros(columns, dtype=np.uint8)
    for group in range(starts.size - 1):
        waiting = 0
        for place in range(starts[group], starts[group + 1]):
            row = values[units[place]]
            for column in range(columns):
                so_far[column] += row[column]
            waiting += 1
            if waiting == at_once:  # one more could pass 255
                for column in range(columns):
                    out[group, column] += so_far[column]
                    so_far[column] = 0
                waiting = 0
        for column in range(columns):
            out[group, column] += so_far[column]
            so_far[column] = 0


def _mark_first(orders: Small, code: Ints, kept: Ints, out: Bytes) -> None:
    for row in range(orders.shape[0]):
        left = kept.copy()
        for place in range(orders.shape[1]):
            unit = orders[row, place]
            if left[code[unit]] > 0:
                left[code[unit]] -= 1
                out[row, unit] = 1


def _add_tosses(coins: npt.NDArray[np.float32], chance: npt.NDArray[np.float32], group: Ints, out: Small) -> None:
    for unit in range(coins.shape[0]):
        mine = group[unit]
        limit = chance[mine]
        for column in range(coins.shape[1]):
            if coins[unit, column] < limit:
                out[mine, column] += 1
