"""Settings of notices, read from the environment by `insight_site.settings`."""

from collections.abc import Sequence
from dataclasses import dataclass

import environ
from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True)
class Configured:
    """How this site tells people.

    Attributes:
        site: address of the site as people type it, without a slash at its end; links in mails begin with it.
        private: notices may go to addresses inside the network, and without TLS.
        daily_hour: local hour from which on the notices of a day are sent, 0 to 23.
        digest_weekday: day of the weekly digest, 0 for Monday.
        digest_hour: local hour from which on it is sent.
        days: how long notices that have ended are kept.
    """

    site: str
    private: bool
    daily_hour: int
    digest_weekday: int
    digest_hour: int
    days: int


def configured(env: environ.Env, hosts: Sequence[str], *, https: bool) -> Configured:
    """Read them.

    Args:
        env: the environment.
        hosts: ALLOWED_HOSTS; the first of them is the site's address where SITE_URL isn't set.
        https: whether it is reached by https.

    Raises:
        ImproperlyConfigured: for an hour or a weekday that there is not.
    """
    named = next((host for host in hosts if host and not host.startswith((".", "*"))), "localhost")
    found = Configured(
        site=(env.str("SITE_URL", default="") or f"http{'s' if https else ''}://{named}").rstrip("/"),
        private=env.bool("NOTICES_TO_PRIVATE_ADDRESSES", default=False),
        daily_hour=env.int("NOTICES_HOUR", default=8),
        digest_weekday=env.int("DIGEST_WEEKDAY", default=0),
        digest_hour=env.int("DIGEST_HOUR", default=8),
        days=env.int("NOTICES_DAYS", default=90),
    )
    hours = range(24)
    if found.daily_hour not in hours or found.digest_hour not in hours or found.digest_weekday not in range(7):
        raise ImproperlyConfigured("NOTICES_HOUR and DIGEST_HOUR go from 0 to 23, DIGEST_WEEKDAY from 0 (Monday) to 6.")
    return found
