"""Send membership changes to the destination, in order, with retries; and where lists may be written."""

import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import IO, Any

import structlog
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from events.store import object_store
from events.store.object_store import PLAIN
from experiments import webhook_messages
from experiments.webhook_messages import headers, message_body, wait_after
from insight_site.models import Audience, AudienceMember
from reporting.numbers import day_text
from runs.refusals import Refused

# Where lists of users may be written: only below the addresses that the operator configured.


def check_place(url: str) -> None:
    """Refuse a folder or bucket that AUDIENCE_URLS doesn't name.

    Without this allow list, a page could write to every bucket that the site's credentials open, the event store
    included.

    Raises:
        Refused: always, where AUDIENCE_URLS is empty.
    """
    allowed = [place.rstrip("/") for place in settings.AUDIENCE_URLS]
    if not allowed:
        raise Refused("Lists can't be written: AUDIENCE_URLS in the settings names no place for them.", at="url")
    plain = url.rstrip("/")
    if ".." in plain.split("/") or not PLAIN.fullmatch(plain):
        raise Refused("{url} is no address of an object store.", at="url", url=url)
    if not any(plain == place or plain.startswith(f"{place}/") for place in allowed):
        raise Refused(
            "{url} is not below one of AUDIENCE_URLS: {places}.", at="url", url=url, places=", ".join(allowed)
        )


# Send membership changes to the destination: in order, each retried until the destination confirms it.

log = structlog.get_logger()
TYPE = "audience.changed"
PAGE = 1_000  # changes per message
MESSAGES = 50  # per audience and minute; the rest waits for the next
GONE = 410
LONGEST = timedelta(hours=9)  # between two tries; retries never stop, since a list with a gap is a wrong list
LINES = 10_000  # of a file that are in memory at once

type Post = Callable[[str, bytes, Mapping[str, str]], int]


def send_due(*, post: Post = webhook_messages.post) -> int:
    """Send pending changes of every audience whose next try is due; returns how many audiences are up to date now."""
    now = timezone.now()
    due = Audience.objects.filter(Q(next_try_at=None) | Q(next_try_at__lte=now), enabled=True)
    done = 0
    for audience in due.exclude(way=Audience.Way.FETCHED).order_by("pk"):
        if audience.waiting > 0:
            done += _send(audience, post)
    return done


def _send(audience: Audience, post: Post) -> bool:
    try:
        if audience.way == Audience.Way.FILE:
            _write_files(audience)
            return True
        return _post_changes(audience, post)
    except (webhook_messages.Undelivered, Refused, OSError) as trouble:
        _failed(audience, trouble.sentence if isinstance(trouble, Refused) else str(trouble))
    return False


def _post_changes(audience: Audience, post: Post) -> bool:
    """Post one message per page of changes, oldest first; True when no changes are left."""
    sent = audience.sent_change
    for _ in range(MESSAGES):
        page = list(_changes(audience, after=sent)[:PAGE])
        if not page:
            break
        last, now = page[-1].change, timezone.now()
        body = message_body(TYPE, _message(audience, page), now)
        # The same id on each try, so that a receiver whose reply failed can recognise a repetition.
        message_id = f"aud_{audience.pk}_{last}"
        status = post(audience.url, body, headers(audience.secrets, message_id=message_id, at=now, body=body))
        if status == GONE:
            reason = gettext("It answered 410 (gone) on {day}.").format(day=day_text(now.date()))
            Audience.objects.filter(pk=audience.pk).update(enabled=False, trouble=reason)
            return False
        if not 200 <= status < 300:
            raise webhook_messages.Undelivered(gettext("It answered {status}.").format(status=status))
        sent = last
        _done(audience, sent)
    return not _changes(audience, after=sent).exists()


def _message(audience: Audience, page: list[AudienceMember]) -> dict[str, Any]:
    return {
        "audience": audience.key,
        "first_change": page[0].change,
        "last_change": page[-1].change,
        "removed": [row.unit for row in page if not row.is_in],
        "added": [row.unit for row in page if row.is_in],
    }


def _write_files(audience: Audience) -> None:
    """Write the changes to a new file, then replace the file with the whole list."""
    check_place(audience.url)
    last = audience.last_change
    changes = _changes(audience, after=audience.sent_change).filter(change__lte=last)
    name = f"{audience.key}.changes.{audience.sent_change + 1:012d}-{last:012d}.csv"
    _put(
        audience.url, name, ("unit", "change", "at"), ((row.unit, _word(row), row.changed_at) for row in _rows(changes))
    )
    members = AudienceMember.objects.filter(audience=audience, is_in=True, change__lte=last).order_by("unit")
    _put(audience.url, f"{audience.key}.csv", ("unit", "since"), ((row.unit, row.changed_at) for row in _rows(members)))
    _done(audience, last)


def _word(row: AudienceMember) -> str:
    return "added" if row.is_in else "removed"


def _rows(rows: QuerySet[AudienceMember]) -> Iterable[AudienceMember]:
    return rows.iterator(chunk_size=LINES)


def _put(place: str, name: str, head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """Write a CSV for programs: ids are unchanged, even those that a spreadsheet would take for a formula."""
    with tempfile.TemporaryFile() as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        lines = csv.writer(text)
        lines.writerow(head)
        for some in batched(rows, LINES):
            lines.writerows([_plain(value) for value in row] for row in some)
        text.flush()
        source: IO[bytes] = file
        source.seek(0)
        object_store.put(place.rstrip("/"), name, source)
        text.detach()


def _plain(value: Any) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)


def _changes(audience: Audience, *, after: int) -> QuerySet[AudienceMember]:
    return AudienceMember.objects.filter(audience=audience, change__gt=after).order_by("change")


def _done(audience: Audience, sent: int) -> None:
    Audience.objects.filter(pk=audience.pk, sent_change__lte=sent).update(
        sent_change=sent, sent_at=timezone.now(), tries=0, next_try_at=None, trouble=""
    )


def _failed(audience: Audience, trouble: str) -> None:
    tries = min(audience.tries + 1, 100)
    wait = wait_after(tries) or LONGEST
    Audience.objects.filter(pk=audience.pk).update(
        tries=tries, next_try_at=timezone.now() + wait, trouble=trouble[:200]
    )
    log.warning("audience.not_sent", audience=audience.pk, tries=tries)


def example(audience: Audience) -> str:
    """An example message with made-up users, for developers of a receiver."""
    data = {
        "audience": audience.key,
        "first_change": 41,
        "last_change": 43,
        "removed": ["u-7"],
        "added": ["u-8", "u-9"],
    }
    return json.dumps(json.loads(message_body(TYPE, data, timezone.now())), indent=2)
