"""What a worker prepares before anybody asks: the numbered log of the newest store, and the users in it."""

from django.conf import settings

from events.catalogue.listing import catalogue
from events.prepared.opened import Stop, prepared
from runs.progress import silent
from runs.refusals import Refused


def prepare() -> bool:
    """Bring what is prepared up to date; False when there is nothing to prepare.

    Until it has run, the first question of a new version waits for the same work.
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
