"""`{% takeaway run %}`: the files of a report, and its share links."""

from typing import Any

from django import template
from django.template import Context

from insight_site.takeaways import sharing
from runs.models import Run

register = template.Library()


@register.inclusion_tag("components/takeaway.html", takes_context=True)
def takeaway(context: Context, run: Run) -> dict[str, Any]:
    """Links to the files; for whoever may share, the live links and a form for a new one."""
    request = context["request"]
    user = request.user
    may_share = user.has_perm("insight_site.add_sharelink")
    may_end = user.has_perm("insight_site.delete_sharelink")
    links = sharing.live_links(run) if may_share or may_end else []
    return {
        "run": run,
        "run_label": run._meta.label,
        "may_share": may_share,
        "links": [{"link": link, "may_end": may_end or link.created_by_id == user.pk} for link in links],
        "days": sharing.DAYS,
        "here": request.get_full_path(),
        "csrf_token": context.get("csrf_token"),
    }
