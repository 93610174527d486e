"""`{% takeaway run %}`: the files of a report, and its share links."""

from datetime import datetime
from typing import Any

from django import template
from django.template import Context

from insight_site.takeaways import sharing
from runs.models import Run

register = template.Library()


@register.inclusion_tag("components/takeaway.html", takes_context=True)
def takeaway(context: Context, run: Run) -> dict[str, Any]:
    """Download links; for people who may share, also the live share links and a form for a new one."""
    request = context["request"]
    user = request.user
    may_share = user.has_perm("insight_site.add_sharelink")
    may_end = user.has_perm("insight_site.delete_sharelink")
    links = sharing.live_links(run) if may_share or may_end else []
    return {
        "run": run,
        "run_label": run._meta.label,
        "signed": bool(getattr(run, "proof", None)),
        "may_share": may_share,
        "links": [{"link": link, "may_end": may_end or link.created_by_id == user.pk} for link in links],
        "days": sharing.DAYS,
        "here": request.get_full_path(),
        "csrf_token": context.get("csrf_token"),
    }


@register.inclusion_tag("components/signature.html", takes_context=True)
def signature(context: Context, run: Any) -> dict[str, Any]:
    """One line on a final analysis: what is signed, by which key, and how to verify it; empty on any other."""
    proof = run.proof if run.final else None
    if not proof or proof["signature"] is None:
        return {"final": run.final, "proved": bool(proof)}
    return {
        "signed_at": datetime.fromisoformat(proof["signed"]["signed_at"]),
        "key_id": proof["signature"]["kid"],
        "experiment": proof["signed"]["experiment"],
        "standalone": context.get("standalone", False),
    }
