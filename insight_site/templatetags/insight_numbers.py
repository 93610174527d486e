"""Filters of the admin's own pages: grouped numbers, and where a run is followed."""

from django import template
from django.urls import reverse
from django.utils.text import capfirst

from runs.models import Run

register = template.Library()
PAGES = {
    "aha.Study": "aha:study", "segments.SegmentationRun": "segments:run", "segments.ChurnRun": "segments:churn",
    "segments.ComparisonRun": "segments:comparison",
}  # fmt: skip


@register.filter
def grouped(value: int | None) -> str:
    """A whole number with its thousands apart; nothing stays nothing."""
    return "" if value is None else f"{value:,}"


@register.filter
def page_of(run: Run) -> str:
    """The page that follows a run, "" when it has none."""
    route = PAGES.get(run._meta.label)
    return "" if route is None else reverse(route, args=[run.pk])


@register.filter
def kind_of(run: Run) -> str:
    """What kind of run it is."""
    return capfirst(str(run._meta.verbose_name))
