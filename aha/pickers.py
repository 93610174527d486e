"""Options of the AHA moment picker (search as you type)."""

from django.db.models import Q

from aha.models import AhaMoment
from events.pickers.sources import MOST, Choice


def moments(typed: str, _of: str) -> list[Choice]:
    """Moments whose key, name or behaviour contains the typed text, the newest first."""
    wanted = Q(key__icontains=typed) | Q(name__icontains=typed) | Q(behaviour__icontains=typed)
    rows = AhaMoment.objects.light().filter(wanted, archived_at=None)[:MOST]
    return [Choice(row.key, str(row), str(row.get_status_display())) for row in rows]
