"""A retention definition moved along the days of a user's life: the columns of the triangle. Pure."""

from dataclasses import dataclass

from events.metrics import Active, MinDays, MinEvents, Retention, Survival

MOST_DAYS = 31  # columns of one day each
MOST_WINDOWS = 13  # columns of several days each


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        first: its first day.
        last: its last day, or None for "and every later day".
        needs: complete days that a user needs to count here.
        chosen: True for the definition itself; survival has none.
    """

    first: int
    last: int | None
    needs: int
    chosen: bool = False


def columns(definition: Retention, oldest: int) -> tuple[Column, ...]:
    """The definition's window, moved by its own length, so that the definition itself is one of the columns.

    A definition of one day, "on day N or later" and survival have a column for each day.

    Args:
        definition: what "retained" means.
        oldest: complete days of the oldest user: beyond them there is no column, but for the definition's own.
    """
    match definition:
        case Survival(gap):
            return tuple(Column(day, day, day + gap + 1) for day in range(_number(oldest - gap, MOST_DAYS)))
        case Active(window) if window.end_day is None:
            start = window.start_day
            found = [Column(day, None, day + 1, day == start) for day in range(_number(oldest, MOST_DAYS))]
            return _with(found, Column(start, None, window.days_needed, True))
        case Active(window) | MinDays(window) | MinEvents(_, window):
            size, start = len(window), window.start_day
            offset = start % size
            number = _number((oldest - offset) // size, MOST_DAYS if size == 1 else MOST_WINDOWS)
            firsts = [offset + size * place for place in range(number)]
            found = [Column(first, first + size - 1, first + size, first == start) for first in firsts]
            return _with(found, Column(start, window.end_day, window.days_needed, True))


def _number(wanted: int, most: int) -> int:
    return max(1, min(wanted, most))


def _with(found: list[Column], chosen: Column) -> tuple[Column, ...]:
    return tuple(found) if chosen in found else (*found, chosen)
