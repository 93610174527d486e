"""Answers of a warehouse from arrays of units, grouped here in plain NumPy: the independent way to the same moments."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from experiments.analyse.gather.answers import Answers, Block, Cells, other_name
from experiments.plan.analysed import Analysed, from_document, to_document
from experiments.plan.record import Claim

WEEKS = (date(2026, 1, 5), date(2026, 1, 12))
END = datetime(2026, 4, 1, tzinfo=UTC)


def make_analysed(**changes: Any) -> Analysed:
    """A fixed plan with a moment, whose enrolment has ended; the names are those of the stored document."""
    given: dict[str, Any] = {
        "key": "exp",
        "name": "Exp",
        "hypothesis": "It helps.",
        "nudge": "A banner.",
        "variants": ("control", "nudge"),
        "placebo": None,
        "doses": {},
        "shares": {"": (0.5, 0.5)},
        "primary": ("window:21-27",),
        "secondary": (),
        "guardrails": (),
        "alpha": 0.05,
        "power": 0.8,
        "smallest_effect": 0.05,
        "take_up": 0.2,
        "planned_units": 2_000,
        "planned_end": date(2026, 2, 1),
        "method": "fixed",
        "looks": (),
        "spending": "obrien_fleming",
        "covariates": (),
        "clock": "exposure",
        "day_mode": "rolling",
        "churn_gap": 7,
        "started": date(2026, 1, 1),
        "enrolment_ended": date(2026, 2, 1),
        "claim": Claim("friends", "3 friends", "friend_add", 3, 7, "window:21-27", 0.4, 0.38, 0.42),
        **changes,
    }
    made = from_document(given)
    assert given.keys() <= to_document(made).keys()
    return made


def draw_units(
    n: int = 2_000, seed: int = 1, *, moved: float = 0.25, effect: float = 0.3, **changes: Any
) -> dict[str, Any]:
    """An encouragement design with two arms, two segments, one covariate; everything is mature."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, n)
    segment, level, week = rng.integers(0, 2, n), rng.integers(0, 3, n), rng.integers(0, 2, n)
    kind = rng.random(n)
    did = (kind < 0.2) | ((kind < 0.2 + moved) & (arm == 1))
    times = np.where(did, 3 + rng.poisson(1, n), rng.integers(0, 3, n))
    kept = rng.random(n) < 0.2 + effect * did + 0.1 * segment
    units = {
        "arm": arm,
        "segment": segment,
        "level": level,
        "week": week,
        "reached": did.astype(float),
        "times": times.astype(float),
        "value": kept.astype(float),
        "mature": np.ones(n, dtype=bool),
    }
    return {**units, **changes}


def make_cells(
    units: Mapping[str, Any],
    *,
    outcomes: tuple[str, ...] = ("window:21-27",),
    variants: tuple[str, ...] = ("control", "nudge"),
    segments: tuple[str, ...] = ("new", "old"),
    behaviour: bool = True,
) -> Cells:
    """Group the units; every outcome has the same values. `others` of the units has other behaviours by name."""
    more = [units["cluster"]] if "cluster" in units else []
    keys = np.column_stack([units["arm"], units["segment"], units["week"], units["level"], *more])
    found, place = np.unique(keys, axis=0, return_inverse=True)
    names: tuple[str, ...] = ("value", "reached", "times") if behaviour else ("value",)
    columns = [units[name] for name in names]
    others = units.get("others", {})
    names += tuple(other_name(place) for place, _ in enumerate(others))
    matrix = np.column_stack([*columns, *others.values()])
    n = np.zeros(len(found), dtype=np.int64)
    means = np.zeros((len(found), len(names)))
    covariance = np.zeros((len(found), len(names), len(names)))
    for cell in range(len(found)):
        rows = matrix[(place == cell) & units["mature"]]
        n[cell] = len(rows)
        if len(rows):
            means[cell] = rows.mean(axis=0)
        if len(rows) > 1:
            covariance[cell] = np.atleast_2d(np.cov(rows.T, ddof=1))
    block = Block(names, n, means, covariance)
    return Cells(
        variants=variants,
        segments=segments,
        weeks=WEEKS,
        covariates=("platform",),
        levels=(("", "android", "ios"),),
        variant=found[:, 0],
        segment=found[:, 1],
        week=found[:, 2],
        covariate=found[:, 3:4],
        exposed=np.bincount(place, minlength=len(found)),
        blocks=dict.fromkeys(outcomes, block),
        clusters=int(found[:, 4].max()) + 1 if more else 0,
        cluster=found[:, 4] if more else None,
        saturation=units["saturation_of"][found[:, 4]] if "saturation_of" in units else None,
        others=tuple(others),
    )


def make_answers(units: Mapping[str, Any] | None = None, *, cells: Cells | None = None, **changes: Any) -> Answers:
    """All answers; what isn't given is quiet."""
    units = draw_units() if units is None else units
    cells = make_cells(units) if cells is None else cells
    labels = cells.variants
    arms = [units["arm"] == code for code in range(len(labels))]
    given: dict[str, Any] = {
        "data_end": END,
        "time_zone": "UTC",
        "day_mode": "rolling",
        "events": 100_000,
        "cells": cells,
        "several_variants": 0,
        "unknown_variants": {},
        "no_signup": 0,
        "exposures_by_day": tuple((WEEKS[0] + timedelta(days=day), label, 10) for day in range(14) for label in labels),
        "durations": tuple(
            (label, segment, day, churned, 10 * day + 5 * churned)
            for label in labels
            for segment in cells.segments
            for day in (1, 5, 20, 40)
            for churned in (True, False)
        ),
        "curve": tuple((label, day, 1_000, 500 - 10 * day) for label in labels for day in range(29)),
        "times": tuple(
            (label, value, int((units["times"][arm] == value).sum()))
            for label, arm in zip(labels, arms, strict=True)
            for value in range(12)
        ),
        "silent": tuple((label, int(arm.sum()), 0) for label, arm in zip(labels, arms, strict=True)),
        "late": (100_000, 0),
        "bins": {},
        "latest_exposure": END - timedelta(days=50),
        "last_mature_on": date(2026, 3, 1),
        **changes,
    }
    return Answers(**given)
