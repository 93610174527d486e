"""Format numbers for people: the same in sentences, tables and charts, on every page. Pure."""

from datetime import date, datetime
from typing import Protocol

from reporting.words import gettext, later, reason_words
from stats.results import NotComputable, computable

MINUS = "\u2212"
# Effects in points have one decimal; between these, where it would print 0.0 or a coarse 0.1, two.
LEAST_POINTS, SMALL_POINTS = 0.00005, 0.001
GLUE = "\u00a0"  # no line break between a number and its unit, or inside an interval


class Absent(str):
    """Stands in place of a number that can't be computed: a page shows "n/a" and the reason behind it."""

    __slots__ = ()


class Limited(Protocol):
    """An estimate with its limits: an interval, a difference, a gain."""

    @property
    def estimate(self) -> float:
        """The point estimate."""

    @property
    def low(self) -> float:
        """Lower limit of the interval."""

    @property
    def high(self) -> float:
        """Upper limit of the interval."""


# ── Days ──────────────────────────────────────────────────────────────────────
# As pages write them: "Nov 30, 2026", in Korean "2026년 11월 30일". insight_site/formats has the same for Django.
MONTHS = (
    later("Jan"),
    later("Feb"),
    later("Mar"),
    later("Apr"),
    later("May"),
    later("Jun"),
    later("Jul"),
    later("Aug"),
    later("Sep"),
    later("Oct"),
    later("Nov"),
    later("Dec"),
)


class Day(str):
    """A day as pages write it; a table as CSV has its `iso` form, which other programs read."""

    iso: str


def day_text(value: date | str) -> str:
    """A day as pages write it; a text that is no ISO date stays as it is."""
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return str(value)
    month = gettext(MONTHS[day.month - 1])
    text = Day(gettext("{month} {day}, {year}").format(month=month, day=day.day, year=day.year))
    text.iso = day.strftime("%Y-%m-%d")
    return text


def month_day_text(value: date) -> str:
    """A day without its year, for marks of an axis and small tiles: "Nov 30"."""
    return gettext("{month} {day}").format(month=gettext(MONTHS[value.month - 1]), day=value.day)


def minute_text(value: datetime) -> str:
    """A time as pages write it: "Nov 30, 2026, 14:05"; in the time zone that it has."""
    return gettext("{day}, {time}").format(day=day_text(value.date()), time=value.strftime("%H:%M"))


# ── Plain numbers ─────────────────────────────────────────────────────────────
def decimal(value: float, digits: int = 2) -> str:
    """A number with a fixed count of decimals and a true minus sign; never a negative zero."""
    text = f"{value:,.{digits}f}"
    return text.replace("-", MINUS) if any(figure in text for figure in "123456789") else text.replace("-", "")


def signed(value: float, digits: int = 2) -> str:
    """Like `decimal`, with a plus sign for positive numbers; 0 has none."""
    text = decimal(value, digits)
    return f"+{text}" if value > 0 and any(figure in text for figure in "123456789") else text


def significant(value: float) -> str:
    """A number with about four significant digits and grouped thousands."""
    size = abs(value)
    if size < 0.0001:
        return f"{MINUS if value < 0 else ''}{size:.2g}"
    return decimal(value, 0 if size >= 1000 else 4 if size < 1 else 3 if size < 10 else 2)


def count(value: int) -> str:
    """A whole number with grouped thousands."""
    return f"{value:,}"


def short_count(value: int) -> str:
    """A whole number in short form for narrow places: 3,265 is 3.3k."""
    return str(value) if value < 1_000 else f"{value / 1_000:.1f}k" if value < 100_000 else f"{value / 1_000:,.0f}k"


UNITS = ("B", "kB", "MB", "GB", "TB", "PB")  # of 1,000, as warehouses bill


def bytes_text(value: float) -> str:
    """A number of bytes in the largest unit that it fills: ``12.3 MB``."""
    place = 0
    while value >= 1000 and place < len(UNITS) - 1:
        value, place = value / 1000, place + 1
    digits = 0 if place == 0 or value >= 100 else 1
    return f"{decimal(value, digits)} {UNITS[place]}"


def money_text(value: float, currency: str) -> str:
    """An amount with its currency; what is less than a hundredth is said so."""
    return f"{decimal(value, 2)} {currency}" if value >= 0.01 or not value else f"< {decimal(0.01, 2)} {currency}"


def between(low: str, high: str) -> str:
    """An interval without a line break inside: ``58.2 to 63.2``, in Korean ``58.2~63.2``."""
    return gettext("{low} to {high}").format(low=low, high=high).replace(" ", GLUE)


def day_range(first: int, last: int) -> str:
    """A range of days in short form: ``7–13``, in Korean ``7~13``."""
    return gettext("{first}–{last}").format(first=first, last=last)


def number(value: Limited | float | NotComputable, digits: int = 3) -> str:
    """A number, with its interval when it has one, or the reason why there is none."""
    if isinstance(value, NotComputable):
        return Absent(reason_words(value))
    if isinstance(value, float | int):
        return decimal(value, digits)
    return f"{decimal(value.estimate, digits)} ({between(decimal(value.low, digits), decimal(value.high, digits))})"


# ── Shares ────────────────────────────────────────────────────────────────────
def percent(value: float, digits: int = 1) -> str:
    """A share, 0 to 1, as a percentage. If it would round to zero, it gets two significant digits."""
    size = abs(value * 100)
    if 0 < size < 10**-digits:
        return f"{MINUS if value < 0 else ''}{size:.2g}%"
    return f"{decimal(value * 100, digits)}%"


def level_text(level: float) -> str:
    """A confidence level: ``95%``, ``97.5%``, and ``98.33%`` for 1 - .05/3."""
    return f"{100 - float(f'{100 * (1 - level):.3g}'):g}%"


def share(value: Limited | NotComputable) -> str:
    """A share with its 95 % interval, or the reason why there is none."""
    if not computable(value):
        return Absent(reason_words(value))
    return limits(value.estimate, value.low, value.high)


def limits(estimate: float, low: float, high: float) -> str:
    """A share with its limits, all in percent; none that isn't 0 rounds to 0."""
    return f"{percent(estimate)} ({between(percent(low).removesuffix('%'), percent(high).removesuffix('%'))})"


# ── Differences ───────────────────────────────────────────────────────────────
def points(value: float, digits: int = 1) -> str:
    """A difference of shares in percentage points, with its sign and without the word."""
    text = decimal(value * 100, digits)
    return text if text.startswith(MINUS) else f"+{text}"


def difference(value: Limited | float | NotComputable) -> str:
    """A difference of shares in points, with its interval when it has one, or the reason why there is none."""
    if isinstance(value, NotComputable):
        return Absent(reason_words(value))
    if isinstance(value, float | int):
        return points(value)
    return f"{points(value.estimate)} ({between(points(value.low), points(value.high))})"


def _point_digits(value: float) -> int:
    """Decimals of an effect in points: one, and two where one would print 0.0."""
    return 2 if LEAST_POINTS <= abs(value) < SMALL_POINTS else 1


def effect_text(value: float, *, share: bool, plus: bool = False) -> str:
    """An effect in its own unit: points for shares, else the outcome's unit; `plus` adds a sign to gains."""
    text = decimal(value * 100, _point_digits(value)) if share else significant(value)
    if plus and value > 0 and any(figure in text for figure in "123456789"):
        text = f"+{text}"
    return gettext("%(value)s points") % {"value": text} if share else text


def planned_text(value: float, *, share: bool) -> str:
    """An effect or a margin that somebody has written into a plan: nothing of it is rounded away."""
    if not share:
        return significant(value)
    written = f"{value * 100:.6g}"
    return gettext("%(value)s points") % {"value": decimal(value * 100, max(1, len(written.partition(".")[2])))}


def effect_limits(low: float, high: float, share: bool) -> str:
    """Two limits of an effect, followed by their unit."""
    if not share:
        return between(significant(low), significant(high))
    digits = _point_digits(max(abs(low), abs(high)))
    return gettext("%(value)s points") % {"value": between(decimal(100 * low, digits), decimal(100 * high, digits))}


def signed_percent(value: float) -> str:
    """A relative change as a percentage, with its sign."""
    return f"{points(value)}%"


# ── p-values ──────────────────────────────────────────────────────────────────
def p_value(value: float | None) -> str:
    """A p-value for a table cell: never printed as 0, empty if not tested."""
    if value is None:
        return ""
    if value < 0.0001:
        return f"<{GLUE}0.0001"
    return f"{value:.4f}" if value < 0.01 else f"{value:.3f}"


def p_relation(value: float) -> str:
    """A p-value with = or <, for sentences that name the p themselves: ``= 0.012``."""
    text = p_value(value)
    return text if text.startswith("<") else f"={GLUE}{text}"


def p_text(value: float) -> str:
    """A p-value inside a sentence: ``p = 0.012``."""
    return f"p{GLUE}{p_relation(value)}"
