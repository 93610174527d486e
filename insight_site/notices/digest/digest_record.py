"""What a digest holds: numbers of rows, dates, counts of all units together. Pure, and stored with the week.

It has no field for an outcome by arm. The one word of an outcome is the verdict of a final analysis, which a plan has
at its end alone.
"""

from dataclasses import dataclass
from datetime import date

from runs.payloads import Schema


@dataclass(frozen=True)
class Ran:
    """An experiment that ran in the week.

    Attributes:
        experiment: number of its row.
        status: where it stands.
        started: local day.
        exposed: units that met it, all arms together, since its start.
        planned: planned units; None where that is open.
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
    """One complete signup week: Monday, new users whose days are complete, the share who reached it, with limits."""

    monday: date
    users: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class MomentShares:
    """The last weeks of a moment, oldest first; `fallen` says that the newest lies below what those before expect."""

    moment: int
    weeks: tuple[MomentWeek, ...]
    fallen: bool


@dataclass(frozen=True)
class NeedsHand:
    """Something that a person has to look at: a code of `insight_site.notices.digest.digest_words`, and the row."""

    code: str
    label: str
    row: int


@dataclass(frozen=True)
class DigestRecord:
    """One week.

    Attributes:
        first, last: its local days.
        ran, decided, moments, hands: its four parts.
        more: experiments that ran beside those in `ran`.
    """

    first: date
    last: date
    ran: tuple[Ran, ...]
    decided: tuple[Decided, ...]
    moments: tuple[MomentShares, ...]
    hands: tuple[NeedsHand, ...]
    more: int = 0


RECORD: Schema[DigestRecord] = Schema(DigestRecord)
