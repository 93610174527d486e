"""Warm the caches of Explore in a worker: the numbered log of the newest store, and its users."""

from django.conf import settings

from events.catalogue.listing import catalogue
from events.prepared.opened import Stop, prepared
from runs.progress import silent
from runs.refusals import Refused


def prepare() -> bool:
    """Update the caches; False when there is nothing to prepare.

    Until it has run, the first query on a new version of the store does the same work and waits for it.
    """
    if settings.WAREHOUSE_URL:
        return False
    try:
        with prepared(day_mode="rolling", stop=Stop(), progress=silent, newest=True) as asked:
            signup = catalogue().guess_signup()
            if signup == "*" or signup in asked.event_names():
                asked.people(signup)
    except Refused:  # no event yet, or a store that must not be read: pages say so
        return False
    return True
