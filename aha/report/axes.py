"""Shared parts of study charts: widths, signup weeks, shares with limits. Pure."""

from collections.abc import Sequence
from typing import Any

from reporting.charts import Mark, by_place, reading, readings
from reporting.numbers import count, day_text, limits, percent
from reporting.words import gettext, week_words

WIDTH = 560
ROW = 30
FEW = 30  # users


def share_mark(value: Any) -> Mark:
    """A share with its limits as columns."""
    return {"share": value.estimate, "low": value.low, "high": value.high}


def is_small(units: int) -> bool:
    """Whether a week has too few users for a share: its interval would reach over most of the scale."""
    return units < FEW


def share_said(row: Mark) -> str:
    """A share of a chart's row for its tooltip, with its limits unless it has too few users."""
    if row["few"]:
        return gettext("{share} of {users} users: too few").format(
            share=percent(row["share"]), users=count(row["units"])
        )
    return gettext("{share} of {users} users").format(
        share=limits(row["share"], row["low"], row["high"]), users=count(row["units"])
    )


def week_readings(x: Any, rows: Sequence[Mark]) -> Any:
    """What a chart by signup week says at each week; its rows have `week`, `name` and what `share_said` needs."""
    said = by_place(rows, "week", share_said)
    texts = {week: reading(week_words(day_text(week)), values) for week, values in said.items()}
    return readings(x, "week", texts)


def few_note(weeks: Sequence[int]) -> str:
    """Explains the hollow points of a chart by signup week; "" where every week has enough users."""
    if not any(map(is_small, weeks)):
        return ""
    return gettext("Hollow, without interval: weeks with fewer than {n} users.").format(n=FEW)
