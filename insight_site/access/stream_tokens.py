"""Signed tokens that open an event stream for hours, instead of a key, which must not appear in an address.

A browser's EventSource can send no header. A client key is public and may stand in a path; a secret key may not.
"""

import time

from django.core.signing import BadSignature, Signer

from events.schema import Caller
from insight_site.access import keys

BEGINS = "st_"
PERIOD = 6 * 3600  # seconds in which a key always gets the same token, so that ETags stay valid
_signer = Signer(salt="event-streams", sep=".")


def token_of(caller: Caller) -> str:
    """A token for the holder of a key; it opens streams for six to twelve hours, while the key is live."""
    end = (int(time.time()) // PERIOD + 2) * PERIOD
    return _signer.sign(f"{BEGINS}{caller.key_id}.{end}")


def is_token(text: str | None) -> bool:
    """Whether this looks like a token; keys begin otherwise."""
    return text is not None and text.startswith(BEGINS)


def find_caller(token: str) -> Caller | None:
    """The caller whose key a token was made for; None if the token is invalid or expired, or its key isn't live.

    Raises:
        django.db.Error: when the database is unavailable and this process hasn't cached the key.
    """
    try:
        key_id, end = _signer.unsign(token).removeprefix(BEGINS).split(".")
    except BadSignature:
        return None
    return keys.find_by_id(int(key_id)) if time.time() < int(end) else None
