"""`{% picture %}`: a stored chart. `{% drawn %}`: one drawn now. `{% takeaway %}`, `{% signature %}`: of a report."""

import base64
import hashlib
import json
import re
import struct
from datetime import datetime
from typing import Any

from django import template
from django.core.cache import cache
from django.template import Context
from django.utils.safestring import mark_safe
from django.utils.translation import get_language

from insight_site.exports import pictures
from insight_site.exports import takeaway as exports_takeaway
from insight_site.pages.preferences import theme_of
from reporting.charts import Drawing, expected_size
from reporting.date_marks import axis_of
from runs.kinds import kind_of
from runs.models import Run

# `{% picture run "slug" %}`: a run's stored chart, with downloads. `{% drawn drawing %}`: a small chart drawn now.

register = template.Library()
SIDES = re.compile(rb'width="([\d.]+)" height="([\d.]+)"')
DRAWN_SECONDS = 24 * 3600  # the key is the specification itself, so a cached picture is always right


@register.inclusion_tag("components/picture.html", takes_context=True)
def picture(context: Context, run: Run, slug: str) -> dict[str, Any]:
    """A chart, inline if it is stored as SVG, else by its address; one not drawn yet gets a placeholder.

    In a standalone file it is always embedded, as SVG or as a data: address, and drawn now if it isn't yet.
    """
    language = get_language() or "en"
    standalone = bool(context.get("standalone"))
    row = (pictures.picture if standalone else pictures.planned_picture)(run, language, slug)
    if row is None:
        return {"label": ""}
    content = bytes(row.content)
    inline = content.startswith(b"<svg")
    return {
        "standalone": standalone,
        "size": size_of(content) if content else _size(*expected_size(row.spec)),
        "theme": theme_of(context["request"]) if "request" in context else "",
        "data": base64.b64encode(content).decode() if standalone and not inline else "",
        "run": run,
        "run_label": run._meta.label,
        "request": context.get("request"),
        "dates": axis_of(row.spec),
        "own": (kind_of(run).home_url(run),),
        "slug": slug,
        "language": language,
        "label": row.label,
        "waits": not content,
        "comes": bool(content) or pictures.ask_for(run),
        # vl-convert escapes names from the data; the markup itself is ours.
        "svg": mark_safe(content.decode()) if inline else None,  # noqa: S308
    }


def size_of(content: bytes) -> dict[str, int]:
    """A chart's width and height in CSS pixels, to reserve its space, and its width in hundreds (fit-…)."""
    if content.startswith(b"\x89PNG"):
        width, height = (round(side / pictures.SCALE) for side in struct.unpack(">II", content[16:24]))
    else:
        sides = SIDES.search(content[:400])
        width, height = (round(float(side)) for side in sides.groups()) if sides else (700, 400)
    return _size(width, height)


def _size(width: int, height: int) -> dict[str, int]:
    return {"width": width, "height": height, "fit": min(9, max(3, round(width / 100)))}


@register.inclusion_tag("components/chart.html")
def drawn(drawing: Drawing | None) -> dict[str, Any]:
    """A small chart for a form's input, rendered at the first request and then cached."""
    if drawing is None:
        return {"chart": None}
    key = f"drawn:{drawing.slug}:{hashlib.sha256(json.dumps(drawing.spec, sort_keys=True).encode()).hexdigest()}"
    svg = cache.get(key)
    if svg is None:
        svg = pictures.svg(drawing.spec, drawing.slug)
        cache.set(key, svg, DRAWN_SECONDS)
    # vl-convert escapes names from the data; the markup itself is ours.
    return {"chart": {"label": drawing.label, "svg": mark_safe(svg), "size": size_of(svg.encode())}}  # noqa: S308


# `{% takeaway run %}`: the files of a report, and its share links.


@register.inclusion_tag("components/takeaway.html", takes_context=True)
def takeaway(context: Context, run: Run) -> dict[str, Any]:
    """Download links; for people who may share, also the live share links and a form for a new one."""
    request = context["request"]
    user = request.user
    may_share = user.has_perm("insight_site.add_sharelink")
    may_end = user.has_perm("insight_site.delete_sharelink")
    links = exports_takeaway.live_links(run) if may_share or may_end else []
    return {
        "run": run,
        "run_label": run._meta.label,
        "pdf": exports_takeaway.offers_pdf(),
        "signed": bool(getattr(run, "proof", None)),
        "may_share": may_share,
        "links": [{"link": link, "may_end": may_end or link.created_by_id == user.pk} for link in links],
        "days": exports_takeaway.DAYS,
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
