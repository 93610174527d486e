"""Filters of the admin's own pages: grouped numbers, and where a run is followed."""

from django import template
from django.utils.text import capfirst

from runs import kinds
from runs.models import Run

register = template.Library()


@register.filter
def grouped(value: int | None) -> str:
    """A whole number with its thousands apart; nothing stays nothing."""
    return "" if value is None else f"{value:,}"


@register.filter
def page_of(run: Run) -> str:
    """The page that follows a run."""
    return kinds.kind_of(run).url(run)


@register.filter
def kind_of(run: Run) -> str:
    """What kind of run it is."""
    return capfirst(str(run._meta.verbose_name))
