"""`{% picture run "slug" %}`: a run's stored chart, with downloads. `{% drawn drawing %}`: a small chart drawn now."""

import base64
import hashlib
import json
import re
import struct
from typing import Any

from django import template
from django.core.cache import cache
from django.template import Context
from django.utils.safestring import mark_safe
from django.utils.translation import get_language

from insight_site.pages.preferences import theme_of
from insight_site.takeaways import rendering, stored_pictures
from reporting.charts import Drawing, expected_size
from runs.models import Run

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
    row = (stored_pictures.picture if standalone else stored_pictures.planned_picture)(run, language, slug)
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
        "slug": slug,
        "language": language,
        "label": row.label,
        "waits": not content,
        "comes": bool(content) or stored_pictures.ask_for(run),
        # vl-convert escapes names from the data; the markup itself is ours.
        "svg": mark_safe(content.decode()) if inline else None,  # noqa: S308
    }


def size_of(content: bytes) -> dict[str, int]:
    """A chart's width and height in CSS pixels, to reserve its space, and its width in hundreds (fit-…)."""
    if content.startswith(b"\x89PNG"):
        width, height = (round(side / rendering.SCALE) for side in struct.unpack(">II", content[16:24]))
    else:
        found = SIDES.search(content[:400])
        width, height = (round(float(side)) for side in found.groups()) if found else (700, 400)
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
        svg = rendering.svg(drawing.spec, drawing.slug)
        cache.set(key, svg, DRAWN_SECONDS)
    # vl-convert escapes names from the data; the markup itself is ours.
    return {"chart": {"label": drawing.label, "svg": mark_safe(svg), "size": size_of(svg.encode())}}  # noqa: S308
