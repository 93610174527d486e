"""Marks of tests."""

from collections.abc import Sequence
from typing import Any

import pytest


def first_is_fast(values: Sequence[Any]) -> list[Any]:
    """Parameters of which `make check` runs the first alone; `make test` runs all."""
    return [values[0], *(pytest.param(value, marks=pytest.mark.slow) for value in values[1:])]


def first_in_ci(values: Sequence[Any]) -> list[Any]:
    """Parameters, or rows of them, of which `.ci/run` runs the first alone: tests that cost much and differ little."""
    rows = [value if isinstance(value, tuple) else (value,) for value in values[1:]]
    return [values[0], *(pytest.param(*row, marks=pytest.mark.proof) for row in rows)]
