"""Chart specification to SVG. A render holds the interpreter lock, so stored runs are rendered by the worker.

One is made at a time in a process, and whoever stores it keeps `one_at_a_time` until it is stored. Else many threads
would pass the interpreter to each other, and one that has begun to write would wait for them at each step, with the
lock of SQLite's file in its hand: for seconds nobody else could write ("database is locked").
"""

import json
import re
import threading
from typing import Any

one_at_a_time = threading.RLock()
SCALE = 2.0  # pixels of a PNG for each pixel of CSS, for sharp screens
# Vega writes names into expressions of its own and can't read a line that these characters end.
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
    """Render a chart as PNG, for charts of many marks and for people who need a file for their slides."""
    import vl_convert

    with one_at_a_time:
        return bytes(vl_convert.vegalite_to_png(_specification(chart), scale=scale, allowed_base_urls=[]))


def png_of(svg_text: str, *, scale: float = 2.0) -> bytes:
    """An SVG of ours, which names nothing outside itself, as PNG."""
    import vl_convert

    with one_at_a_time:
        return bytes(vl_convert.svg_to_png(svg_text, scale=scale))


def _specification(chart: dict[str, Any]) -> str:
    """The chart as JSON, with a visible sign for each line separator in a name; names that differ still differ."""
    return SEPARATOR.sub(lambda found: f"{found[1]}\\u{SIGNS[found[2]]}", json.dumps(chart))


def _prefix_ids(text: str, slug: str) -> str:
    names = set(re.findall(r'\bid="([^"]+)"', text))
    for name in names:
        text = re.sub(rf'\bid="{re.escape(name)}"', f'id="{slug}-{name}"', text)
        text = text.replace(f"url(#{name})", f"url(#{slug}-{name})").replace(f'"#{name}"', f'"#{slug}-{name}"')
    return text
