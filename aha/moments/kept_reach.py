"""The weekly reach of a moment as it was last counted: workers count it, pages read it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from aha.models import AhaMoment, KeptReach
from aha.moments import reach
from aha.moments.reached import WeeklyReach
from runs.payloads import Schema, Unreadable
from runs.queue.put import put
from runs.queue.tell_people import tell
from runs.refusals import Refused

TASK = "aha.tasks.count_reach"
WEEKS: Schema[WeeklyReach] = Schema(WeeklyReach)


@dataclass(frozen=True)
class LastCount:
    """What is known of a moment's weekly reach.

    Attributes:
        weeks: as counted; None before, and where it can't be counted.
        reason: why it can't be counted, or "".
        counted_at: when; None while it is being counted for the first time.
    """

    weeks: WeeklyReach | None
    reason: str
    counted_at: datetime | None


def ask_for_count(moment: AhaMoment) -> None:
    """Let a worker count it; a moment that has waited already isn't asked for twice."""
    _row, made = KeptReach.objects.get_or_create(moment=moment)
    if made:
        put(TASK, moment.pk)


def last_count(moment: AhaMoment) -> LastCount:
    """As it stands; a moment that was never counted is handed to a worker now."""
    row = KeptReach.objects.filter(moment=moment).first()
    if row is None:
        ask_for_count(moment)
        return LastCount(None, "", None)
    return read(row)


def read(row: KeptReach) -> LastCount:
    """A row's content."""
    weeks = None if row.weeks is None else WEEKS.read(row.weeks)
    if isinstance(weeks, Unreadable):
        return LastCount(None, weeks.sentence(), row.counted_at)
    reason = Refused.from_record(row.refusal).sentence if row.refusal else ""
    return LastCount(weeks, reason, row.counted_at)


def weeks_of(moment: AhaMoment) -> WeeklyReach | None:
    """For lists, which read the row beside the moment; None before the first count."""
    row = getattr(moment, "kept_reach", None)
    return None if row is None else read(row).weeks


def count(pk: int) -> bool:
    """Ask the warehouse and keep the answer; False when the moment is gone."""
    moment = AhaMoment.objects.light("study").filter(pk=pk).first()
    if moment is None:
        return False
    kept: dict[str, Any] = {"counted_at": timezone.now(), "refusal": None}
    try:
        kept["weeks"] = WEEKS.store(reach.weekly_reach(moment))
    except Refused as refusal:
        kept["refusal"] = refusal.record()
    with transaction.atomic():
        KeptReach.objects.update_or_create(moment=moment, defaults=kept)
        tell("reach_counted", moment._meta.label, moment.pk, "counted")
    return True


def count_all() -> int:
    """Every moment, one after the other; returns how many."""
    return sum(count(pk) for pk in AhaMoment.objects.values_list("pk", flat=True))
