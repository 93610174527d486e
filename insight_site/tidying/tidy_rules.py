"""What should be tidied up: one small function a rule, its threshold on top. Each answers since when, or None. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum


class TidyRule(StrEnum):
    """The rules, in the order in which they are shown: what may mislead users or readers first."""

    PAST_END = "past_end"
    STILL_ASKED = "still_asked"
    NO_EXPOSURES = "no_exposures"
    OWNER_GONE = "owner_gone"
    DRIFTED = "drifted"
    STUDY_FAILED = "study_failed"
    UNTOUCHED_DRAFT = "untouched_draft"
    NEVER_TESTED = "never_tested"
    UNUSED_SEGMENT = "unused_segment"
    DUPLICATE_STUDY = "duplicate_study"
    UNUSED_KEY = "unused_key"


@dataclass(frozen=True)
class Dates:
    """What the rules know of an experiment.

    Attributes:
        status: draft, running, paused, stopped or concluded.
        planned_end: the day on which it was to end.
        touched: when its plan was last changed.
        started, ended: when it started and stopped.
        enrolment_open: new users still come in.
        last_new: when a user was last seen in it for the first time; None where none was.
    """

    status: str
    planned_end: date | None
    touched: datetime
    started: datetime | None
    ended: datetime | None
    enrolment_open: bool
    last_new: datetime | None


DAYS_PAST_END = 0  # the day after the planned end


def past_end(one: Dates, today: date) -> date | None:
    """Running or paused, and its planned end is over."""
    live = one.status in ("running", "paused")
    if not live or one.planned_end is None or (today - one.planned_end).days <= DAYS_PAST_END:
        return None
    return one.planned_end


ASKED_A_DAY = 100  # below, it may be a test or a forgotten browser
DAYS_TO_TAKE_IT_OUT = 2  # whole days after the end that services have for it


def still_asked(one: Dates, day: date | None, calls: int) -> datetime | None:
    """Stopped or concluded, and services go on asking for its flag by name.

    Args:
        one: the experiment.
        day: the UTC day of the count; None where nobody asks.
        calls: so many calls on that day.
    """
    over = one.status in ("stopped", "concluded") and one.ended is not None
    if not over or one.ended is None or day is None or calls < ASKED_A_DAY:
        return None
    return one.ended if (day - one.ended.date()).days > DAYS_TO_TAKE_IT_OUT else None


WITHOUT_EXPOSURES = timedelta(days=3)


def no_exposures(one: Dates, now: datetime) -> datetime | None:
    """Running and open for new users, and nobody new has come in for days: the nudge isn't shown any more."""
    if one.status != "running" or not one.enrolment_open or one.started is None:
        return None
    since = max(one.started, one.last_new or one.started)
    return since if now - since >= WITHOUT_EXPOSURES else None


def last_growth(counts: Sequence[tuple[datetime, int]]) -> datetime | None:
    """When the analyses last found more exposed users than before.

    Args:
        counts: time and exposed users of each analysis, the newest first.
    """
    before = [*(many for _at, many in counts[1:]), 0] if counts else []
    for (at, many), fewer in zip(counts, before, strict=True):
        if many > fewer:
            return at
    return None


UNTOUCHED = timedelta(days=60)


def untouched_draft(one: Dates, now: datetime) -> datetime | None:
    """A draft that nobody has changed for two months."""
    return one.touched if one.status == "draft" and now - one.touched >= UNTOUCHED else None


UNTESTED = timedelta(days=30)


def never_tested(made: datetime, *, candidate: bool, tested: bool, now: datetime) -> datetime | None:
    """A moment that is still a candidate a month after it was made, and no experiment on it has ever started."""
    return made if candidate and not tested and now - made >= UNTESTED else None


DRIFTED = "refit"  # a stability index of .25 or more: segments.published.drift.REFIT_AT


def drifted(code: str, measured: datetime | None) -> datetime | None:
    """A segment whose users are no longer those that it was published with, at its last refresh."""
    return measured if code == DRIFTED else None


UNUSED = timedelta(days=30)


def unused_segment(made: datetime, *, used: bool, now: datetime) -> datetime | None:
    """A segment that a month after it was published no experiment and no study names."""
    return made if not used and now - made >= UNUSED else None


FAILED = timedelta(days=1)  # who has just seen it fail needs no reminder


def study_failed(finished: datetime | None, *, failed: bool, now: datetime) -> datetime | None:
    """A study that ended without a result, and was neither asked again nor put away."""
    return finished if failed and finished is not None and now - finished >= FAILED else None


SAME_DATA = timedelta(days=7)  # asked again later, it is about other users


def duplicate_study(mine: datetime, newer: datetime) -> datetime | None:
    """A study that was asked a second time about nearly the same data.

    Args:
        mine: up to when its data reach.
        newer: of the newest study with the same question and seed.
    """
    return newer if newer - mine < SAME_DATA else None


KEY_UNUSED = timedelta(days=90)


def unused_key(made: datetime, last_used: datetime | None, now: datetime) -> datetime | None:
    """A key that works and that nobody has used for a quarter of a year."""
    since = max(made, last_used or made)
    return since if now - since >= KEY_UNUSED else None


def owner_gone(*, active: bool, since: datetime | None, made: datetime) -> datetime | None:
    """A thing whose owner's account is deactivated.

    Args:
        active: whether the account is.
        since: when it was deactivated; None where the record of sign-ins reaches back less far.
        made: when the thing was made, where nothing better is known.
    """
    return None if active else since or made
