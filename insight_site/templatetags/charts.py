"""`{% picture run "slug" %}`: the stored chart of a run, with its label and its files."""

from typing import Any

from django import template
from django.utils.safestring import mark_safe
from django.utils.translation import get_language

from events.models import Run
from insight_site.models import Picture

register = template.Library()


@register.inclusion_tag("components/picture.html")
def picture(run: Run, slug: str) -> dict[str, Any]:
    """The picture inline when it is stored as SVG, else by its own address, which renders it when it must."""
    language = get_language() or "en"
    row = Picture.objects.filter(run_label=run._meta.label, run_pk=run.pk, language=language, slug=slug).first()
    inline = row is not None and bytes(row.content[:4]) == b"<svg"
    return {
        "run": run,
        "run_label": run._meta.label,
        "slug": slug,
        "language": language,
        "label": row.label if row else slug,
        # vl-convert escapes what comes from the data; the markup itself is ours.
        "svg": mark_safe(bytes(row.content).decode()) if row and inline else None,  # noqa: S308
    }
