"""Findings by hand, and findings drawn from nudges whose effect, and whose own doing, is known."""

from dataclasses import replace
from datetime import date, timedelta
from math import sqrt
from typing import Any

import numpy as np

from aha.evidence.findings import Definition, PastFinding
from stats.iv_moments import IvMoments

FRIENDS = Definition("friend_add", 3, 7, "window:21-27")
FIRST = date(2026, 1, 1)
ONE = PastFinding(
    name="Banner",
    origin="experiment",
    source="banner",
    variant="nudge",
    comparator="control",
    definition=FRIENDS,
    kind="proportion",
    moments=IvMoments(0.03, 0.3, 1e-4, 8e-5, 3e-5, 3_000, 3_000),
    verdict="CAUSES",
    started=FIRST,
    ended=date(2026, 2, 1),
    reach=0.25,
)


def finding(source: str = "banner", **changes: Any) -> PastFinding:
    return replace(ONE, source=source, name=changes.pop("name", source.title()), **changes)


def drawn(
    number: int, *, seed: int, effect: float = 0.1, direct: tuple[float, ...] = (), units: int = 6_000
) -> list[PastFinding]:
    """Experiments whose nudges move 5 to 30 points of users; the first ones also act by themselves by `direct`."""
    rng = np.random.default_rng(seed)
    found = []
    for at in range(number):
        moved, own = 0.05 + 0.25 * at / max(number - 1, 1), direct[at] if at < len(direct) else 0.0
        v_r, v_d = 0.24 * 4 / units, 0.2 * 4 / units
        c = 0.3 * sqrt(v_r * v_d)
        itt, stage = rng.multivariate_normal([effect * moved + own, moved], [[v_r, c], [c, v_d]])
        day = FIRST + timedelta(days=14 * at)
        moments = IvMoments(float(itt), float(stage), v_r, v_d, c, units // 2, units // 2)
        found.append(finding(f"test-{at:02}", moments=moments, started=day, ended=day + timedelta(days=30)))
    return found
