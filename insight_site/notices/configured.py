"""Settings of notices, read from the environment by `insight_site.settings`."""

from collections.abc import Sequence
from dataclasses import dataclass

import environ
from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True)
class Configured:
    """Notice settings of this site.

    Attributes:
        site: the site's address without final slash, for links in mails.
        private: allow private addresses, and no TLS.
        daily_hour: local hour from which daily notices are sent, 0 to 23.
        digest_weekday: day of the weekly digest, 0 for Monday.
        digest_hour: local hour from which it is sent.
        days: retention of finished notices, in days.
    """

    site: str
    private: bool
    daily_hour: int
    digest_weekday: int
    digest_hour: int
    days: int


def configured(env: environ.Env, hosts: Sequence[str], *, https: bool) -> Configured:
    """Read the settings.

    Args:
        env: the environment.
        hosts: ALLOWED_HOSTS; the first of them is the site's address where SITE_URL isn't set.
        https: whether the site uses HTTPS.

    Raises:
        ImproperlyConfigured: for an hour or a weekday out of range.
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
