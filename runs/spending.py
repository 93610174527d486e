"""What runs read and who asked for it: the price before a run, the budgets that refuse it, and what it really read.

A run takes what it was told from the budget of the day when it is put into the queue; when it ends, what it has read
takes that place. The day's sum is one row that is changed under a condition, so that two runs that start at the same
moment can't both take what is left for one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from time import perf_counter

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.utils.module_loading import import_string
from pydantic import ValidationError

from reporting.numbers import bytes_text, count, money_text
from reporting.words import gettext
from runs.kinds import kind_of
from runs.models import DaySpent, Run, Spending
from runs.prices import TERABYTE, UNKNOWN, Meter, Price, metered, seconds_for
from runs.refusals import Refused

LAST = 5  # runs of a kind by which the next one's seconds are told


def today() -> date:
    """The day whose budget counts: UTC, whatever the site's zone, as warehouses bill."""
    return datetime.now(UTC).date()


def price_of(run: Run) -> Price:
    """What a run would read, by its kind; unknown for kinds that aren't priced, and for inputs that can't be read."""
    named = kind_of(run).price
    if not named:
        return UNKNOWN
    try:
        price: Price = import_string(named)(run)
    except (ValidationError, Refused):  # the run itself can't begin then, and says why
        return UNKNOWN
    return price


def refuse_over_budget(price: Price) -> None:
    """Refuse what a budget doesn't allow, before anything is read or stored.

    Raises:
        Refused: naming what would be read, the budget, and the setting.
    """
    most = settings.BUDGET_RUN_BYTES
    if price.known and most and price.bytes > most:
        raise Refused(
            "This would read {told}, and one run may read {most} (BUDGET_RUN_BYTES). Fewer days or behaviours read "
            "less.",
            told=bytes_text(price.bytes),
            most=bytes_text(most),
        )
    spent = DaySpent.objects.filter(day=today()).values_list("bytes", flat=True).first() or 0
    if price.known and settings.BUDGET_DAY_BYTES and spent + price.bytes > settings.BUDGET_DAY_BYTES:
        raise _over_day(price, spent)


def take(run: Run, price: Price) -> None:
    """Store what a saved run was told, and take it from the day's budget; in the transaction that queues the run.

    Raises:
        Refused: as `refuse_over_budget`; nothing is stored then.
    """
    refuse_over_budget(price)
    day, most = today(), settings.BUDGET_DAY_BYTES
    with transaction.atomic():
        DaySpent.objects.get_or_create(day=day)
        rows = DaySpent.objects.filter(day=day)
        if price.known and most:
            rows = rows.filter(bytes__lte=most - price.bytes)
        # One statement: of two runs that start at once the second sees what the first has taken.
        if not rows.update(bytes=F("bytes") + price.bytes):
            raise _over_day(price, DaySpent.objects.get(day=day).bytes)
        Spending.objects.create(
            kind=run._meta.label,
            run=run.pk,
            name=str(run)[:200],
            by=run.created_by,
            day=day,
            told_files=price.files if price.known else None,
            told_rows=price.rows if price.known else None,
            told_bytes=price.bytes if price.known else None,
        )


def _over_day(price: Price, spent: int) -> Refused:
    return Refused(
        "This would read {told}; today {spent} of {most} are spent (BUDGET_DAY_BYTES). The next day begins at midnight "
        "UTC.",
        told=bytes_text(price.bytes),
        spent=bytes_text(spent),
        most=bytes_text(settings.BUDGET_DAY_BYTES),
    )


@contextmanager
def spent_by(run: Run) -> Iterator[Meter]:
    """Measure what the block, which computes a run, reads; a run that wasn't queued is priced first.

    Raises:
        Refused: over budget, before the block begins.
    """
    if kind_of(run).price and not _row(run).exists():
        take(run, price_of(run))
    began = perf_counter()
    with metered() as meter:
        try:
            yield meter
        finally:
            _store(run, meter, perf_counter() - began)


def give_back(run: Run) -> None:
    """A run that was cancelled before it began has read nothing."""
    _store(run, Meter(0, counted=True), 0.0)


def _store(run: Run, meter: Meter, seconds: float) -> None:
    """Write what was read, and put it into the place of what was told in the sum of the day."""
    with transaction.atomic():
        row = _row(run).select_for_update().first()
        if row is None:
            return
        before = row.told_bytes or 0 if row.read_bytes is None else row.read_bytes
        if meter.counted:
            row.read_bytes = meter.bytes
            DaySpent.objects.filter(day=row.day).update(bytes=F("bytes") + (meter.bytes - before))
        row.seconds = round(seconds, 2)
        row.save(update_fields=["read_bytes", "seconds"])


def _row(run: Run) -> QuerySet[Spending]:
    return Spending.objects.filter(kind=run._meta.label, run=run.pk)


# What a form says before a run.


def seconds_told(kind: type[Run], price: Price) -> float | None:
    """Seconds that a run of this price may take, by the last ones of its kind; None where none was measured."""
    # In a warehouse nobody counts what is read: what was told stands for it.
    rows = Spending.objects.annotate(size=Coalesce("read_bytes", "told_bytes")).filter(size__gt=0, seconds__gt=0)
    rows = rows.filter(kind=kind._meta.label).order_by("-pk")
    past = [(row.size, row.seconds or 0.0) for row in rows[:LAST]]
    return seconds_for(price.bytes, past)


def money(size: int) -> str:
    """What so many bytes cost, in words; "" without a price per terabyte."""
    if not settings.PRICE_PER_TB:
        return ""
    return money_text(size / TERABYTE * settings.PRICE_PER_TB, settings.PRICE_CURRENCY)


def told_fact(kind: type[Run], price: Price) -> tuple[str, str, str]:
    """The price as a row of a form's preview: what, the bytes, and files, rows, seconds and money beside them."""
    if not price.known:
        why = gettext("{engine} can’t say it before the run").format(engine=price.engine)
        why = why if price.engine else gettext("this store or warehouse can’t say it before the run")
        return gettext("Reads"), gettext("not known"), why
    files = [] if price.files is None else [gettext("{files} files").format(files=count(price.files))]
    parts = [*files, gettext("{rows} rows").format(rows=count(price.rows))]
    seconds = seconds_told(kind, price)
    if seconds is not None:
        parts.append(gettext("about {count} seconds").format(count=max(1, round(seconds))))
    if paid := money(price.bytes):
        parts.append(paid)
    return gettext("Reads"), bytes_text(price.bytes), ", ".join(parts)
