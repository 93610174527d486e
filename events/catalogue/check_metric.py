"""Check a metric on its own past, as a run: query the warehouse once, then split the units at random many times."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from django.contrib.auth.models import User

from events.catalogue.check_report import CHECK, CheckReport, MetricPreview, PastWeek
from events.catalogue.queries import past_units
from events.catalogue.refresh import ready_catalogue
from events.metrics import Capped, Quantile, Ratio, Survival, days_needed, is_share
from events.metrics import Metric as Definition
from events.metrics.facts import Facts, refuse_exposures
from events.models import Metric, MetricCheck
from events.store.ownership import StoreRefused
from events.warehouse.arm_marks import of_metric, of_start, refuse_arm_marks
from events.warehouse.price import Store
from events.warehouse.price import price_of as store_price
from events.warehouse.readings import EVENT, TIME, USER, Reading, opening, outcomes, whole
from events.warehouse.session import WarehouseSession, questions
from events.warehouse.unit_values import Basis
from runs.perform import Computation, enqueue
from runs.prices import Price
from runs.progress import Early, Progress
from runs.refusals import Refused
from stats.false_alarms import ROUNDING, FalseAlarms, Keys, Summary, false_alarms, level_of_units, mixed

if TYPE_CHECKING:
    import pyarrow as pa

WEEKS, MOST_WEEKS = 8, 52
SPLITS = 1_000
MOST_SPLIT = 200_000  # units used for splits; of more, a sample by the hash of their ids
WEEK = timedelta(days=7)
PREVIEW_WEEKS, PREVIEW_ROWS = 4, 5
PREVIEW_SECONDS = 15.0  # of each query: a page waits for it, and its worker is killed after thirty
type Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Past:
    """The units of the past weeks: number, week, values; for an SQL metric which of them have a row."""

    keys: Keys
    week: np.ndarray[Any, np.dtype[np.int64]]
    values: Array
    below: Array | None
    cap: float | None
    has_row: np.ndarray[Any, np.dtype[np.bool_]] | None = None

    @property
    def rows(self) -> int | None:
        """Units with a row."""
        return None if self.has_row is None else int(self.has_row.sum())


def start_check(*, key: str, by: User | None = None, seed: int = 1, weeks: int = WEEKS) -> MetricCheck:
    """Store a check of a metric's newest version and queue it.

    Args:
        key: of the metric.
        by: who asks.
        seed: of the random halves.
        weeks: how many, back from the last whose days are complete; 1 to 52.

    Raises:
        Refused: there is no such metric, or it has no number per unit.
    """
    row = Metric.objects.filter(key=key).first()
    if row is None:
        raise Refused("There is no metric '{key}'.", key=key)
    if not 1 <= weeks <= MOST_WEEKS:
        raise Refused("A check covers 1 to {most} weeks.", most=MOST_WEEKS)
    _refuse_survival(row.current.facts)
    inputs = {"weeks": weeks, "splits": SPLITS, "signup_event": _usual_start()}
    return enqueue(MetricCheck(version=row.current, seed=seed, inputs=inputs, created_by=by))


def price_of_run(run: MetricCheck) -> Price:
    """What a stored check would read."""
    definition, inputs = run.version.facts.read(), run.inputs
    return store_price(lambda store: _readings(definition, inputs["signup_event"], inputs["weeks"], store))


def _readings(definition: Definition, signup_event: str, weeks: int, store: Store) -> Iterator[Reading]:
    """All readings of a check, by `past_units`; not those by which a locked outcome is kept apart."""
    end = _end(store.basis, definition)
    start = end - weeks * WEEK
    basis = store.basis.between(start, end)
    since, acts = (start, ()) if signup_event == "*" else (None, (EVENT,))
    until = basis.clock.midnight(basis.clock.local_date(end) + timedelta(days=1))
    yield opening()
    for _ in range(2 if basis.dialect == "clickhouse" else 1):  # it computes what parts of a query share for each
        yield whole(USER, TIME, *acts, since=since, until=until)
    yield from outcomes(basis, [_uncut(part) for part in _parts(definition)])


def _compute(run: MetricCheck, progress: Progress, _early: Early) -> CheckReport:
    facts = run.version.facts
    progress("values", 0.05)
    with questions() as store:
        MetricCheck.objects.filter(pk=run.pk).update(as_of=store.basis.data_end)
        return check_metric(store, facts, seed=run.seed, progress=progress, **run.inputs)


def _conclude(run: MetricCheck, report: CheckReport) -> None:
    if isinstance(report.badge, FalseAlarms):
        MetricCheck.objects.filter(pk=run.pk).update(alarms=report.badge.alarms, splits=report.badge.splits)


run_check = Computation(MetricCheck, _compute, CHECK.store, _conclude)


def check_metric(
    asked: WarehouseSession, facts: Facts, *, weeks: int, splits: int, signup_event: str, seed: int, progress: Progress
) -> CheckReport:
    """Measure the metric on units of past weeks, and how often a test finds a difference between random halves of them.

    Args:
        asked: the open warehouse.
        facts: what is measured.
        weeks: back from the last complete day.
        splits: random halves.
        signup_event: what starts a unit's clock, or ``*``.
        seed: of the halves.
        progress: called with the share done.

    Raises:
        Refused: the definition has no number per unit, or would tell the arms of a locked experiment apart.
    """
    _refuse_survival(facts)
    definition = facts.read()
    refuse_arm_marks({"": (*of_start(signup_event), *of_metric(definition, signup_event))}, store=asked)
    end = _end(asked.basis, definition)
    past = _past(asked, definition, signup_event, end, weeks)
    progress("splits", 0.3)
    summary, share = _summary(definition), getattr(definition, "share", None) or 0.5
    shown = [_week(past, at, summary, share, (end - (weeks - at) * WEEK).date()) for at in range(weeks)]
    few = _sample(past)
    badge = false_alarms(
        few.values,
        few.keys,
        summary=summary,
        splits=splits,
        seed=seed,
        below=few.below,
        share=share,
        told=lambda done: progress("splits", 0.3 + 0.7 * done),
    )
    return CheckReport(
        *(str(definition), summary is Summary.SHARE, signup_event, past.cap, len(past.keys), tuple(shown), badge),
        *(len(few.keys), splits, seed, past.rows),
    )


def preview_metric(text: str, *, signup_event: str = "") -> MetricPreview:
    """Preview a metric on the users of the past weeks: before it is certified or used in a plan.

    Args:
        text: the definition with its cap.
        signup_event: what starts a unit's clock; "" for the guessed signup event.

    Raises:
        Refused: it can't be read or queried, takes too long, or would tell the arms of a locked experiment apart.
    """
    facts = Facts(text)
    _refuse_survival(facts)
    definition, start = facts.read(), signup_event or _usual_start()
    refuse_exposures(text)
    with questions() as opened:
        store = replace(opened, warehouse=replace(opened.warehouse, sql_seconds=PREVIEW_SECONDS))
        refuse_arm_marks({"": (*of_start(start), *of_metric(definition, start))}, store=store)
        end = _end(store.basis, definition)
        past = _past(store, definition, start, end, PREVIEW_WEEKS)
    summary, share = _summary(definition), getattr(definition, "share", None) or 0.5
    rows = past.values if past.has_row is None else past.values[past.has_row]
    order = np.argsort(mixed(past.keys if past.has_row is None else past.keys[past.has_row]))  # not by id
    return MetricPreview(
        definition=str(definition),
        is_share=summary is Summary.SHARE,
        signup_event=start,
        first=(end - PREVIEW_WEEKS * WEEK).date(),
        last=(end - timedelta(days=1)).date(),
        users=len(past.keys),
        rows=past.rows,
        value=level_of_units(past.values, summary=summary, below=past.below, share=share),
        some=tuple(float(value) for value in rows[order[:PREVIEW_ROWS]]),
        spread=tuple(float(value) for value in np.quantile(rows, (0, 0.5, 1))) if len(rows) else (),
    )


def _end(basis: Basis, definition: Definition) -> datetime:
    """The end of the weeks: units that began before it have all their days. Midnight, so that weeks are whole days."""
    moment, time_zone = basis.data_end - timedelta(days=days_needed(definition)), basis.clock.time_zone
    return moment.astimezone(ZoneInfo(time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)


def _usual_start() -> str:
    with suppress(StoreRefused):  # the run itself reports the store's problem
        return ready_catalogue().guess_signup() or "*"
    return "*"


def _refuse_survival(facts: Facts) -> None:
    if isinstance(facts.read(), Survival):
        raise Refused("Time to churn has no number for each user, so that it can't be checked on its past.")


def _summary(definition: Definition) -> Summary:
    if isinstance(definition, Ratio):
        return Summary.RATIO
    if isinstance(definition, Quantile):
        return Summary.QUANTILE
    return Summary.SHARE if is_share(definition) else Summary.MEAN


def _past(store: WarehouseSession, definition: Definition, signup_event: str, end: datetime, weeks: int) -> Past:
    """One query: uncapped numbers of each unit; caps are applied here, where the share of units is known."""
    whole = _parts(definition)
    parts = {f"v{at}": _uncut(part) for at, part in enumerate(whole)}
    start = end - weeks * WEEK
    question = past_units(store.log, store.basis, parts, signup_event=signup_event, start=start, end=end)
    answer = store.warehouse.arrow(question)
    columns = [answer.column(name).to_numpy().astype(np.float64) for name in parts]
    known = ~np.isnan(np.sum(columns, axis=0)) if len(answer) else np.zeros(0, dtype=bool)
    anchors = answer.column("anchor").to_numpy().astype("datetime64[us]").astype(np.int64)
    begin = np.datetime64(start.astimezone(UTC).replace(tzinfo=None), "us").astype(np.int64)
    week = (anchors - begin) // np.int64(WEEK / timedelta(microseconds=1))
    cut = [_cut(values[known], part) for values, part in zip(columns, whole, strict=True)]
    below = cut[1][0] if len(cut) > 1 else None
    has_row = answer.column("v0_row").to_numpy()[known] > 0 if "v0_row" in answer.column_names else None
    return Past(_keys(answer)[known], week[known], cut[0][0], below, cut[0][1], has_row)


def _parts(definition: Definition) -> list[Any]:
    return [definition.numerator, definition.denominator] if isinstance(definition, Ratio) else [definition]


def _uncut(part: Any) -> Any:
    return part.of if isinstance(part, Capped | Quantile) else part


def _cut(values: Array, part: Any) -> tuple[Array, float | None]:
    """The values cut at the cap, and the cap; a cap given as a share of units is computed from these units."""
    if not isinstance(part, Capped) or not len(values):
        return values, None
    cap = part.cap
    if cap is None:
        at = max(ceil(len(values) * ((part.share or 0.0) - ROUNDING)) - 1, 0)
        cap = float(np.partition(values, at)[at])
    return np.minimum(values, cap), cap


def _keys(answer: "pa.Table") -> Keys:
    """A stable number for each unit."""
    ids = answer.column("user_id").to_pylist()
    if ids and isinstance(ids[0], int):
        return mixed(np.array(ids, dtype=np.int64).astype(np.uint64))
    digests = b"".join(hashlib.blake2b(str(user).encode(), digest_size=8).digest() for user in ids)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def _sample(past: Past) -> Past:
    if len(past.keys) <= MOST_SPLIT:
        return past
    sampled = np.argpartition(mixed(past.keys), MOST_SPLIT)[:MOST_SPLIT]
    below = None if past.below is None else past.below[sampled]
    return Past(past.keys[sampled], past.week[sampled], past.values[sampled], below, past.cap)


def _week(past: Past, at: int, summary: Summary, share: float, first: Any) -> PastWeek:
    inside = past.week == at
    below = None if past.below is None else past.below[inside]
    value = level_of_units(past.values[inside], summary=summary, below=below, share=share)
    return PastWeek(first, int(inside.sum()), value)
