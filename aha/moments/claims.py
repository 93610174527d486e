"""Records of a moment: its correlational estimates ("promise"), its experiment's finding, its weekly reach. Pure.

Experiments read and write these records; they hide how a moment stores them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, get_type_hints

from aha.study.numbers import Number
from reporting.document import dump

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True)
class PromisedDifference:
    """A difference in retention between those who did it and those who didn't, with its interval."""

    estimate: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Promised:
    """Correlational estimates of a moment, from its frozen ladder.

    Attributes:
        raw: as observed; None without evidence.
        adjusted: of the last computable rung, the most adjusted one; None without evidence.
    """

    raw: PromisedDifference | None = None
    adjusted: PromisedDifference | None = None


@dataclass(frozen=True)
class StudiedUsers:
    """Shares of a study's users, 0 to 1.

    Attributes:
        base: share retained.
        reach: share that reached the moment without a nudge.
    """

    base: float
    reach: float


@dataclass(frozen=True)
class Itt:
    """Effect of the nudge on everyone, with its interval and the name of its method."""

    estimate: float
    low: float
    high: float
    method: str


@dataclass(frozen=True)
class Effect:
    """Effect of the behaviour on those whom the nudge moved.

    Attributes:
        caution: influence of the plan's interim looks: `corrected` for them, or `optimistic`; None for one look.
        naive: the estimate before the correction.
    """

    estimate: float
    standard_error: float | None = None
    caution: str | None = None
    naive: float | None = None


@dataclass(frozen=True)
class EffectSet:
    """The Anderson-Rubin set of that effect: its shape, and its limits where it has any."""

    shape: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class TakeUp:
    """Share of units that reach the moment, 0 to 1: in control, with the nudge, and the difference."""

    control: float
    variant: float
    difference: float


@dataclass(frozen=True)
class ExperimentFinding:
    """What the final analysis of an experiment writes back to the moment that it tested.

    Attributes:
        code: of the verdict; empty until `aha.moments.promote` has set it.
        experiment: key; `analysis` is the primary key of the analysis.
        on: local date; `retest_on` when it should be tested again.
        outcome: metric text of the outcome that was judged.
        promised: the raw correlational estimate.
        reason: code beside the verdict's.
        kind: `proportion`, `mean` or `ratio`; None without an effect, and in version 0.3, where it was a share.
        breakdown: size of a direct effect of the nudge that would invalidate the verdict; None against a placebo.
        as_treated: doers minus non-doers, regardless of arm: not causal.
        cluster: attribute whose whole clusters were nudged: the effect per user moved then includes what moved friends
            did for everyone in the cluster. "" where the effect is that of a user's own behaviour.
    """

    code: str = ""
    experiment: str = ""
    analysis: int | None = None
    on: date | None = None
    retest_on: date | None = None
    outcome: str = ""
    promised: float | None = None
    reason: str | None = None
    itt: Itt | None = None
    effect: Effect | None = None
    effect_set: EffectSet | None = None
    kind: str | None = None
    breakdown: float | None = None
    take_up: TakeUp | None = None
    as_treated: float | None = None
    cluster: str = ""

    @property
    def is_share(self) -> bool:
        """True when the outcome is a share of units."""
        return self.kind in (None, "proportion")


def promised(evidence: Any) -> Promised:
    """The correlational estimates in a moment's frozen evidence; an empty record without evidence."""
    rungs = evidence.get("ladder", {}).get("rungs", []) if isinstance(evidence, Mapping) else []
    differences = [_read(PromisedDifference, rung.get("difference")) for rung in rungs]
    known = [difference for difference in differences if difference is not None]
    return Promised(differences[0], known[-1]) if known else Promised()


def studied(evidence: Any) -> StudiedUsers | None:
    """Shares of the users of the moment's study, from the four counts of its evidence; None without counts."""
    cell = evidence.get("cell") if isinstance(evidence, Mapping) else None
    counts = [n for name in "abco" if isinstance(n := cell.get(name), int)] if isinstance(cell, Mapping) else []
    if len(counts) < 4 or not sum(counts):
        return None
    stayed_without, did_and_stayed, did_and_left, _neither = counts
    return StudiedUsers((stayed_without + did_and_stayed) / sum(counts), (did_and_stayed + did_and_left) / sum(counts))


def write_finding(finding: ExperimentFinding) -> dict[str, Any]:
    """Serialise the record as stored and as shown by the API, without values that could not be computed."""
    document = {
        name: value
        for name, value in dump(finding).items()
        if (value is not None and (name, value) != ("cluster", "")) or name == "promised"
    }
    if "effect" in document:
        document["effect"] = {name: value for name, value in document["effect"].items() if value is not None}
    return document


def read_finding(document: Mapping[str, Any]) -> ExperimentFinding:
    """Parse a stored finding; from older versions whatever can be read."""
    hints = get_type_hints(ExperimentFinding)
    read = {field.name: _read(hints[field.name], document.get(field.name)) for field in fields(ExperimentFinding)}
    return ExperimentFinding(**{name: value for name, value in read.items() if value is not None})


def _read(kind: Any, value: Any) -> Any:
    from pydantic import ValidationError

    try:
        return None if value is None else _adapter(kind).validate_python(value)
    except ValidationError:
        return None


@cache
def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


# The weekly share of new users who reach an AHA moment: the team's shared goal. Pure records.


@dataclass(frozen=True)
class ReachWeek:
    """One signup week.

    Attributes:
        week: its Monday.
        signups: units that signed up in it.
        eligible: those whose days are complete; only they are counted as reaching the moment.
        reached: number of eligible units that reached it.
        share: reached over eligible, 0 to 1, with Wilson's interval.
        complete: True when the days of every unit that could sign up in it are over; other weeks may change.
    """

    week: date
    signups: int
    eligible: int
    reached: int
    share: Number
    complete: bool


@dataclass(frozen=True)
class WeeklyReach:
    """The weekly share of new users who reach a moment, oldest week first, and the data's end (ISO, UTC)."""

    weeks: tuple[ReachWeek, ...]
    data_end: str
