"""allauth keeps used codes and tries of the second factor in Django's default cache, which each process has of its own
where there is no Redis: a code could be used once in each. It has no setting for another cache."""

from typing import cast

from allauth.core.internal import ratelimit
from allauth.mfa.totp.internal import auth
from django.core.cache import BaseCache, caches
from django.utils.connection import ConnectionProxy


def share() -> None:
    """Give allauth the cache `signin`, which is the database's without Redis (`CACHES`)."""
    shared = cast(BaseCache, ConnectionProxy(caches, "signin"))
    ratelimit.cache = shared
    auth.cache = shared
