"""What a new study asks when nobody says otherwise: what fits the events that are there."""

import re
from datetime import timedelta

from aha.study.question import MAX_DAYS
from events.catalogue.listing import Catalogue
from events.catalogue.refresh import ready_catalogue
from events.metrics import Retention
from events.windows import guard

USUAL_DAYS = 7
MOST_CONTROLS = 10
LEAST_CONTROLS = 5  # below it their spread says nothing (docs/methods/evidence.md, "Negative controls")
# Days of data that are needed for a retention that most users can be asked about: the window and as long again.
RETENTIONS = ((35, "window:14-20"), (18, "window:7-13"), (10, "on_day:7"), (0, "on_day:1"))
# What happens to people, or what they set once, rarely keeps anybody: a person decides whether it is so here.
INERT = re.compile(
    r"setting|error|crash|rotat|mute|help|^ad_|_ad_|_ad$|ad_seen|screenshot|permission|volume|language|notice|popup"
    r"|오류|설정|광고|도움말|알림|회전|음소거"
)


def usual_start() -> str:
    """The event that starts a user's clock, as far as the log tells."""
    return ready_catalogue().guess_signup()


def usual_retention() -> str:
    """A window that most users of the log have behind them."""
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
    """Events that by their names can't cause retention: proposed as negative controls, never taken unasked."""
    found = [entry.name for entry in ready_catalogue().search("", 500) if INERT.search(entry.name.casefold())]
    return tuple(found[:MOST_CONTROLS])
