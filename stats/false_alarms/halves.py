"""Units in two halves at random, many times: by a hash of each unit with the split's number, as experiments draw."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 4_000_000  # entries of one block in memory
type Keys = NDArray[np.uint64]
type Halves = NDArray[np.bool_]


def halves(keys: Keys, splits: int, seed: int) -> Iterator[Halves]:
    """Blocks of splits x units, True for the second half; the same for a seed, whatever the order of the units.

    Args:
        keys: one number per unit that tells it from others, any 64 bits.
        splits: how many.
        seed: of all of them.
    """
    numbers = mixed(np.arange(splits, dtype=np.uint64) + mixed(np.array([seed], dtype=np.uint64)))
    block = max(1, AT_ONCE // max(len(keys), 1))
    for first in range(0, splits, block):
        drawn = mixed(keys[None, :] ^ numbers[first : first + block, None])
        yield (drawn >> np.uint64(63)).astype(bool)


def mixed(numbers: Keys) -> Keys:
    """Numbers whose every bit depends on every bit of what came in. Source: SplitMix64, Steele, Lea and Flood 2014."""
    with np.errstate(over="ignore"):
        found = numbers + np.uint64(0x9E3779B97F4A7C15)
        found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(found ^ (found >> np.uint64(31)))
