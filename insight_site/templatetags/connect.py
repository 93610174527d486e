"""`{% connect_data %}`: the first steps of an empty site. Also keys of sources, for the app `events`."""

from collections import defaultdict
from typing import Any

from django import template
from django.db.models import Q
from django.template import Context
from django.utils import timezone
from django.utils.translation import gettext

from events.models import Source
from events.outbox.freshness import Pulse
from insight_site.connect.first_day import Sample, sample_here
from insight_site.connect.views import connect_context
from insight_site.models import ApiKey
from insight_site.pages.time_zones import PERMISSION, ZoneForm, counts_nothing_yet, is_asked
from runs.site_zone import site_zone

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


@register.inclusion_tag("insight_site/zone_row.html", takes_context=True)
def zone_row(context: Context) -> dict[str, Any]:
    """Asks for the site's time zone until somebody has chosen one; with events it leads to what would change."""
    request = context["request"]
    if not request.user.has_perm(PERMISSION) or not is_asked():
        return {"asked": False}
    form = ZoneForm(initial={"zone": site_zone()})
    form.fields["zone"].widget.attrs |= {"data-guess-zone": "", "aria-describedby": "site-zone-help"}
    return {
        "asked": True,
        "form": form,
        "method": "post" if counts_nothing_yet() else "get",
        "next": request.path,
        "csrf_token": context["csrf_token"],
    }


@register.simple_tag
def made_up_data() -> Sample | None:
    """The made-up data that the store holds; None without any."""
    return sample_here()


@register.simple_tag
def keys_of_sources() -> Keys:
    """The live keys of every source, in one query."""
    keys: Keys = defaultdict(list)
    live = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    for row in ApiKey.objects.filter(live, revoked_at=None).order_by("created_at"):
        keys[row.source_id].append(row)
    return keys


@register.simple_tag
def keys_of(keys: Keys, source: Source) -> list[ApiKey]:
    """The live keys of one source."""
    return keys.get(source.pk, [])


@register.simple_tag
def what_to_do(pulse: Pulse, own: list[ApiKey]) -> str:
    """Advice about a source in one sentence; "" when nothing is to be done."""
    if not own:
        return gettext("No live key: nothing can be sent. Make a key.")
    return {
        "never": gettext("Send a first event: copy a snippet with a key of this source."),
        "silent": gettext(
            "Nothing for over a day. Is the service running, does it still use a live key, and was its last release "
            "the day it went silent?"
        ),
        "refused": gettext("More than one in twenty of this week's events were refused. The live view says why."),
        "live": "",
    }[pulse.state]
