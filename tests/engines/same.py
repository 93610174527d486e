"""Two engines' answers to the same questions, side by side."""

from collections.abc import Iterator
from datetime import datetime
from numbers import Number
from typing import Any, SupportsFloat, cast

import numpy as np
import pandas as pd
import pytest

from tests.engines.everything import Done

DIGITS = {"rel": 1e-9, "abs": 1e-12}  # sums of floating-point numbers depend on their order


def assert_same(found: Done, right: Done) -> None:
    """Every answer cell by cell, then the documents value by value.

    Raises:
        AssertionError: with the places of the differences.
    """
    assert len(found.answers) == len(right.answers), "another number of questions"
    for place, (ours, theirs) in enumerate(zip(found.answers, right.answers, strict=True)):
        assert_same_cells(ours, theirs, f"question {place}")
    ours_flat, theirs_flat = dict(leaves(found.document)), dict(leaves(right.document))
    assert ours_flat.keys() == theirs_flat.keys()
    # What a run took, and when it ran, is no part of what it found.
    took = [path for path in theirs_flat if ".spent." in path or path.endswith((".seconds", ".counted_at"))]
    differ = [path for path in theirs_flat.keys() - took if not equal(ours_flat[path], theirs_flat[path])]
    assert {path: (ours_flat[path], theirs_flat[path]) for path in differ} == {}


def assert_same_cells(ours: pd.DataFrame, theirs: pd.DataFrame, where: str) -> None:
    """Two answers row by row, in whatever order the engines gave them."""
    assert sorted(ours.columns) == sorted(theirs.columns), where
    assert len(ours) == len(theirs), where
    # Where one engine has an integer another may have a decimal or, beside a null, a float.
    floats = {name for frame in (ours, theirs) for name in frame.columns if pd.api.types.is_float_dtype(frame[name])}
    left, right = in_order(ours, floats), in_order(theirs, floats)
    for column in right.columns:
        for row in unequal(left[column], right[column]):
            one, other = left[column][row], right[column][row]
            assert equal(one, other), f"{where}: row {row} of {column} is {one!r} and not {other!r}"


def unequal(left: pd.Series, right: pd.Series) -> list[int]:
    """Rows that differ at first sight, which is many times faster than to look at each cell."""
    if pd.api.types.is_float_dtype(right) and pd.api.types.is_numeric_dtype(left):
        ours, theirs = left.to_numpy(dtype=np.float64), right.to_numpy(dtype=np.float64)
        with np.errstate(invalid="ignore"):  # infinite on both sides: left to `equal`
            near = np.abs(ours - theirs) <= np.maximum(DIGITS["rel"] * np.abs(theirs), DIGITS["abs"])
        same = near | (np.isnan(ours) & np.isnan(theirs))
    else:
        same = (left.map(plain) == right.map(plain)).to_numpy(dtype=np.bool_)
    return [int(row) for row in np.flatnonzero(~same)]


def in_order(frame: pd.DataFrame, floats: set[str]) -> pd.DataFrame:
    """Rows sorted by their exact columns, then by the rounded ones."""
    exact, rounded = sorted(set(frame.columns) - floats), sorted(floats)
    keys = {name: frame[name].map(plain) for name in exact}
    keys |= {name: frame[name].astype("float64").round(6) for name in rounded}
    order = pd.DataFrame(keys).sort_values(list(keys), kind="stable").index if keys else frame.index
    return frame.loc[order, exact + rounded].reset_index(drop=True)


def plain(value: Any) -> str:
    """A cell as a text that sorts alike for every engine's types."""
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, Number):
        return f"{float(cast(SupportsFloat, value)):030.6f}"
    return str(pd.Timestamp(value)) if isinstance(value, datetime) else str(value)  # a date is no midnight


def equal(one: Any, other: Any) -> bool:
    """The same value; floating-point numbers but for their last digits."""
    if isinstance(other, float) and isinstance(one, (int, float)):
        return bool(one == pytest.approx(other, nan_ok=True, **DIGITS))
    return plain(one) == plain(other)


def leaves(document: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each value of a document with its path."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from leaves(value, f"{path}.{key}")
    elif isinstance(document, (list, tuple)):
        for place, value in enumerate(document):
            yield from leaves(value, f"{path}[{place}]")
    else:
        yield path, document
