"""Questions to the folder of real data: filtered files in the test's own folder, and checks that rows share.

The known answers are figures of the README beside the data; rows never leave a temporary folder.
"""

from math import copysign
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.make import analysis

Z95 = float(stats.norm.isf(0.025))


class Known(NamedTuple):
    """One line of the README's tables of two shares: counts, difference, Wald interval, z, p, lift with interval."""

    control: tuple[int, int]
    treatment: tuple[int, int]
    difference: float
    interval: tuple[float, float]
    z: float
    p: float
    lift: tuple[float, float, float]


def table(folder: Path, frame: pd.DataFrame, name: str = "part.csv") -> Path:
    """A question's rows as a file that `analyze_file` reads."""
    path = folder / name
    frame.to_csv(path, index=False)
    return path


def first(found: dict[str, Any], outcome: int = 0, variant: int = 0) -> dict[str, Any]:
    """One comparison of an analysis."""
    row: dict[str, Any] = found["outcomes"][outcome]["comparisons"][variant]
    return row


def checks(found: dict[str, Any]) -> dict[str, str]:
    """Sentences of the findings by check."""
    return {finding["check"]: finding["message"] for finding in found["health"]}


def signed_z(difference: dict[str, Any]) -> float:
    """The test statistic that belongs to a two-sided normal p-value."""
    return copysign(float(stats.norm.isf(difference["p_value"] / 2)), difference["estimate"])


def same_shares(outcome: dict[str, Any], variant: int, known: Known) -> None:
    """Every figure of one README line; the report's own interval is the score interval, close to Wald's."""
    row = outcome["comparisons"][variant]
    control, treated = next(iter(outcome["values"].values())), outcome["values"][row["variant"]]
    for value, (successes, n) in ((control, known.control), (treated, known.treatment)):
        assert (value["n"], round(value["mean"] * value["n"])) == (n, successes)
        assert value["mean"] == pytest.approx(successes / n, abs=1e-12)
    difference, relative = row["difference"], row["lift"]
    assert difference["estimate"] == pytest.approx(known.difference, abs=6e-7)
    half = Z95 * difference["standard_error"]
    wald = (difference["estimate"] - half, difference["estimate"] + half)
    assert wald == pytest.approx(known.interval, abs=6e-7)
    assert (difference["low"], difference["high"]) == pytest.approx(wald, abs=0.05 * half)
    assert signed_z(difference) == pytest.approx(known.z, abs=6e-5)
    assert difference["p_value"] == pytest.approx(known.p, rel=3e-3, abs=6e-5 if known.p > 0.01 else 0)
    assert (relative["estimate"], relative["low"], relative["high"]) == pytest.approx(known.lift, abs=6e-5)
    assert relative["method"] == "log-lift"


def units_of(arms: dict[str, list[tuple[str, int, int | None]]]) -> pd.DataFrame:
    """Daily totals as the units they count: per arm (day, units, successes); None: not known yet, so left empty."""
    parts = []
    for arm, days in arms.items():
        for day, n, successes in days:
            values = np.full(n, np.nan) if successes is None else (np.arange(n) < successes).astype(float)
            parts.append(pd.DataFrame({"arm": arm, "day": day, "outcome": values}))
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(outcome=frame["outcome"].astype("Int64"))


__all__ = ["Known", "analysis", "checks", "first", "same_shares", "signed_z", "table", "units_of"]
