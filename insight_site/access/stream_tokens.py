"""Tokens that open an event stream in place of a key that must not stand in an address: signed, and good for hours.

A browser's EventSource can send no header. A client key is public and may stand in a path; a secret key may not.
"""

import time

from django.core.signing import BadSignature, Signer

from events.schema import Caller
from insight_site.access import keys

BEGINS = "st_"
PERIOD = 6 * 3600  # seconds in which a key always gets the same token, so that tags of answers hold
_signer = Signer(salt="event-streams", sep=".")


def token_of(caller: Caller) -> str:
    """A token for the holder of a key; it opens streams for six to twelve hours, as long as the key lives."""
    end = (int(time.time()) // PERIOD + 2) * PERIOD
    return _signer.sign(f"{BEGINS}{caller.key_id}.{end}")


def is_token(text: str | None) -> bool:
    """Whether this is meant as a token; keys begin otherwise."""
    return text is not None and text.startswith(BEGINS)


def find_caller(token: str) -> Caller | None:
    """Who holds the key that a token was made for; None for one that is wrong or too old, or whose key has ended.

    Raises:
        django.db.Error: when the database is away and this process doesn't remember the key.
    """
    try:
        key_id, end = _signer.unsign(token).removeprefix(BEGINS).split(".")
    except BadSignature:
        return None
    return keys.find_by_id(int(key_id)) if time.time() < int(end) else None
