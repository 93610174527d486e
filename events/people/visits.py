"""Pseudonymous mark of a visitor for one hour: eight digits that don't reveal the address (docs/privacy.md).

Analyses count how many new ids came from one address in one hour (`experiments.analyse.gather.admission`); only the API
sees the address. So it stores a digest of the address with a secret of the hour: random, the same in all processes, and
deleted when the hour is over. From then on a mark can't be traced to an address, nor marks of two hours be linked. Each
process reads the secret once an hour.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from events.models import HourSalt

HOUR = 3600
DIGITS = 8


class _Held(NamedTuple):
    hour: int
    salt: bytes


_held = _Held(-1, b"")


def mark_of_visitor(address: str, at: datetime) -> str:
    """The mark of an address in the hour of this moment.

    Args:
        address: the visitor's address; "" if it isn't known.
        at: the moment of arrival.

    Raises:
        django.db.Error: when the database is unavailable in the first call of an hour.
    """
    salt = _salt(int(at.timestamp()) // HOUR)
    return hashlib.blake2b(address.encode(), key=salt, digest_size=DIGITS // 2).hexdigest()


def forget_salts(before: datetime | None = None) -> int:
    """Delete the secrets of hours that are over; returns how many."""
    hour = int((before or timezone.now() - timedelta(minutes=5)).timestamp()) // HOUR
    return HourSalt.objects.filter(hour__lt=hour).delete()[0]


def _salt(hour: int) -> bytes:
    global _held  # noqa: PLW0603 - the memory of this process
    if _held.hour != hour:
        HourSalt.objects.bulk_create([HourSalt(hour=hour, salt=secrets.token_hex(32))], ignore_conflicts=True)
        _held = _Held(hour, bytes.fromhex(HourSalt.objects.values_list("salt", flat=True).get(hour=hour)))
    return _held.salt
