"""Events that retention must keep because holdout reports with readings to come need them."""

from collections.abc import Iterator
from datetime import date

from django.urls import reverse

from events.erasing.holds import Hold
from experiments.models import HoldoutPlan, HoldoutReading


def needed_readings() -> Iterator[Hold]:
    """The events needed by each plan without its last reading.

    Each needs the complete log: a unit's oldest event decides whether it is new, or was seen before the date.
    """
    final = HoldoutReading.objects.filter(final=True, status=HoldoutReading.Status.DONE).values("plan")
    for plan in HoldoutPlan.objects.exclude(pk__in=final).select_related("holdout"):
        last = date.fromisoformat(plan.readings[-1])
        yield Hold(str(plan), reverse("experiments:holdout", args=[plan.pk]), None, last)
