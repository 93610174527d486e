"""An account's preferences: when it is notified of a kind, and in which language."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from insight_site.models import NoticeChoice, Preference
from insight_site.models.notices import Timing
from insight_site.notices.notice_kinds import Kind


def timing_of(kind: Kind, choice: NoticeChoice | None) -> str:
    """A person's choice for a kind, or the kind's default."""
    chosen = kind.timing if choice is None else choice.timings.get(kind.key, kind.timing)
    return str(chosen if chosen in Timing.values else kind.timing)


def next_daily(now: datetime) -> datetime:
    """The next time at which daily notices are sent."""
    local = timezone.localtime(now)
    due = local.replace(hour=settings.NOTICES.daily_hour, minute=0, second=0, microsecond=0)
    return due if due > local else due + timedelta(days=1)


def language_of(user_pk: int) -> str:
    """The language of an account."""
    chosen = Preference.objects.filter(user=user_pk).values_list("language", flat=True).first()
    return str(chosen or settings.LANGUAGE_CODE)
