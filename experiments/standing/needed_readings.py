"""Which events the plans of holdout reports need that aren't read yet: retention leaves them."""

from collections.abc import Iterator
from datetime import date

from django.urls import reverse

from events.erasing.holds import Hold
from experiments.models import HoldoutPlan, HoldoutReading


def needed_readings() -> Iterator[Hold]:
    """Each plan without its last reading.

    It needs the whole log: who is new, and who was seen before the date, is said by the oldest event of each.
    """
    final = HoldoutReading.objects.filter(final=True, status=HoldoutReading.Status.DONE).values("plan")
    for plan in HoldoutPlan.objects.exclude(pk__in=final).select_related("holdout"):
        last = date.fromisoformat(plan.readings[-1])
        yield Hold(str(plan), reverse("experiments:holdout", args=[plan.pk]), None, last)
