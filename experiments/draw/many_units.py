"""Draws and arms of many units at once, over columns: the same as `evaluation` says one by one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.draw.bucketing import (
    OFFSET,
    PRIME,
    STEPS,
    Range,
    Saturation,
    bucket_ranges,
    choose,
    fnv1a,
    saturation_ranges,
    unit_hash,
    within_seed,
    within_weights,
)
from experiments.draw.evaluation import Flag, Row

# `bucketing` vectorised over many units: bit-identical draws and arms. Pure.

CHUNK = 16_384  # units at a time: their columns stay in the processor's cache


@dataclass(frozen=True)
class UnitIds:
    """Ids prepared for hashing, once for any number of seeds.

    Attributes:
        count: number of ids.
        blocks: for ids of one length: their indexes, and their UTF-16 code units, one row for each position.
        others: index and text of ids outside the Basic Multilingual Plane, which are hashed one by one.
    """

    count: int
    blocks: tuple[tuple[npt.NDArray[np.intp], npt.NDArray[np.uint32]], ...]
    others: tuple[tuple[int, str], ...]


def read_units(ids: Sequence[str]) -> UnitIds:
    """Prepare many ids for `unit_hashes`. Memory: 4 bytes per character."""
    lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
    blocks: list[tuple[npt.NDArray[np.intp], npt.NDArray[np.uint32]]] = []
    others: list[tuple[int, str]] = []
    for length in np.unique(lengths):
        places = np.flatnonzero(lengths == length)
        for start in range(0, places.size, CHUNK):
            part = places[start : start + CHUNK]
            # NumPy's fixed-width text is one uint32 per character; trailing NULs are kept in the buffer.
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
    for index, (low, high) in reversed(list(enumerate(ranges))):  # the first range that contains the draw wins
        arms[(low <= draws) & (draws < high)] = index
    return arms


def _mix(value: npt.NDArray[np.uint32], code: npt.NDArray[np.uint32] | np.uint32) -> None:
    """One step of FNV-1a in place; 32-bit overflow is the modulus."""
    np.bitwise_xor(value, code, out=value)
    np.multiply(value, np.uint32(PRIME), out=value)


def _of_decimal(numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """FNV-1a of each number as decimal digits."""
    value = np.full(numbers.shape, OFFSET, dtype=np.uint32)
    rest = numbers.copy()
    for power in range(9, -1, -1):
        digit = rest // np.uint32(10**power)
        rest -= digit * np.uint32(10**power)
        mixed = (value ^ (digit + np.uint32(48))) * np.uint32(PRIME)
        if power == 0:
            return mixed  # the number 0 has one digit
        value = np.where(numbers >= np.uint32(10**power), mixed, value)  # no leading zeros
    return value


# The arms that many units draw in one row of an audience: `evaluation` vectorised over units. Pure.

type Arms = npt.NDArray[np.int16]
OUT = -1


def arms_drawn(flag: Flag, row: Row, units: Sequence[str], clusters: Sequence[str | None]) -> Arms:
    """The arm of each unit in a row of the audience; -1 where it is out, or its cluster is needed but unknown."""
    version = flag.hash_version
    if not flag.cluster:
        return choose_all(unit_hashes(flag.seed, read_units(units), version=version), row.ranges)
    known = np.array([bool(cluster) for cluster in clusters], dtype=np.bool_)
    draws = unit_hashes(flag.seed, read_units([cluster or "" for cluster in clusters]), version=version)
    if not flag.saturations:
        return np.where(known, choose_all(draws, row.ranges), OUT).astype(np.int16)
    stages = choose_all(draws, saturation_ranges(flag.saturations, row.coverage))
    inner = unit_hashes(within_seed(flag.seed), read_units(units), version=version)
    arms = np.full(len(units), OUT, dtype=np.int16)
    for place, saturation in enumerate(flag.saturations):
        inside = known & (stages == place)
        arms[inside] = choose_all(inner[inside], bucket_ranges(2, 1.0, within_weights(saturation)))
    return arms


def saturation_of(seed: str, saturations: Sequence[Saturation], cluster: str) -> int:
    """Index of the saturation that a cluster draws, whatever the coverage: raising it moves no cluster."""
    place = choose(unit_hash(seed, cluster), saturation_ranges(saturations, 1.0))
    return len(saturations) - 1 if place is None else place  # rounding may leave a gap below 1, at most 1e-15 wide
