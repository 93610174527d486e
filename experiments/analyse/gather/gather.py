"""Run all warehouse queries of an experiment's analysis, in a fixed order. A heavy import: load it when it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from events.metrics import Capped, Plain, Quantile, parse_metric
from events.warehouse import activity_bits
from events.warehouse.columns import bounded
from events.warehouse.increments import added_up, appended, keeps, tallied
from events.warehouse.session import WarehouseSession
from events.warehouse.unit_values import BITS, MOST_LEVELS, level_counts
from events.windows import in_utc
from experiments.analyse.gather import queries
from experiments.analyse.gather.admission import MANY_NEW_IDS, UNKNOWN_BEFORE, AdmissionRule, SetAside, Unverified
from experiments.analyse.gather.admitting import admitted, exposures_of
from experiments.analyse.gather.answers import Answers, Block, Cells
from experiments.draw.many_units import saturation_of
from experiments.plan.derived import Question, follow_up_days
from runs.progress import Progress, silent
from runs.refusals import Refused
from stats.quantiles import QuantilePoint, bandwidth, linearised_quantile, quantile_point

if TYPE_CHECKING:
    import ibis.expr.types as ir


# Build the cells of an analysis from aggregated queries: counts, means and covariances, by arm and segment.


def rows_of(questions: WarehouseSession, question: ir.Table) -> list[dict[str, Any]]:
    """A small query result as a list of dicts."""
    rows: list[dict[str, Any]] = questions.warehouse.arrow(question).to_pylist()
    return rows


def cells_of(questions: WarehouseSession, asked: Question, values: ir.Table) -> Cells:
    """All moments of the outcomes, by arm, segment, week and covariates."""
    names = queries.covariates_of(asked)
    frequent = [_levels(questions, values, place, asked) for place, _ in enumerate(names)]
    points = _quantiles(questions, asked, values)
    thresholds = {place: [point.value for point in by_arm] for place, by_arm in points.items()}
    rows = rows_of(questions, queries.cells(queries.below_quantiles(values, thresholds), asked, frequent))
    keys = queries.cell_keys(asked, len(names))
    rows.sort(key=lambda row: tuple(row[key] for key in keys))
    segments, weeks = (sorted({row[key] for row in rows}) for key in ("segment", "week"))
    levels = [sorted({row[f"l_{place}"] for row in rows}) for place, _ in enumerate(names)]
    covariate = np.zeros((len(rows), len(names)), dtype=np.int64)
    for place, labels in enumerate(levels):
        covariate[:, place] = [labels.index(row[f"l_{place}"]) for row in rows]
    return Cells(
        variants=asked.variants,
        segments=tuple(segments),
        weeks=tuple(weeks),
        covariates=names,
        levels=tuple(map(tuple, levels)),
        variant=_ints([row["arm"] for row in rows]),
        segment=_ints([segments.index(row["segment"]) for row in rows]),
        week=_ints([weeks.index(row["week"]) for row in rows]),
        covariate=covariate,
        exposed=_ints([row["exposed"] for row in rows]),
        blocks={text: _block(asked, place, rows, points.get(place)) for place, text in enumerate(asked.outcomes)},
        others=tuple(behaviour for behaviour, _times in asked.others),
        **(_clusters(asked, [row["cluster"] for row in rows]) if asked.clustered else {}),
    )


def _clusters(question: Question, ids: Sequence[str]) -> dict[str, Any]:
    """Cluster codes of the cells, with the saturation that each cluster draws, computed again rather than read."""
    labels = sorted(set(ids))
    places = {label: place for place, label in enumerate(labels)}
    codes: dict[str, Any] = {"clusters": len(labels), "cluster": _ints([places[cluster] for cluster in ids])}
    if question.saturations:
        drawn = {label: saturation_of(question.seed, question.saturations, label) for label in labels}
        codes["saturation"] = _ints([drawn[cluster] for cluster in ids])
    return codes


def _levels(questions: WarehouseSession, values: ir.Table, place: int, question: Question) -> list[str]:
    """Levels of one covariate: the most frequent ones of a property, all numbers of active days."""
    most = MOST_LEVELS if place < len(question.covariates) else question.active_days_before + 1
    rows = rows_of(questions, level_counts(values, f"c_{place}", most))
    return [str(row["level"]) for row in rows]


def _quantiles(questions: WarehouseSession, question: Question, values: ir.Table) -> dict[int, list[QuantilePoint]]:
    """Per quantile outcome the quantile of every arm, from counts, so that no unit leaves the warehouse.

    Where one arm has no density, no arm gets a spread: the difference's error would be too small.
    """
    quantiles = {}
    for place, metric in enumerate(map(parse_metric, question.outcomes)):
        if not isinstance(metric, Quantile):
            continue
        sizes = {row["arm"]: int(row["units"]) for row in rows_of(questions, queries.arm_sizes(values, place))}
        widths = {arm: bandwidth(units, metric.share) for arm, units in sizes.items()}
        rows = {
            row["arm"]: row for row in rows_of(questions, queries.arm_quantiles(values, place, metric.share, widths))
        }
        points = [
            quantile_point(sizes[arm], metric.share, row["at"], row["low"], row["high"], on=int(row["at_units"]))
            if (row := rows.get(arm)) is not None
            else QuantilePoint(metric.share, 0.0, 0.0)
            for arm in range(len(question.variants))
        ]
        flat = any(points[arm].spread == 0 for arm in rows)
        quantiles[place] = [replace(point, spread=0.0) for point in points] if flat else points
    return quantiles


def _block(
    question: Question, place: int, rows: Sequence[Mapping[str, Any]], quantiles: Sequence[QuantilePoint] | None
) -> Block:
    names = tuple(queries.block_columns(question, place))
    size = len(names)
    means, covariance = np.zeros((len(rows), size)), np.zeros((len(rows), size, size))
    for cell, row in enumerate(rows):
        for a in range(size):
            means[cell, a] = row[f"m_{place}_{a}"] if row[f"n_{place}"] else 0.0
            for b in range(a + 1):
                moment = row[f"s_{place}_{a}_{b}"] if row[f"n_{place}"] > 1 else 0.0
                covariance[cell, a, b] = covariance[cell, b, a] = moment
    for cell, row in enumerate(rows if quantiles is not None else ()):
        point = quantiles[row["arm"]]  # type: ignore[index]
        if row[f"n_{place}"]:
            means[cell, 0], covariance[cell, 0, 0] = linearised_quantile(means[cell, 0], covariance[cell, 0, 0], point)
    units = _ints([row[f"n_{place}"] for row in rows])
    if f"v_{place}" not in queries.with_rows(question):
        return Block(names, units, means, covariance)
    return Block(names, units, means, covariance, _ints([int(row[f"rows_{place}"] or 0) for row in rows]))


def _ints(numbers: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.asarray(numbers, dtype=np.int64)


CALENDAR, SIGNUP = "calendar", "signup"
CURVE_DAYS = 28  # the Dn curve covers days 0 to this one


@dataclass(frozen=True)
class _Met:
    """Counts of the exposed units before any are left out."""

    several: int
    conflicts: int
    first_arms: tuple[tuple[str, str, int], ...]
    no_first_arm: int
    unknown: Mapping[str, int]
    planned: int
    aside: tuple[SetAside, ...]
    no_cluster: int
    apart: bool | None = None
    verified: bool = False


@dataclass(frozen=True)
class _Span:
    """Number of the remaining units, and their first and last moments."""

    units: int
    first_exposure: datetime
    latest_exposure: datetime
    first_anchor: datetime
    latest_anchor: datetime
    most_days: int


def gather(
    questions: WarehouseSession,
    question: Question,
    *,
    primary: Sequence[str],
    rule: AdmissionRule | None = None,
    verified: bool = False,
    progress: Progress = silent,
) -> Answers:
    """Run all queries.

    Args:
        questions: the open warehouse, whose basis counts days as the plan does.
        question: the experiment's question.
        primary: texts of the primary outcomes: numeric ones get bins, and all of them decide when the last unit is
            mature; `survival:G` needs its gap.
        rule: which exposures count; None accepts every sender, for a log that didn't come through our API.
        verified: leave out the exposures of units that only a client key has reported.
        progress: called with the share that is done.

    Returns:
        Aggregates; unit rows stay in the warehouse.

    Raises:
        Refused: when there are no exposures, when no unit is left to analyse, or when the log doesn't have the event of
            an outcome, of the behaviour, or of the signup where it is needed.
    """
    need_events(questions, queries.events_named(question))
    progress("events", 0.05)
    house = questions.warehouse
    with exposures_of(questions, question) as exposures:
        admission = admitted(
            questions, exposures, rule, variants=tuple(question.variants), clustered=question.clustered
        )
        counted = admission.verified if verified else admission.exposures
        with house.kept(queries.met(counted, question.variants)) as met:
            counts = replace(
                _met_counts(questions, met, question, admission.aside), apart=admission.apart, verified=verified
            )
            progress("exposures", 0.3)
            return _of_units(questions, question, primary, counts, met, progress)


def _of_units(
    questions: WarehouseSession,
    question: Question,
    primary: Sequence[str],
    counts: _Met,
    met: ir.Table,
    progress: Progress,
) -> Answers:
    with _units(questions, met, question, verified=counts.verified) as units:
        span = _span(questions, units, question)
        with _counted(questions, question, units, span, verified=counts.verified) as counted:
            wide = queries.unit_values(
                questions.log,
                units,
                question,
                questions.basis,
                first_anchor=span.first_anchor,
                most_days=span.most_days,
                counted=counted,
            )
            with questions.warehouse.kept(wide) as values:
                progress("outcomes", 0.8)
                return _answers(questions, question, primary, counts, span, units, values, progress)


@contextmanager
def _counted(
    questions: WarehouseSession, question: Question, units: ir.Table, span: _Span, *, verified: bool
) -> Iterator[ir.Table | None]:
    """`queries.unit_numbers`, from what an earlier analysis counted where they add up; None where they don't."""
    how = queries.adding_up(question, span.most_days)
    if how is None:
        yield None
        return
    basis = questions.basis

    def ask(events: ir.Table, some: ir.Table) -> ir.Table:
        return queries.unit_numbers(
            bounded(events, span.first_anchor, None), some, question, basis, most_days=span.most_days
        )

    about = "units", question, basis.clock, basis.activity, verified
    with added_up(questions.warehouse, about, units, basis, ask, how) as counted:
        yield counted


def need_events(questions: WarehouseSession, named: Mapping[str, str]) -> None:
    """Refuse events that the log doesn't have.

    Args:
        questions: the open warehouse.
        named: by event, the definition that names it.

    Raises:
        Refused: listing the log's event names.
    """
    # First in the newest dates, which are read anyway: a search from the start of the log opens its oldest ones.
    logs = bounded(questions.log, questions.basis.data_end - queries.NEWEST, None), questions.log
    for name, text in named.items():
        if not any(len(questions.run(queries.known_events(log, name))) for log in logs):
            questions.need_event(name, where=text)


def _met_counts(questions: WarehouseSession, met: ir.Table, question: Question, aside: tuple[SetAside, ...]) -> _Met:
    rows = rows_of(questions, queries.met_counts(met))
    if not rows and aside:
        senders = ", ".join(sorted({row.sender for row in aside if row.sender}))
        if any(row.reason in (UNKNOWN_BEFORE, MANY_NEW_IDS) for row in aside):
            raise Refused(
                "Nobody has met the experiment '{experiment}' yet: {count} exposures sent with client keys were not "
                "admitted. One counts when an event of another kind, or an evaluation, came before it.",
                experiment=question.experiment,
                count=sum(row.exposures for row in aside),
            )
        raise Refused(
            "Nobody has met the experiment '{experiment}' yet: {count} exposures sent with client keys of {senders} "
            "were not admitted. If it is shown there, name the source in the plan.",
            experiment=question.experiment,
            count=sum(row.exposures for row in aside),
            senders=senders,
        )
    if not rows:
        raise Refused(
            "Nobody has met the experiment '{experiment}' yet: the log has no exposure to it.",
            experiment=question.experiment,
        )
    by_arm = Counter[str]()
    for row in rows:
        by_arm[row["variant"]] += int(row["units"])
    no_first_arm = by_arm.pop("", 0)
    unknown = {name: by_arm[name] for name in sorted(by_arm) if name not in question.variants}
    known = [row for row in rows if row["variant"] in question.variants]
    later = Counter[tuple[str, str]]()
    for row in known:
        later[row["segment"], row["variant"]] += int(row["units"]) if row["several"] else 0
    # Of the planned arms only: units with another first arm are left out already.
    no_cluster = sum(int(row["no_cluster"]) for row in known) if question.clustered else 0
    return _Met(
        several=sum(int(row["units"]) for row in known if row["several"] and not row["conflict"]),
        conflicts=sum(int(row["units"]) for row in known if row["several"] and row["conflict"]),
        first_arms=tuple((*key, units) for key, units in sorted(later.items()) if units),
        no_first_arm=no_first_arm,
        unknown=unknown,
        planned=sum(by_arm.values()) - sum(unknown.values()) - no_cluster,
        aside=aside,
        no_cluster=no_cluster,
    )


@contextmanager
def _units(questions: WarehouseSession, met: ir.Table, asked: Question, *, verified: bool) -> Iterator[ir.Table]:
    """The units; materialised where further joins follow."""
    house, basis = questions.warehouse, questions.basis
    if not queries.covariates_of(asked) and asked.clock != SIGNUP:
        yield queries.units(questions.log, met, asked, basis)
        return
    with ExitStack() as until_the_end:
        with ExitStack() as joined:
            known = {}
            # Of a warehouse of yours this would copy every signup: there the join takes those of the units alone.
            if keeps(house) and (asked.covariates or asked.clock == SIGNUP):
                ask = partial(queries.signups_of, asked=asked, basis=basis)
                known["signed"] = joined.enter_context(appended(house, queries.about_signups(asked), ask))
            if asked.active_days_before:
                known["before"] = joined.enter_context(_before(questions, met, asked, verified=verified))
            units = queries.units(questions.log, met, asked, basis, **known)
            table = until_the_end.enter_context(house.kept(units))
        yield table


def _before(
    questions: WarehouseSession, met: ir.Table, asked: Question, *, verified: bool
) -> AbstractContextManager[ir.Table]:
    """`queries.before_exposure`, from what an earlier analysis counted."""
    basis, days, back = questions.basis, asked.active_days_before, queries.longest_before(asked)
    (first,) = rows_of(questions, met.aggregate(first=met.exposed_at.min()))
    since = None if first["first"] is None else in_utc(first["first"]) - back

    def ask(events: ir.Table, some: ir.Table) -> ir.Table:
        return queries.before_exposure(bounded(events, since, None), some, asked, basis)

    about = queries.about_before(asked, basis, verified=verified)
    how = dict.fromkeys(map(activity_bits.name_of, range(activity_bits.words_for(days - 1))), BITS)
    units = met.select("user_id", "exposed_at", anchor=met.exposed_at)
    return added_up(questions.warehouse, about, units, basis, ask, how, back=back)


def _span(questions: WarehouseSession, units: ir.Table, question: Question) -> _Span:
    row = rows_of(questions, queries.span(units))[0]
    if not row["units"]:
        raise Refused(
            "Nobody can be analysed in the experiment '{experiment}': all users met a group that the plan doesn't "
            "have first, or several at one moment, or have no signup.",
            experiment=question.experiment,
        )
    return _Span(**{**row, "units": int(row["units"]), "most_days": int(row["most_days"])})


def _answers(
    questions: WarehouseSession,
    question: Question,
    primary: Sequence[str],
    counts: _Met,
    span: _Span,
    units: ir.Table,
    values: ir.Table,
    progress: Progress,
) -> Answers:
    basis = questions.basis
    cells = cells_of(questions, question, values)
    progress("cells", 0.9)
    followed = rows_of(questions, queries.complete_days(values))
    return Answers(
        data_end=basis.data_end,
        time_zone=basis.clock.time_zone,
        day_mode=str(basis.clock.mode),
        events=questions.events,
        cells=cells,
        several_variants=counts.several,
        unknown_variants=counts.unknown,
        no_signup=counts.planned - span.units,
        exposures_by_day=_exposures(questions, question, values),
        durations=_durations(questions, question, span, units, values),
        curve=_curve(questions, question, followed, values),
        times=_times(questions, question, values),
        silent=_silent(question, followed),
        late=_late(questions, span),
        bins=_bins(questions, question, primary, values),
        latest_exposure=in_utc(span.latest_exposure),
        last_mature_on=_last_mature_on(questions, primary, span),
        not_admitted=counts.aside,
        unverified=_unverified(followed),
        no_cluster=counts.no_cluster,
        identity_conflicts=counts.conflicts,
        first_arms=counts.first_arms,
        no_first_arm=counts.no_first_arm,
        apart=counts.apart,
    )


def _exposures(questions: WarehouseSession, question: Question, values: ir.Table) -> tuple[tuple[date, str, int], ...]:
    rows = rows_of(questions, queries.exposures_by_day(values))
    rows.sort(key=lambda row: (row["exposed_on"], row["arm"]))
    return tuple((row["exposed_on"], question.variants[row["arm"]], int(row["units"])) for row in rows)


def _durations(
    questions: WarehouseSession, question: Question, span: _Span, units: ir.Table, values: ir.Table
) -> tuple[tuple[str, str, int, bool, int], ...]:
    counts: dict[tuple[int, str, int, bool], int] = {}
    if question.churn_gap > activity_bits.MOST_GAP:
        query = queries.long_durations(questions.log, units, questions.basis, question.churn_gap)
        for row in rows_of(questions, query):
            counts[row["arm"], row["segment"], int(row["duration"]), bool(row["churned"])] = int(row["units"])
    else:
        query = queries.durations(values, question.churn_gap, activity_bits.words_for(span.most_days))
        for row in rows_of(questions, query):
            word = row["churn_word"]
            day = int(row["censored_on"]) if word is None else activity_bits.day_of(int(word), int(row["churn_bit"]))
            counts[row["arm"], row["segment"], day, word is not None] = int(row["units"])
    return tuple((question.variants[arm], *rest, number) for (arm, *rest), number in sorted(counts.items()))  # type: ignore[misc]


def _curve(
    questions: WarehouseSession, question: Question, followed: Sequence[Mapping[str, Any]], values: ir.Table
) -> tuple[tuple[str, int, int, int], ...]:
    curve = []
    for row in sorted(rows_of(questions, queries.curve(values, CURVE_DAYS)), key=lambda row: row["arm"]):
        ages = [(each["complete_days"], int(each["units"])) for each in followed if each["arm"] == row["arm"]]
        for day in range(CURVE_DAYS + 1):
            eligible = sum(number for age, number in ages if age > day)
            curve.append((question.variants[row["arm"]], day, eligible, int(row[f"a_{day}"])))
    return tuple(curve)


def _times(questions: WarehouseSession, question: Question, values: ir.Table) -> tuple[tuple[str, int, int], ...]:
    if question.behaviour is None:
        return ()
    rows = rows_of(questions, queries.times(values, question.most_times))
    counts = sorted((row["arm"], int(row["times"]), int(row["units"])) for row in rows)
    return tuple((question.variants[arm], number, count) for arm, number, count in counts)


def _silent(question: Question, followed: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, int, int], ...]:
    counts = []
    for arm, name in enumerate(question.variants):
        rows = [row for row in followed if row["arm"] == arm and row["complete_days"] >= 1]
        number = sum(int(row["units"]) for row in rows)
        counts.append((name, number, number - sum(int(row["seen"]) for row in rows)))
    return tuple(counts)


def _unverified(followed: Sequence[Mapping[str, Any]]) -> Unverified:
    def total(verified: int, name: str, days: int) -> int:
        return sum(int(row[name]) for row in followed if row["verified"] == verified and row["complete_days"] >= days)

    few, others = total(0, "units", 1), total(1, "units", 1)
    return Unverified(
        units=total(0, "units", 0),
        others=total(1, "units", 0),
        followed=few,
        silent=few - total(0, "seen", 1),
        others_followed=others,
        others_silent=others - total(1, "seen", 1),
    )


def _late(questions: WarehouseSession, span: _Span) -> tuple[int, int]:
    basis, columns = questions.basis, ("known", "late")
    ask = partial(queries.late, basis=basis, first_exposure=span.first_exposure)
    about = queries.about_late(span.first_exposure, basis.clock)
    with tallied(questions.warehouse, about, basis, ask, columns) as total:
        row = rows_of(questions, total)[0]
    return int(row["known"]), int(row["late"])


def _bins(
    questions: WarehouseSession, question: Question, primary: Sequence[str], values: ir.Table
) -> dict[str, tuple[tuple[str, int, int, int], ...]]:
    bins: dict[str, tuple[tuple[str, int, int, int], ...]] = {}
    for place, text in enumerate(question.outcomes):
        numeric = isinstance(parse_metric(text), Plain | Capped)
        if question.behaviour is None or text not in primary or not numeric:
            continue
        rows = rows_of(questions, queries.bins(values, question, place))
        counted = sorted((row["arm"], int(row["bin"]), int(row["reached"]), int(row["units"])) for row in rows)
        bins[text] = tuple((question.variants[arm], *rest) for arm, *rest in counted)
    return bins


def _last_mature_on(questions: WarehouseSession, primary: Sequence[str], span: _Span) -> date | None:
    """The local date on which the outcome window of the last unit has ended for every primary outcome."""
    clock = questions.basis.clock
    if not primary:
        return None
    over = clock.start_of(follow_up_days(primary), span.latest_anchor)
    return over.astimezone(ZoneInfo(clock.time_zone)).date()
