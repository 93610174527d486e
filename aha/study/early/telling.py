"""Hands the parts of a study over as they come. Pure: who listens is the caller's affair."""

from dataclasses import dataclass

from aha.study.candidates import flags_of
from aha.study.early import parts
from aha.study.early.naive import chances, counted
from aha.study.early.parts import Counted, Followed, Left, Marked, jumps_of, places_of
from aha.study.grid import Cells
from aha.study.null import Null
from aha.study.result import Candidate, Judged, Model, Population
from aha.study.window_guard import Flagged
from runs.progress import Early
from stats.results import NotComputable


@dataclass(frozen=True, eq=False)
class Telling:
    """One study's listener, with the naive ranking that the parts fill in.

    Attributes:
        early: the listener.
        counted: the naive ranking of everybody.
        exact: the cells behind it.
    """

    early: Early
    counted: Counted
    exact: Cells

    def null(self, name: str, found: Null | NotComputable) -> None:
        """One null: `parts.ACTIVE` or `parts.LUCK`."""
        self.early(name, chances(self.counted, self.exact, found))

    def model(self, found: Model | NotComputable) -> None:
        """The ranks of the model."""
        self.early(parts.MODEL, places_of(found))

    def judged(self, found: tuple[Judged, ...]) -> None:
        """Jumps, and what was taken."""
        self.early(parts.JUMPS, jumps_of(found))

    def following(self, found: tuple[Judged, ...]) -> None:
        """Which behaviours get all their evidence."""
        self.early(parts.FOLLOWED, Followed(tuple(row.behaviour for row in found)))

    def left(self, one: Candidate) -> None:
        """What is left of one candidate's difference."""
        self.early(parts.LEFT + one.behaviour, Left(one.days, one.times, one.ladder.headline.difference))


def begin(
    early: Early, exact: Cells, population: Population, flags: tuple[Flagged, ...], *, rule: str, seed: int
) -> Telling:
    """Tell the exact counts and the marks of the behaviours; what is told later fills their ranking in.

    Args:
        early: the listener.
        exact: the cells of everybody.
        population: who counts.
        flags: marks of behaviours.
        rule, seed: of the study.
    """
    telling = Telling(early, counted(exact, population, rule=rule, users=population.eligible, seed=seed), exact)
    early(parts.COUNTED, telling.counted)
    early(parts.MARKED, Marked(dict(flags_of(flags))))
    return telling
