"""Filters for the admin's own pages: grouped numbers, and a run's page and kind."""

from django import template
from django.utils.text import capfirst

from runs import kinds
from runs.models import Run

register = template.Library()


@register.filter
def grouped(value: int | None) -> str:
    """A whole number with thousands separators; "" for None."""
    return "" if value is None else f"{value:,}"


@register.filter
def page_of(run: Run) -> str:
    """The page that shows a run's progress."""
    return kinds.kind_of(run).url(run)


@register.filter
def kind_of(run: Run) -> str:
    """The kind of a run."""
    return capfirst(str(run._meta.verbose_name))
