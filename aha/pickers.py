"""AHA moments by search as you type."""

from django.db.models import Q

from aha.models import AhaMoment
from events.pickers.sources import MOST, Choice


def moments(typed: str, _of: str) -> list[Choice]:
    """Moments, the newest first, those that hold the typed text in key, name or behaviour."""
    wanted = Q(key__icontains=typed) | Q(name__icontains=typed) | Q(behaviour__icontains=typed)
    rows = AhaMoment.objects.light().filter(wanted, archived_at=None)[:MOST]
    return [Choice(row.key, str(row), str(row.get_status_display())) for row in rows]
