"""Bring waiting notices to their place, as e-mail and by Apprise. A worker does it each minute."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import ngettext

from experiments.webhook_messages import Undelivered, wait_after
from insight_site.models import MAIL, Notice, NoticeChoice, Timing, ToldState
from insight_site.notify.notice_kinds import BY_KEY, Said, say_notice
from insight_site.notify.preferences import EVERYTHING, PERSON, language_of, stop_link, timing_of
from insight_site.notify.send_safely import send
from runs.queue import status
from runs.refusals import Refused

# Notices as e-mail: text and HTML, in the reader's language, with the unsubscribe headers of mail programs.


def notice_letter(user_pk: int, address: str, notices: Sequence[Said], kinds: set[str]) -> EmailMultiAlternatives:
    """A mail with one notice, or with a day's notices.

    Args:
        user_pk: account, for the unsubscribe link.
        address: recipient's e-mail address.
        notices: the notices in words, in the active language.
        kinds: their kinds; for a single one the link unsubscribes from it, else from everything.
    """
    link = stop_link(PERSON, user_pk, next(iter(kinds)) if len(kinds) == 1 else EVERYTHING)
    context: dict[str, object] = {
        "title": title_of(notices),
        "notices": notices,
        "site": settings.NOTICES.site,
        "stop": link,
    }
    return letter(context, "notices/mail", address, link)


def letter(context: dict[str, object], template: str, address: str, stop: str) -> EmailMultiAlternatives:
    """A mail with text and HTML, and the headers for automatic mail (RFC 8058, RFC 3834)."""
    mail = EmailMultiAlternatives(
        str(context["title"]).replace("\n", " ").replace("\r", " "),  # a line break in a name could inject a header
        render_to_string(f"{template}.txt", context).strip() + "\n",
        None,
        [address],
        headers={
            "List-Unsubscribe": f"<{stop}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(render_to_string(f"{template}.html", context).strip(), "text/html")
    return mail


def title_of(notices: Sequence[Said]) -> str:
    """The subject: of a single notice, its title."""
    if len(notices) == 1:
        return notices[0].title
    return ngettext("{n} notice of Insight", "{n} notices of Insight", len(notices)).format(n=len(notices))


# Deliver waiting notices by e-mail and Apprise. A worker does it each minute.
#
# A try is counted before it is made, so that a killed worker doesn't repeat it at once; several workers may run this.

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
        notices = {row.pk: notice for row in rows if _wanted(row) and (notice := say_notice(*_words_of(row)))}
        _end([row for row in rows if row.pk not in notices], Notice.State.DROPPED)
        wanted = [row for row in rows if row.pk in notices]
        if not wanted:
            return ""
        trouble = _try(first, list(notices.values()), {row.kind for row in wanted})
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


def _try(row: Notice, notices: Sequence[Said], kinds: set[str]) -> str:
    """Send it; returns the error, "" for none."""
    try:
        if row.channel is not None:
            lines = [f"{notice.title}\n{notice.text}\n{settings.NOTICES.site}{notice.path}" for notice in notices]
            text = lines[0].partition("\n")[2] if len(notices) == 1 else "\n\n".join(lines)
            send(row.channel.secret_address, title=title_of(notices), text=text)
        elif row.user is not None:
            notice_letter(row.user.pk, row.user.email, notices, kinds).send()
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
