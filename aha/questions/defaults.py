"""Default inputs of a new study, chosen to fit the events in the log."""

import re
from datetime import timedelta

from aha.study.question import MAX_DAYS
from events.catalogue.listing import Catalogue
from events.catalogue.refresh import ready_catalogue
from events.metrics import Retention
from events.windows import guard

USUAL_DAYS = 7
MOST_CONTROLS = 10
LEAST_CONTROLS = 5  # with fewer, their spread can't be estimated (docs/methods/evidence.md, "Negative controls")
# Least days of data for each default retention: the window and as long again, so that most users have completed it.
RETENTIONS = ((35, "window:14-20"), (18, "window:7-13"), (10, "on_day:7"), (0, "on_day:1"))
# Events that happen to users, or settings, rarely cause retention. They are only suggested: a person decides.
INERT = re.compile(
    r"setting|error|crash|rotat|mute|help|^ad_|_ad_|_ad$|ad_seen|screenshot|permission|volume|language|notice|popup"
    r"|오류|설정|광고|도움말|알림|회전|음소거"
)


def usual_start() -> str:
    """The likely signup event, guessed from the log."""
    return ready_catalogue().guess_signup()


def usual_retention() -> str:
    """A retention window that most users of the log have completed."""
    listed = ready_catalogue()
    return _retention(listed)


def _retention(listed: Catalogue) -> str:
    if listed.first_time is None or listed.last_time is None:
        return RETENTIONS[0][1]
    days = (listed.last_time - listed.first_time) / timedelta(days=1)
    return next(line for least, line in RETENTIONS if days >= least)


def usual_days(retention: Retention, gap: int = 0) -> tuple[int, ...]:
    """Every number of days up to a week that ends before retention is measured; empty when none does."""
    window = getattr(retention, "window", None)
    if window is None:
        return tuple(range(1, USUAL_DAYS + 1))
    return tuple(y for y in range(1, USUAL_DAYS + 1) if guard(y, window, gap=gap))


def last_days(retention: Retention, gap: int = 0) -> int:
    """The largest number of days that ends before retention is measured."""
    window = getattr(retention, "window", None)
    return MAX_DAYS if window is None else max(0, min(MAX_DAYS, window.start_day - gap))


def likely_inert() -> tuple[str, ...]:
    """Events that by their names can't cause retention: suggested as negative controls, never used automatically."""
    found = [entry.name for entry in ready_catalogue().search("", 500) if INERT.search(entry.name.casefold())]
    return tuple(found[:MOST_CONTROLS])
