"""Deliver waiting notices by e-mail and Apprise. A worker does it each minute.

A try is counted before it is made, so that a killed worker doesn't repeat it at once; several workers may run this.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation

from experiments.webhooks.messages import wait_after
from experiments.webhooks.wire import Undelivered
from insight_site.models import Notice, NoticeChoice, ToldState
from insight_site.models.notices import MAIL, Timing
from insight_site.notices.letters import notice_letter, title_of
from insight_site.notices.notice_kinds import BY_KEY
from insight_site.notices.notice_words import Said, say_notice
from insight_site.notices.outward import send
from insight_site.notices.own_choice import language_of, timing_of
from runs.queue import status
from runs.refusals import Refused

log = structlog.get_logger()
AT_ONCE = 40  # notices per run, each of which may take 25 seconds; the rest waits a minute
CHANNEL = "channel"


def deliver_due() -> dict[str, int]:
    """Try every notice that is due; returns how many were sent, failed (to be retried) and given up."""
    done = {"sent": 0, "failed": 0, "given_up": 0}
    due = Notice.objects.filter(next_try_at__lte=timezone.now()).select_related("user", "channel")
    rows = sorted(due.order_by("next_try_at", "id")[:AT_ONCE], key=_together)
    for _place, group in groupby(rows, key=_together):
        mine = [row for row in group if _claim(row)]
        outcome = _bring(mine) if mine else ""
        if outcome:
            done[outcome] += len(mine)
            way = MAIL if mine[0].channel_id is None else CHANNEL
            status.count(status.NOTICES, way, outcome, times=len(mine))
    return done


def forget_old() -> int:
    """Nightly: delete notices that ended NOTICES_DAYS ago, and states of starts, stops and comments after a year."""
    now = timezone.now()
    gone, _ = Notice.objects.filter(ended_at__lt=now - timedelta(days=settings.NOTICES.days)).delete()
    old, _ = ToldState.objects.filter(
        since__lt=now - timedelta(days=365), kind__in=("started", "stopped", "comment")
    ).delete()
    return gone + old


def send_again(*, notice: Notice) -> None:
    """Put a notice that was given up back in the queue, with all its tries.

    Raises:
        Refused: it is still in the queue, was sent, or was dropped.
    """
    waiting = Notice.objects.filter(pk=notice.pk, state=Notice.State.GIVEN_UP)
    if not waiting.update(state=Notice.State.WAITING, tries=0, next_try_at=timezone.now(), ended_at=None):
        raise Refused("Only a notice that was given up can be sent again.")


def _together(row: Notice) -> tuple[int, int, int]:
    """Group key: daily notices to one destination share one message; others are sent separately."""
    return row.user_id or 0, row.channel_id or 0, 0 if row.daily else row.pk


def _claim(row: Notice) -> bool:
    """Count the try and set the time of the next one; False when another worker did."""
    wait, before = wait_after(row.tries + 1), row.next_try_at
    row.next_try_at = None if wait is None else timezone.now() + wait
    row.tries += 1
    mine = Notice.objects.filter(pk=row.pk, tries=row.tries - 1, next_try_at=before)
    return bool(mine.update(tries=row.tries, next_try_at=row.next_try_at))


def _bring(rows: Sequence[Notice]) -> str:
    """Send one message; returns its outcome, "" if all its notices were dropped."""
    first = rows[0]
    language = first.channel.language if first.channel and first.user is None else language_of(first.user_id or 0)
    with translation.override(language):
        said = {row.pk: found for row in rows if _wanted(row) and (found := say_notice(*_words_of(row)))}
        _end([row for row in rows if row.pk not in said], Notice.State.DROPPED)
        wanted = [row for row in rows if row.pk in said]
        if not wanted:
            return ""
        trouble = _try(first, list(said.values()), {row.kind for row in wanted})
    if not trouble:
        _end(wanted, Notice.State.SENT)
        return "sent"
    log.warning("notice.failed", notices=[row.pk for row in wanted], tries=first.tries, trouble=trouble)
    last = first.next_try_at is None
    _end(wanted, Notice.State.GIVEN_UP if last else Notice.State.WAITING, trouble)
    return "given_up" if last else "failed"


def _words_of(row: Notice) -> tuple[str, str, str, str]:
    return row.kind, row.label, row.row, row.code


def _wanted(row: Notice) -> bool:
    """Whether its reader still wants it and may see it: preferences or roles may have changed."""
    if row.channel is not None and not row.channel.enabled:
        return False
    kind, user = BY_KEY.get(row.kind), row.user
    if kind is None or user is None:
        return kind is not None
    choice = NoticeChoice.objects.filter(user=user).first()
    may = user.is_active and (not kind.needs or user.has_perm(kind.needs))
    return may and timing_of(kind, choice) != Timing.NEVER


def _try(row: Notice, said: Sequence[Said], kinds: set[str]) -> str:
    """Send it; returns the error, "" for none."""
    try:
        if row.channel is not None:
            lines = [f"{one.title}\n{one.text}\n{settings.NOTICES.site}{one.path}" for one in said]
            text = lines[0].partition("\n")[2] if len(said) == 1 else "\n\n".join(lines)
            send(row.channel.secret_address, title=title_of(said), text=text)
        elif row.user is not None:
            notice_letter(row.user.pk, row.user.email, said, kinds).send()
    except (Undelivered, Refused) as caught:
        return str(caught)[:200]
    except Exception as caught:  # a mail server's error may name people: the class name is enough
        return type(caught).__name__
    return ""


def _end(rows: Sequence[Notice], state: str, trouble: str = "") -> None:
    if not rows:
        return
    ended: datetime | None = None if state == Notice.State.WAITING else timezone.now()
    values: dict[str, object] = {"state": state, "trouble": trouble, "ended_at": ended}
    if ended is not None:
        values["next_try_at"] = None
    with transaction.atomic():
        Notice.objects.filter(pk__in=[row.pk for row in rows]).update(**values)
