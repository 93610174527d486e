"""A weekly line as the points of an SVG polyline. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, EDGE = 96, 24, 2


@dataclass(frozen=True)
class Sparkline:
    """Points for ``<polyline points>`` and the position of the last one."""

    points: str
    last_x: float
    last_y: float
    width: int = WIDTH
    height: int = HEIGHT


def sparkline(values: Sequence[int]) -> Sparkline | None:
    """The line from 0 to the largest value; None with fewer than two values."""
    if len(values) < 2:
        return None
    top = max(values) or 1
    step = (WIDTH - 2 * EDGE) / (len(values) - 1)
    places = [
        (round(EDGE + place * step, 1), round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * value / top, 1))
        for place, value in enumerate(values)
    ]
    return Sparkline(" ".join(f"{x},{y}" for x, y in places), *places[-1])
