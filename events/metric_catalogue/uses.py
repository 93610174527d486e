"""Plans and studies that use a metric. Their models belong to apps above this one: foreign keys are followed back."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from events.models import Metric


@dataclass(frozen=True)
class Use:
    """One plan or study.

    Attributes:
        title: its name; url of its page.
        version: number of the version that it has.
        started: whether it has started and keeps that version for good.
    """

    title: str
    url: str
    version: int
    started: bool


def uses_of(metric: Metric) -> list[Use]:
    """The uses of a metric: plans first, then studies, the newest first."""
    versions: Any = metric.versions.order_by()
    plans = versions.filter(chosen__isnull=False).order_by("-chosen__id")
    found = [
        Use(
            row["chosen__experiment__name"],
            reverse("experiments:report", args=[row["chosen__experiment__key"]]),
            row["number"],
            row["chosen__frozen_at"] is not None,
        )
        for row in plans.values("number", "chosen__experiment__name", "chosen__experiment__key", "chosen__frozen_at")
    ]
    studies = versions.filter(studies__isnull=False).order_by("-studies__id").values("number", "studies__id")
    for row in studies:
        name = _("Study {number}").format(number=row["studies__id"])
        found.append(Use(name, reverse("aha:study", args=[row["studies__id"]]), row["number"], started=True))
    return found


def numbers_of_uses(metrics: list[Metric]) -> dict[int, int]:
    """How many plans and studies use each metric, by the metric's id."""
    found: dict[int, int] = {}
    for users in ("chosen", "studies"):
        given: Any = {f"versions__{users}__isnull": False, "pk__in": [row.pk for row in metrics]}
        for pk in Metric.objects.filter(**given).order_by().values_list("pk", flat=True):
            found[pk] = found.get(pk, 0) + 1
    return found
