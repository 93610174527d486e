"""Content of a digest: row numbers, dates, counts over all units. Pure, and stored with the week.

It has no field for an outcome by arm. The only outcome is the verdict of a final analysis, which a plan gives only at
its end.
"""

from dataclasses import dataclass
from datetime import date

from runs.payloads import Schema


@dataclass(frozen=True)
class Ran:
    """An experiment that ran in the week.

    Attributes:
        experiment: number of its row.
        status: its state.
        started: local day.
        exposed: exposed units of all arms, since its start.
        planned: planned units; None if undecided.
    """

    experiment: int
    status: str
    started: date
    exposed: int
    planned: int | None


@dataclass(frozen=True)
class Decided:
    """An experiment whose final analysis came in the week, and the code of its verdict."""

    experiment: int
    verdict: str


@dataclass(frozen=True)
class MomentWeek:
    """One complete signup week: Monday, new users with complete data, the share who reached the moment, interval."""

    monday: date
    users: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class MomentShares:
    """The last weeks of a moment, oldest first; `fallen`: the newest is below the range expected from those before."""

    moment: int
    weeks: tuple[MomentWeek, ...]
    fallen: bool


@dataclass(frozen=True)
class NeedsHand:
    """Something that needs attention: a code of `insight_site.notices.digest.digest_words`, and the row."""

    code: str
    label: str
    row: int


@dataclass(frozen=True)
class DigestRecord:
    """The record of one week.

    Attributes:
        first, last: first and last local day.
        ran, decided, moments, hands: its four parts.
        more: number of further experiments that ran.
    """

    first: date
    last: date
    ran: tuple[Ran, ...]
    decided: tuple[Decided, ...]
    moments: tuple[MomentShares, ...]
    hands: tuple[NeedsHand, ...]
    more: int = 0


RECORD: Schema[DigestRecord] = Schema(DigestRecord)
