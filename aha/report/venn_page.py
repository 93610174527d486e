"""The Venn diagram of one cell of a study's grid, with the cells to choose from. Pure."""

from dataclasses import dataclass
from math import acos, pi, sqrt

from aha.report.cells import four_counts
from aha.report.claim import cell_words
from aha.study.result import Report
from events.metrics import display_name
from reporting.numbers import percent
from reporting.table import Table
from reporting.words import gettext

# Two circles whose areas are the counts: who did it, who stayed, and who did both. Pure geometry, no library.

WIDTH, HEIGHT, MARGIN = 460.0, 250.0, 8.0
ROOM_FOR_LETTER = 18.0
STEPS = 60


@dataclass(frozen=True)
class Circle:
    """Centre and radius in pixels."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Letter:
    """A region's letter and its position."""

    text: str
    x: float
    y: float


@dataclass(frozen=True)
class Venn:
    """Geometry of the diagram, in pixels.

    Attributes:
        did: circle of B + C, on the left.
        stayed: circle of A + B, on the right.
        both: outline of their overlap as an SVG path, empty where there is none.
        letters: those of the regions that are large enough.
        width, height: of the whole picture, in pixels.
    """

    did: Circle
    stayed: Circle
    both: str
    letters: tuple[Letter, ...]
    width: float = WIDTH
    height: float = HEIGHT


def venn(a: int, b: int, c: int) -> Venn:
    """Circles with areas in proportion to B + C and A + B, overlapping in proportion to B.

    Args:
        a: stayed without.
        b: did it and stayed.
        c: did it and left.
    """
    did, stayed = sqrt((b + c) / pi), sqrt((a + b) / pi)
    apart = _distance(did, stayed, float(b))
    left, right = min(-did, apart - stayed), max(did, apart + stayed)
    scale = min((WIDTH - 2 * MARGIN) / (right - left or 1.0), (HEIGHT - 2 * MARGIN) / (2 * max(did, stayed) or 1.0))
    start = (WIDTH - (right - left) * scale) / 2 - left * scale
    one = Circle(round(start, 2), HEIGHT / 2, round(did * scale, 4))
    other = Circle(round(start + apart * scale, 2), HEIGHT / 2, round(stayed * scale, 4))
    return Venn(one, other, _lens(one, other) if b else "", _letters(one, other))


def overlap(r: float, s: float, distance: float) -> float:
    """Area that two circles share. Source: the lens of two circular segments."""
    if distance >= r + s:
        return 0.0
    if distance <= abs(r - s):
        return pi * min(r, s) ** 2
    x = (distance**2 + r**2 - s**2) / (2 * distance)
    y = distance - x
    triangle = sqrt(max((r + s - distance) * (distance + r - s) * (distance - r + s) * (distance + r + s), 0.0)) / 2
    return r**2 * acos(max(-1.0, min(1.0, x / r))) + s**2 * acos(max(-1.0, min(1.0, y / s))) - triangle


def _distance(r: float, s: float, area: float) -> float:
    """The distance at which the circles share `area`, by bisection; the overlap falls with the distance."""
    low, high = abs(r - s), r + s
    for _ in range(STEPS):
        middle = (low + high) / 2
        if overlap(r, s, middle) > area:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _lens(did: Circle, stayed: Circle) -> str:
    """The overlap: an arc of each circle, or the smaller circle where it lies inside the other."""
    r, s, apart = did.radius, stayed.radius, stayed.x - did.x
    if apart <= abs(r - s) + 0.01:
        x, small = (did.x, r) if r < s else (stayed.x, s)
        arcs = " ".join(f"a {small} {small} 0 1 1 {step:.2f} 0" for step in (2 * small, -2 * small))
        return f"M {x - small:.2f} {did.y} {arcs} Z"
    x = (apart**2 + r**2 - s**2) / (2 * apart)
    half = sqrt(max(r**2 - x**2, 0.0))
    at, top, bottom = did.x + x, did.y - half, did.y + half
    right = f"A {r} {r} 0 {int(x < 0)} 1 {at:.2f} {bottom:.2f}"
    left = f"A {s} {s} 0 {int(apart < x)} 1 {at:.2f} {top:.2f}"
    return f"M {at:.2f} {top:.2f} {right} {left} Z"


def _letters(did: Circle, stayed: Circle) -> tuple[Letter, ...]:
    spans = {
        "C": (did.x - did.radius, min(did.x + did.radius, stayed.x - stayed.radius)),
        "B": (max(did.x - did.radius, stayed.x - stayed.radius), min(did.x + did.radius, stayed.x + stayed.radius)),
        "A": (max(did.x + did.radius, stayed.x - stayed.radius), stayed.x + stayed.radius),
    }
    return tuple(
        Letter(text, round((low + high) / 2, 2), did.y)
        for text, (low, high) in spans.items()
        if high - low >= ROOM_FOR_LETTER
    )


@dataclass(frozen=True)
class VennCell:
    """One cell of the grid with its diagram.

    Attributes:
        behaviour, days, times: the cell.
        behaviours, all_days, all_times: what can be chosen instead.
        sentence: description of the diagram, also for screen readers.
        venn: the circles.
        table: the four counts with intervals.
    """

    behaviour: str
    days: int
    times: int
    behaviours: tuple[tuple[str, str], ...]
    all_days: tuple[int, ...]
    all_times: tuple[int, ...]
    sentence: str
    venn: Venn
    table: Table


def venn_cell(report: Report, behaviour: str, days: int, times: int) -> VennCell | None:
    """The requested cell, with the nearest `times` that the behaviour has. None for an unknown cell."""
    question, grid = report.asked, report.grid
    if behaviour not in question.behaviours or days not in question.valid_days:
        return None
    number = question.behaviours.index(behaviour)
    all_times = question.times[number]
    if not all_times:
        return None
    times = min(all_times, key=lambda known: (abs(known - times), known))
    try:
        a, b, c, o = grid.counts[:, grid.find(number, days, times)].tolist()
    except KeyError:
        return None
    union = a + b + c
    text = gettext("{cell}: {b} of those who did it or stayed are both.")
    sentence = text.format(cell=cell_words(behaviour, times, days), b=percent(b / union if union else 0.0, 0))
    table = four_counts(a, b, c, o)
    return VennCell(
        behaviour,
        days,
        times,
        tuple((name, display_name(name)) for name in question.behaviours),
        question.valid_days,
        all_times,
        sentence,
        venn(a, b, c),
        table,
    )
