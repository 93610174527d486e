"""What a benchmark is: a job, an alternative that does the same, and the aims that the two figures are held to."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

Figures = Mapping[str, float]  # by name with unit, "answers/s"; what one round of one side gave


@dataclass(frozen=True)
class Side:
    """Ours or the alternative.

    Attributes:
        name: for the page.
        run: does the job once; called with the number of the round, returns the figures.
        prepare: what a round needs that isn't the job, such as an empty table; not measured.
    """

    name: str
    run: Callable[[int], Figures]
    prepare: Callable[[int], object] = lambda _turn: None


@dataclass(frozen=True)
class Aim:
    """A bound on a figure's median: ours itself, or ours divided by the alternative's.

    Attributes:
        figure: its name among the figures of a side.
        at_least, at_most: the bound; one of them.
        ratio: of ours to the alternative's, or ours alone.
    """

    figure: str
    at_least: float | None = None
    at_most: float | None = None
    ratio: bool = True

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("an aim has one bound")

    def met(self, value: float) -> bool:
        """Whether a figure or ratio keeps the bound."""
        return value >= self.at_least if self.at_least is not None else value <= float(self.at_most or 0)

    def words(self) -> str:
        """The bound as a reader sees it."""
        bound = self.at_least if self.at_least is not None else self.at_most
        sign = "≥" if self.at_least is not None else "≤"
        return f"{self.figure} {sign} {bound:,g}{' ×' if self.ratio else ''}"


@dataclass(frozen=True)
class Job:
    """One row of docs/performance.md.

    Attributes:
        name: for `--only`.
        title: the job in a few words.
        text: what is measured and how, in sentences; what the alternative leaves undone belongs here.
        alternative: what a user would pick instead.
        sizes: options by size; "tiny" for tests, "quick" for `make bench-quick`, "full" for `make bench`. A job without
            one of them isn't run at that size. `rounds` among them overrides the usual number.
        open: sets up what both sides need and gives the sides, ours first; a second one is the alternative.
        aims: held to at full size.
        process: jobs of the same one run in one process and share what they set up.
    """

    name: str
    title: str
    text: str
    alternative: str
    sizes: Mapping[str, Mapping[str, Any]]
    open: Callable[[Any, Mapping[str, Any]], AbstractContextManager[Sequence[Side]]]
    aims: Sequence[Aim] = field(default_factory=tuple)
    process: str = ""
