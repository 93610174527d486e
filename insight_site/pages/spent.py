"""The page of what was spent: by day, by person and run by run, what was told before it and what was read."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from reporting.numbers import bytes_text, count, day_text, decimal, signed_percent
from reporting.table import Table
from runs.models import DaySpent, Spending
from runs.spending import money, today

DAYS = 30
MOST_RUNS = 50


@dataclass
class _Sum:
    """Runs of one day or person; told and read of those alone whose both are known, so that they can be compared."""

    runs: int = 0
    told: int = 0
    read: int = 0
    both_told: int = 0
    both_read: int = 0

    def add(self, row: Spending) -> None:
        self.runs += 1
        self.told += row.told_bytes or 0
        self.read += row.read_bytes or 0
        if row.told_bytes and row.read_bytes:
            self.both_told += row.told_bytes
            self.both_read += row.read_bytes


@login_required
@require_safe
def spent_page(request: HttpRequest) -> HttpResponse:
    """What the runs of the last thirty days read, and what is left of today's budget."""
    since = today() - timedelta(days=DAYS - 1)
    rows = list(Spending.objects.filter(day__gte=since).select_related("by").order_by("-day", "-pk"))
    context = {"budgets": _budgets(), "tables": _tables(rows) if rows else (), "days": DAYS}
    return render(request, "insight_site/spent.html", context)


def _budgets() -> tuple[str, ...]:
    """One sentence for each budget, and for the price."""
    spent = DaySpent.objects.filter(day=today()).values_list("bytes", flat=True).first() or 0
    lines = [gettext("Today (UTC) {spent} are spent.").format(spent=_amount(spent))]
    if settings.BUDGET_DAY_BYTES:
        text = gettext("A day may read {most} (BUDGET_DAY_BYTES).")
        lines.append(text.format(most=bytes_text(settings.BUDGET_DAY_BYTES)))
    if settings.BUDGET_RUN_BYTES:
        text = gettext("One run may read {most} (BUDGET_RUN_BYTES).")
        lines.append(text.format(most=bytes_text(settings.BUDGET_RUN_BYTES)))
    return tuple(lines)


def _amount(size: int) -> str:
    paid = money(size)
    return f"{bytes_text(size)} ({paid})" if paid else bytes_text(size)


def _tables(rows: list[Spending]) -> tuple[Table, ...]:
    by_day, by_person = dict[str, _Sum](), dict[str, _Sum]()
    for row in rows:
        by_day.setdefault(day_text(row.day), _Sum()).add(row)
        by_person.setdefault(_who(row), _Sum()).add(row)
    persons = dict(sorted(by_person.items(), key=lambda pair: pair[1].read, reverse=True))
    return (
        _sums(gettext("By day"), gettext("day (UTC)"), by_day),
        _sums(gettext("By person"), gettext("person"), persons),
        _runs(rows[:MOST_RUNS]),
    )


def _who(row: Spending) -> str:
    return row.by.get_username() if row.by is not None else gettext("by itself or a key")


def _sums(title: str, first: str, sums: dict[str, _Sum]) -> Table:
    lines = [
        (name, count(one.runs), bytes_text(one.told), bytes_text(one.read), _off(one.both_told, one.both_read))
        for name, one in sums.items()
    ]
    columns = (first, gettext("runs"), gettext("expected"), gettext("read"), gettext("difference"))
    return _with_money(title, columns, lines, [one.read for one in sums.values()])


def _runs(rows: list[Spending]) -> Table:
    lines = [
        (
            row.name,
            _who(row),
            day_text(row.day),
            gettext("not known") if row.told_bytes is None else bytes_text(row.told_bytes),
            "" if row.read_bytes is None else bytes_text(row.read_bytes),
            _off(row.told_bytes or 0, row.read_bytes or 0),
            "" if row.seconds is None else decimal(row.seconds, 1),
        )
        for row in rows
    ]
    columns = (
        gettext("run"),
        gettext("person"),
        gettext("day (UTC)"),
        gettext("expected"),
        gettext("read"),
        gettext("difference"),
        gettext("seconds"),
    )
    return _with_money(gettext("The last runs"), columns, lines, [row.read_bytes for row in rows])


def _off(told: int, read: int) -> str:
    """By how much more or less was read than expected."""
    return signed_percent(read / told - 1) if told and read else ""


def _with_money(
    title: str, columns: tuple[str, ...], lines: Iterable[tuple[str, ...]], sizes: list[int | None]
) -> Table:
    note = gettext("The difference is that of runs which have ended and whose price was known.")
    if not settings.PRICE_PER_TB:
        return Table(title, columns, tuple(lines), note)
    paid = tuple((*line, "" if size is None else money(size)) for line, size in zip(lines, sizes, strict=True))
    return Table(title, (*columns, gettext("money")), paid, note)
