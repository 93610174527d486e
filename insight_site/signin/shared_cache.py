"""Share allauth's cache of used codes and tries between processes.

allauth keeps them in Django's default cache, which is per process without Redis: a code could then be used once in
each. It has no setting for another cache.
"""

from typing import cast

from allauth.core.internal import ratelimit
from allauth.mfa.totp.internal import auth
from django.core.cache import BaseCache, caches
from django.utils.connection import ConnectionProxy


def share() -> None:
    """Point allauth to the cache `signin`, which is in the database without Redis (`CACHES`)."""
    shared = cast(BaseCache, ConnectionProxy(caches, "signin"))
    ratelimit.cache = shared
    auth.cache = shared
