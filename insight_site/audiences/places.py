"""Where lists of users may be written: only below the addresses that the operator configured."""

from django.conf import settings

from events.object_store import PLAIN
from runs.refusals import Refused


def check_place(url: str) -> None:
    """Refuse a folder or bucket that AUDIENCE_URLS doesn't name.

    Without this allow list, a page could write to every bucket that the site's credentials open, the event store
    included.

    Raises:
        Refused: always, where AUDIENCE_URLS is empty.
    """
    allowed = [one.rstrip("/") for one in settings.AUDIENCE_URLS]
    if not allowed:
        raise Refused("Lists can't be written: AUDIENCE_URLS in the settings names no place for them.", at="url")
    plain = url.rstrip("/")
    if ".." in plain.split("/") or not PLAIN.fullmatch(plain):
        raise Refused("{url} is no address of an object store.", at="url", url=url)
    if not any(plain == one or plain.startswith(f"{one}/") for one in allowed):
        raise Refused(
            "{url} is not below one of AUDIENCE_URLS: {places}.", at="url", url=url, places=", ".join(allowed)
        )
