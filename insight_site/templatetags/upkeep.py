"""`{% upkeep thing %}`: owner, tags and archive state of a thing, with forms for people who may change it."""

from typing import Any

from django import template
from django.contrib.auth.models import User
from django.template import Context

from events.upkeep.tags_and_owners import owner_of
from events.upkeep.thing_kinds import kind_of

MOST_ACCOUNTS = 500
register = template.Library()


@register.inclusion_tag("components/upkeep.html", takes_context=True)
def upkeep(context: Context, thing: Any) -> dict[str, Any]:
    """Context of the forms; empty in a downloaded page, which has no request."""
    request: Any = context.get("request")
    kind = kind_of(thing)
    user = getattr(request, "user", None)
    may_change = user is not None and user.has_perm(kind.permission("change"))
    names = [tag.name for tag in thing.tags.all()]
    owner = owner_of(thing)
    accounts = User.objects.filter(is_active=True).order_by("username").values_list("username", flat=True)
    return {
        "there": request is not None,
        "kind": kind,
        "thing": thing,
        "names": names,
        "typed": ", ".join(names),
        "owner": owner,
        "accounts": list(accounts[:MOST_ACCOUNTS]) if may_change else [],
        "may_change": may_change,
        "archived_at": getattr(thing, "archived_at", None),
        "path": request.get_full_path() if request else "",
        "csrf_token": context.get("csrf_token"),
    }
