"""GrowthBook's bucketing: which number a unit draws, and which arm owns it. Pure (docs/assignment.md, "Bucketing").

Local SDKs, our server and a batch file must agree to the unit, so the order of the floating-point steps is part of the
contract. The twins over many units give the same numbers bit by bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

OFFSET, PRIME, MASK = 0x811C9DC5, 0x01000193, 0xFFFFFFFF
STEPS = 10_000  # version 2 has this many buckets; version 1 has a tenth of them
CHUNK = 16_384  # units at a time: their columns stay in the processor's cache
WEIGHT_TOLERANCE = 1e-9
Range = tuple[float, float]


@dataclass(frozen=True)
class UnitIds:
    """Ids made ready for hashing, once for any number of seeds.

    Attributes:
        count: number of ids.
        blocks: for ids of one length: their places, and their UTF-16 code units, one row for each position.
        others: place and text of ids outside the Basic Multilingual Plane, which are hashed one by one.
    """

    count: int
    blocks: tuple[tuple[npt.NDArray[np.intp], npt.NDArray[np.uint32]], ...]
    others: tuple[tuple[int, str], ...]


def fnv1a(text: str, start: int = OFFSET) -> int:
    """32-bit FNV-1a over UTF-16 code units, going on from `start`. Source: Fowler, Noll, Vo; GrowthBook SDK spec."""
    value = start
    codes = (
        text.encode("latin-1") if text.isascii() else memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    )
    for code in codes:
        value = ((value ^ code) * PRIME) & MASK
    return value


def unit_hash(seed: str, unit: str, *, version: int = 2) -> float:
    """The number that a unit draws, 0 up to but not including 1, in steps of 0.0001 (version 1: 0.001).

    Args:
        seed: of the experiment, layer or holdout; another seed is another, independent draw.
        unit: the id.
        version: 2. Version 1 is only for reading old configurations: its draws of two experiments are correlated.

    Raises:
        ValueError: for another version.
    """
    if version == 2:
        return fnv1a(str(fnv1a(unit, fnv1a(seed)))) % STEPS / STEPS
    if version == 1:
        return fnv1a(unit + seed) % 1000 / 1000
    raise ValueError(f"hash version must be 1 or 2, not {version}")


def bucket_ranges(count: int, coverage: float, weights: Sequence[float] | None = None) -> tuple[Range, ...]:
    """The half-open range of draws that each arm owns. Source: GrowthBook SDK spec, `getBucketRanges`.

    Args:
        count: number of arms.
        coverage: share of units that take part, 0 to 1. Raising it moves nobody who is in.
        weights: share of each arm, adding up to 1; None for equal shares.

    Raises:
        ValueError: for a coverage outside 0 to 1, or weights that don't fit: SDKs would silently use equal ones.
    """
    if not 0 <= coverage <= 1:
        raise ValueError(f"coverage must lie between 0 and 1, not {coverage}")
    shares = [1 / count] * count if weights is None else list(weights)
    if len(shares) != count or min(shares, default=0) < 0 or abs(sum(shares) - 1) > WEIGHT_TOLERANCE:
        raise ValueError(f"{count} weights of 0 or more that add up to 1 are needed, not {shares}")
    ranges, start = [], 0.0
    for share in shares:
        ranges.append((start, start + coverage * share))
        start += share
    return tuple(ranges)


def choose(n: float, ranges: Sequence[Range]) -> int | None:
    """The first arm whose range holds the draw `n` (low <= n < high); None when the unit is out."""
    for index, (low, high) in enumerate(ranges):
        if low <= n < high:
            return index
    return None


def read_units(ids: Sequence[str]) -> UnitIds:
    """Make many ids ready for `unit_hashes`. Memory: 4 bytes for each character."""
    lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
    blocks: list[tuple[npt.NDArray[np.intp], npt.NDArray[np.uint32]]] = []
    others: list[tuple[int, str]] = []
    for length in np.unique(lengths):
        places = np.flatnonzero(lengths == length)
        for start in range(0, places.size, CHUNK):
            part = places[start : start + CHUNK]
            # NumPy's fixed-width text is one uint32 for each character; NULs at the end are kept in the buffer.
            same = places.size == len(ids)
            chosen = ids[start : start + CHUNK] if same else [ids[place] for place in part.tolist()]
            text = np.array(chosen, dtype=f"U{max(1, int(length))}")
            codes = text.view(np.uint32).reshape(part.size, -1)[:, :length]
            wide = (codes > 0xFFFF).any(axis=1)
            if wide.any():
                others += [(int(place), ids[place]) for place in part[wide]]
                part, codes = part[~wide], codes[~wide]
            blocks.append((part, np.ascontiguousarray(codes.T)))
    return UnitIds(len(ids), tuple(blocks), tuple(others))


def unit_hashes(seed: str, units: UnitIds, *, version: int = 2) -> npt.NDArray[np.float64]:
    """`unit_hash` of every unit, in the order in which they were read.

    Raises:
        ValueError: for a version other than 1 and 2.
    """
    if version not in (1, 2):
        raise ValueError(f"hash version must be 1 or 2, not {version}")
    draws = np.empty(units.count, dtype=np.float64)
    prefix = fnv1a(seed) if version == 2 else OFFSET
    for places, codes in units.blocks:
        value = np.full(places.size, prefix, dtype=np.uint32)
        for row in codes:
            _mix(value, row)
        if version == 2:
            draws[places] = _of_decimal(value) % STEPS / STEPS
        else:
            for code in memoryview(seed.encode("utf-16-le", "surrogatepass")).cast("H"):
                _mix(value, np.uint32(code))
            draws[places] = value % 1000 / 1000
    for place, unit in units.others:
        draws[place] = unit_hash(seed, unit, version=version)
    return draws


def choose_all(draws: npt.NDArray[np.float64], ranges: Sequence[Range]) -> npt.NDArray[np.int16]:
    """`choose` for many draws; -1 where the unit is out."""
    arms = np.full(draws.shape, -1, dtype=np.int16)
    for index, (low, high) in reversed(list(enumerate(ranges))):  # the first range that holds the draw wins
        arms[(low <= draws) & (draws < high)] = index
    return arms


def _mix(value: npt.NDArray[np.uint32], code: npt.NDArray[np.uint32] | np.uint32) -> None:
    """One step of FNV-1a in place; 32-bit overflow is the modulus."""
    np.bitwise_xor(value, code, out=value)
    np.multiply(value, np.uint32(PRIME), out=value)


def _of_decimal(numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """FNV-1a of each number written in decimal digits."""
    value = np.full(numbers.shape, OFFSET, dtype=np.uint32)
    rest = numbers.copy()
    for power in range(9, -1, -1):
        digit = rest // np.uint32(10**power)
        rest -= digit * np.uint32(10**power)
        mixed = (value ^ (digit + np.uint32(48))) * np.uint32(PRIME)
        if power == 0:
            return mixed  # a zero is written, too
        value = np.where(numbers >= np.uint32(10**power), mixed, value)  # no leading zeros
    return value
