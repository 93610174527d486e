"""Marks of tests."""

from collections.abc import Sequence
from typing import Any

import pytest


def first_is_fast(values: Sequence[Any]) -> list[Any]:
    """Parameters of which `make check` runs the first alone; `make test` runs all."""
    return [values[0], *(pytest.param(value, marks=pytest.mark.slow) for value in values[1:])]
