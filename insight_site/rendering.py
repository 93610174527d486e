"""Chart specification to SVG. A render holds the interpreter lock, so stored runs are rendered by the worker."""

import json
import re
from typing import Any

import vl_convert


def svg(chart: dict[str, Any], slug: str) -> str:
    """Render a chart as SVG for inlining in a page.

    Args:
        chart: a Vega-Lite specification with inline values only.
        slug: short name, unique on the page. vl-convert numbers its clip paths and gradients per process, so two
            charts on one page would share ids without this prefix.

    Returns:
        The `<svg>` element.
    """
    # An empty list of base URLs: a spec can otherwise make the server fetch any address (a way into private networks).
    text = vl_convert.vegalite_to_svg(json.dumps(chart), allowed_base_urls=[])
    return _prefix_ids(text, slug)


def png(chart: dict[str, Any], *, scale: float = 2.0) -> bytes:
    """Render a chart as PNG, for charts of many marks and for people who need a file for their slides."""
    return bytes(vl_convert.vegalite_to_png(json.dumps(chart), scale=scale, allowed_base_urls=[]))


def _prefix_ids(text: str, slug: str) -> str:
    names = set(re.findall(r'\bid="([^"]+)"', text))
    for name in names:
        text = re.sub(rf'\bid="{re.escape(name)}"', f'id="{slug}-{name}"', text)
        text = text.replace(f"url(#{name})", f"url(#{slug}-{name})").replace(f'"#{name}"', f'"#{slug}-{name}"')
    return text
