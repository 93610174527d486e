"""Throttling of password guesses. Failed tries are rows of `SignIn`, so all processes and machines count together.

Three limits, each against attacks that pass the others:

* **A name from one place** (`PAIR`): after 10 failures it is locked for 15 minutes, after 10 more for 30, and so on up
  to a day. Nobody else at that address is locked out, and the name's owner only there.
* **A name from everywhere** (`NAME`): many addresses may not guess one name without end. Beyond this limit only places
  from which the account has signed in before may try, so no stranger can lock a person out for ever.
* **A place** (`PLACE`): one address may not try a list of names. It is generous, since a whole office may be behind it.

Unknown names are counted by the same rules and cost the same hash, so a guess doesn't reveal which names exist.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from insight_site.models import SignIn
from insight_site.signin.sign_in_record import (
    NOTED,
    NOTED_EVERY,
    Event,
    address_of,
    digest_of,
    place_of,
    record,
    tell,
    write,
)

PAIR, PAIR_WINDOW = 10, timedelta(days=1)
LOCK, LONGEST_LOCK = timedelta(minutes=15), timedelta(days=1)
NAME, NAME_WINDOW = 50, timedelta(hours=1)
PLACE, PLACE_WINDOW = 100, timedelta(minutes=15)
KNOWN_PLACE = timedelta(days=90)  # since the last sign-in from there


@dataclass(frozen=True)
class Locked(Exception):  # noqa: N818 - a state of the door, not a mistake
    """Password tries are blocked until then.

    Attributes:
        until: end of the block.
    """

    until: datetime

    @property
    def minutes(self) -> int:
        """Minutes until then, rounded up, at least 1."""
        return max(1, -(-int((self.until - timezone.now()).total_seconds()) // 60))


def check_password(request: HttpRequest, name: str, password: str) -> User | None:
    """The active account of this name and password; None if one of them is wrong.

    A failure is written before the password is tried, and turned into a success if it is right: so of many concurrent
    tries each is counted before the next is tried. No transaction is open while the password is hashed.

    Raises:
        Locked: the password was not tried.
    """
    known = User.objects.filter(username=User.normalize_username(name)).first() if "\x00" not in name else None
    if (until := locked_until(request, name)) is not None:
        _note_lock(request, name, known)
        raise Locked(until)
    row = write(request, Event.FAILED, user=known, name=name, how="password")
    if (until := locked_until(request, name, besides=row.pk)) is not None:  # concurrent tries
        row.delete()
        _note_lock(request, name, known)
        raise Locked(until)
    user = authenticate(request, username=name, password=password) if "\x00" not in name + password else None
    if isinstance(user, User):
        row.event = Event.CONFIRMED
        row.save(update_fields=["event"])
        return user
    tell(row)
    return None


def locked_until(request: HttpRequest, name: str, *, besides: int | None = None) -> datetime | None:
    """Until when this name is blocked from this place; None if it isn't.

    Args:
        request: the request of this try.
        name: as typed.
        besides: the row of this try, which doesn't count. All others do, even concurrent ones: the tenth row written
            sees nine others, the eleventh ten, in whichever order they query.
    """
    now, place = timezone.now(), place_of(address_of(request))
    tries = SignIn.objects.filter(event=Event.FAILED)
    if besides is not None:
        tries = tries.exclude(pk=besides)
    of_name = SignIn.objects.filter(name_digest=digest_of(name))
    here = of_name.filter(network=place)
    if (until := _pair_lock(tries & here, here, now)) is not None:
        return until
    crowd = tries & SignIn.objects.filter(network=place)
    if (until := _until_fewer(crowd, PLACE, PLACE_WINDOW, now)) is not None:
        return until
    until = _until_fewer(tries & of_name, NAME, NAME_WINDOW, now)
    return until if until is not None and not _is_known(here, now) else None


def _pair_lock(failures: QuerySet[SignIn], here: QuerySet[SignIn], now: datetime) -> datetime | None:
    """Every tenth failure since the last success from here blocks, longer each time."""
    since = now - PAIR_WINDOW
    success = here.filter(event=Event.CONFIRMED, how="password", at__gt=since).order_by("-pk").first()
    counted = failures.filter(at__gt=since)
    if success is not None:
        counted = counted.filter(pk__gt=success.pk)
    times = list(counted.order_by("pk").values_list("at", flat=True))
    locks = len(times) // PAIR
    if not locks:
        return None
    until: datetime = times[locks * PAIR - 1] + min(LOCK * 2 ** min(locks - 1, 10), LONGEST_LOCK)
    return until if until > now else None


def _until_fewer(failures: QuerySet[SignIn], limit: int, window: timedelta, now: datetime) -> datetime | None:
    """When the window will hold fewer than `limit` failures; None if it does now."""
    times = failures.filter(at__gt=now - window).order_by("-at").values_list("at", flat=True)
    at = list(times[limit - 1 : limit])
    return at[0] + window if at else None


def _is_known(here: QuerySet[SignIn], now: datetime) -> bool:
    """Whether the account has signed in from this place recently."""
    return here.filter(event=Event.SIGNED_IN, at__gt=now - KNOWN_PLACE).exists()


def _note_lock(request: HttpRequest, name: str, user: User | None) -> None:
    """Log a block, at most once a minute per name and place, `NOTED` times per place: floods mustn't fill the table."""
    place, since = place_of(address_of(request)), timezone.now() - NOTED_EVERY
    noted = SignIn.objects.filter(event=Event.LOCKED, network=place, at__gt=since)
    if noted.count() < NOTED and not noted.filter(name_digest=digest_of(name)).exists():
        record(request, Event.LOCKED, user=user, name=name, how="password")
