"""Render chart specifications to SVG. Rendering holds the GIL, so workers render stored runs.

A process renders one chart at a time, and holds the lock `one_at_a_time` until the chart is stored. Otherwise rendering
threads compete for the GIL, and one that has begun to write waits for them at each step while it holds SQLite's file
lock: for seconds no other process could write ("database is locked").
"""

import json
import re
import threading
from typing import Any

one_at_a_time = threading.RLock()
SCALE = 2.0  # PNG pixels per CSS pixel, for sharp screens
# Vega puts names into its own expressions, in which these characters would end the line.
SIGNS = {"0085": "2424", "2028": "23ce", "2029": "00b6"}
SEPARATOR = re.compile(rf"(?<!\\)((?:\\\\)*)\\u({'|'.join(SIGNS)})")


def svg(chart: dict[str, Any], slug: str) -> str:
    """Render a chart as SVG for inlining in a page.

    Args:
        chart: a Vega-Lite specification with inline values only.
        slug: short name, unique on the page. vl-convert numbers its clip paths and gradients per process, so two
            charts on one page would share ids without this prefix.

    Returns:
        The `<svg>` element.
    """
    import vl_convert

    # An empty list of base URLs: a spec can otherwise make the server fetch any address (a way into private networks).
    with one_at_a_time:
        text = vl_convert.vegalite_to_svg(_specification(chart), allowed_base_urls=[])
    return _prefix_ids(text, slug)


def png(chart: dict[str, Any], *, scale: float = SCALE) -> bytes:
    """Render a chart as PNG, for charts with many marks and for slides."""
    import vl_convert

    with one_at_a_time:
        return bytes(vl_convert.vegalite_to_png(_specification(chart), scale=scale, allowed_base_urls=[]))


def png_of(svg_text: str, *, scale: float = 2.0) -> bytes:
    """Convert one of our SVGs, which has no external references, to PNG."""
    import vl_convert

    with one_at_a_time:
        return bytes(vl_convert.svg_to_png(svg_text, scale=scale))


def _specification(chart: dict[str, Any]) -> str:
    """The chart as JSON, with visible symbols for line separators in names, so that different names stay different."""
    return SEPARATOR.sub(lambda found: f"{found[1]}\\u{SIGNS[found[2]]}", json.dumps(chart))


def _prefix_ids(text: str, slug: str) -> str:
    names = set(re.findall(r'\bid="([^"]+)"', text))
    for name in names:
        text = re.sub(rf'\bid="{re.escape(name)}"', f'id="{slug}-{name}"', text)
        text = text.replace(f"url(#{name})", f"url(#{slug}-{name})").replace(f'"#{name}"', f'"#{slug}-{name}"')
    return text
