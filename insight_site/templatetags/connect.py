"""`{% connect_data %}`: the first steps of an empty site. Also keys of sources, for the app `events`."""

from collections import defaultdict
from typing import Any

from django import template
from django.db.models import Q
from django.template import Context
from django.utils import timezone

from events.inflow.source_pulse import Pulse
from events.models import Source
from events.report import source_words
from insight_site.connect.views import connect_context
from insight_site.models import ApiKey

register = template.Library()
type Keys = dict[int, list[ApiKey]]


@register.inclusion_tag("events/connect.html", takes_context=True)
def connect_data(context: Context) -> dict[str, Any]:
    """The first steps: a source and its key, a file, or made-up data."""
    request = context["request"]
    return {
        **connect_context(request.user),
        "perms": context["perms"],
        "user": request.user,
        "request": request,
        "csrf_token": context["csrf_token"],
    }


@register.simple_tag
def keys_of_sources() -> Keys:
    """The live keys of every source, in one query."""
    found: Keys = defaultdict(list)
    live = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    for row in ApiKey.objects.filter(live, revoked_at=None).order_by("created_at"):
        found[row.source_id].append(row)
    return found


@register.simple_tag
def keys_of(keys: Keys, source: Source) -> list[ApiKey]:
    """The live keys of one source."""
    return keys.get(source.pk, [])


@register.simple_tag
def what_to_do(pulse: Pulse, own: list[ApiKey]) -> str:
    """Advice about a source; "" when there is none."""
    return source_words.advice(pulse.state, has_key=bool(own))
