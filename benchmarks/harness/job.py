"""What a benchmark is: a job, an alternative that does the same, and the aims that the two figures are held to."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
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
        return value >= self.at_least if self.at_least is not None else value <= float(self.at_most or 0)

    def words(self) -> str:
        bound = self.at_least if self.at_least is not None else self.at_most
        sign = "≥" if self.at_least is not None else "≤"
        return f"{self.figure} {sign} {bound:,g}{' ×' if self.ratio else ''}"


@dataclass(frozen=True)
class Job:
    """One row of docs/performance.md, as `jobs/jobs.toml` has it.

    Attributes:
        sizes: options by size; "tiny" for tests, "quick" for `make bench-quick`, "full" for `make bench`. A job without
            one of them isn't run at that size. `rounds` among them overrides the usual number.
        open: sets up what both sides need and gives the sides, ours first; a second one is the alternative.
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


class Room:
    """Opened things by name; all are closed at the end of the run, or of `clear`."""

    def __init__(self) -> None:
        self._stack, self._open = ExitStack(), dict[str, Any]()

    def __enter__(self) -> "Room":
        return self

    def __exit__(self, *_problem: object) -> None:
        self.clear()

    def get(self, name: str, make: Callable[[], AbstractContextManager[Any]]) -> Any:
        """The thing of this name, opened now if it isn't."""
        if name not in self._open:
            self._open[name] = self._stack.enter_context(make())
        return self._open[name]

    def clear(self) -> None:
        """Close everything: a server that nobody asks any more would still take memory from the next job."""
        self._open.clear()
        self._stack.close()
