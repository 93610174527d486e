"""Critical values of the interval that holds for several comparisons together, at looks."""

from dataclasses import replace
from typing import cast

from benchmarks.audit_04.figure import Figure
from experiments.analyse.engine import simultaneous
from experiments.analyse.protocol import Pair
from stats.compare import by_z
from stats.results import Estimate, NotComputable, computable
from stats.sequential.looks import Look

TITLE = "Simultaneous intervals at looks"
TEXT = (
    "Two confirmatory comparisons at 5 %. The simultaneous interval at a look is that of the same plan at alpha/2, not "
    "of the look's own level over 2 (Bonferroni over plans, each of which holds its level over its looks)."
)
OBF = Look(0.05, "group_sequential")
CASES = (
    ("O'Brien-Fleming, look at 20 % of the plan", replace(OBF, fractions=(0.2,)), 5.463),
    ("O'Brien-Fleming, third look at 60 %", replace(OBF, fractions=(0.2, 0.4, 0.6)), 3.027),
    ("always valid, at the planned units", Look(0.05, "always_valid", units=5_000, planned_units=5_000), 3.279),
)


def figures(size: float) -> list[Figure]:
    """Rows of the page, by the engine's own half-widths; nothing is drawn at random, so `size` changes nothing."""
    found = []
    for name, look, wanted in CASES:
        seen = critical(look, 2)
        found.append(
            Figure(f"critical value, {name}, m = 2", f"{wanted} ± .01", f"{seen:.3f}", abs(seen - wanted) <= 0.01)
        )
    return found


def critical(look: Look, comparisons: int) -> float:
    """Half-width of the engine's simultaneous interval in standard errors."""
    interval = simultaneous(cast("Pair", Standard()), look, comparisons)
    return interval.high if computable(interval) else 0.0


class Standard:
    """A comparison whose difference is 0 with a standard error of 1."""

    def difference(self, *, alpha: float) -> Estimate | NotComputable:
        """By z."""
        return by_z(0.0, 1.0, alpha, "z")
