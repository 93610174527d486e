"""Run all warehouse queries of an experiment's analysis, in a fixed order. A heavy import: load it when it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from events.asking import Questions
from events.counting import day_bits
from events.metrics import Capped, Plain, parse_behaviour, parse_metric
from experiments.analyse.gather import over_time_queries, queries
from experiments.analyse.gather.admission import MANY_NEW_IDS, UNKNOWN_BEFORE, AdmissionRule, SetAside, Unverified
from experiments.analyse.gather.admitting import admitted
from experiments.analyse.gather.answers import Answers
from experiments.analyse.gather.gather_cells import cells_of, rows_of
from experiments.plan.question import Question
from experiments.plan.result_day import follow_up_days
from runs.progress import Progress, silent
from runs.refusals import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

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
    questions: Questions,
    asked: Question,
    *,
    primary: Sequence[str],
    rule: AdmissionRule | None = None,
    verified: bool = False,
    progress: Progress = silent,
) -> Answers:
    """Run all queries.

    Args:
        questions: the open warehouse, whose basis counts days as the plan does.
        asked: the experiment's question.
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
    _need_events(questions, asked)
    progress("events", 0.05)
    house, basis = questions.warehouse, questions.basis
    with house.kept(queries.exposures(questions.log, asked, basis)) as exposures:
        found = admitted(questions, exposures, rule, variants=tuple(asked.variants), clustered=asked.clustered)
        counted = found.verified if verified else found.exposures
        with house.kept(queries.met(counted, asked.variants)) as met:
            counts = replace(_met_counts(questions, met, asked, found.aside), apart=found.apart)
            progress("exposures", 0.3)
            return _of_units(questions, asked, primary, counts, met, progress)


def _of_units(
    questions: Questions, asked: Question, primary: Sequence[str], counts: _Met, met: ir.Table, progress: Progress
) -> Answers:
    with _units(questions, met, asked) as units:
        span = _span(questions, units, asked)
        wide = queries.unit_values(
            questions.log, units, asked, questions.basis, first_anchor=span.first_anchor, most_days=span.most_days
        )
        with questions.warehouse.kept(wide) as values:
            progress("outcomes", 0.8)
            return _answers(questions, asked, primary, counts, span, units, values, progress)


def _need_events(questions: Questions, asked: Question) -> None:
    named = {name: text for text in asked.outcomes for name in queries.events_needed(parse_metric(text))}
    if asked.behaviour is not None:
        named |= {parse_behaviour(asked.behaviour).event: asked.behaviour}
    if asked.covariates or asked.clock == SIGNUP:
        named |= {asked.signup_event: asked.signup_event}
    for name, text in named.items():
        if not len(questions.run(queries.known_events(questions.log, name))):
            questions.need_event(name, where=text)  # raises Refused, listing the log's event names


def _met_counts(questions: Questions, met: ir.Table, asked: Question, aside: tuple[SetAside, ...]) -> _Met:
    rows = rows_of(questions, queries.met_counts(met))
    if not rows and aside:
        senders = ", ".join(sorted({row.sender for row in aside if row.sender}))
        if any(row.reason in (UNKNOWN_BEFORE, MANY_NEW_IDS) for row in aside):
            raise Refused(
                "Nobody has met the experiment '{experiment}' yet: {count} exposures sent with client keys were not "
                "admitted. One counts when an event of another kind, or an evaluation, came before it.",
                experiment=asked.experiment,
                count=sum(row.exposures for row in aside),
            )
        raise Refused(
            "Nobody has met the experiment '{experiment}' yet: {count} exposures sent with client keys of {senders} "
            "were not admitted. If it is shown there, name the source in the plan.",
            experiment=asked.experiment,
            count=sum(row.exposures for row in aside),
            senders=senders,
        )
    if not rows:
        raise Refused(
            "Nobody has met the experiment '{experiment}' yet: the log has no exposure to it.",
            experiment=asked.experiment,
        )
    by_arm = Counter[str]()
    for row in rows:
        by_arm[row["variant"]] += int(row["units"])
    no_first_arm = by_arm.pop("", 0)
    unknown = {name: by_arm[name] for name in sorted(by_arm) if name not in asked.variants}
    known = [row for row in rows if row["variant"] in asked.variants]
    later = Counter[tuple[str, str]]()
    for row in known:
        later[row["segment"], row["variant"]] += int(row["units"]) if row["several"] else 0
    # Of the planned arms only: units with another first arm are left out already.
    no_cluster = sum(int(row["no_cluster"]) for row in known) if asked.clustered else 0
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
def _units(questions: Questions, met: ir.Table, asked: Question) -> Iterator[ir.Table]:
    """The units; materialised where further joins follow."""
    units = queries.units(questions.log, met, asked, questions.basis)
    if not queries.covariates_of(asked) and asked.clock != SIGNUP:
        yield units
        return
    with questions.warehouse.kept(units) as kept:
        yield kept


def _span(questions: Questions, units: ir.Table, asked: Question) -> _Span:
    row = rows_of(questions, queries.span(units))[0]
    if not row["units"]:
        raise Refused(
            "Nobody can be analysed in the experiment '{experiment}': all units met a variant first that the plan "
            "doesn't have, or several at one moment, or have no signup.",
            experiment=asked.experiment,
        )
    return _Span(**{**row, "units": int(row["units"]), "most_days": int(row["most_days"])})


def _answers(
    questions: Questions,
    asked: Question,
    primary: Sequence[str],
    counts: _Met,
    span: _Span,
    units: ir.Table,
    values: ir.Table,
    progress: Progress,
) -> Answers:
    basis = questions.basis
    cells = cells_of(questions, asked, values)
    progress("cells", 0.9)
    followed = rows_of(questions, over_time_queries.complete_days(values))
    return Answers(
        data_end=_aware(basis.data_end),
        time_zone=basis.clock.time_zone,
        day_mode=str(basis.clock.mode),
        events=questions.events,
        cells=cells,
        several_variants=counts.several,
        unknown_variants=counts.unknown,
        no_signup=counts.planned - span.units,
        exposures_by_day=_exposures(questions, asked, values),
        durations=_durations(questions, asked, span, units, values),
        curve=_curve(questions, asked, followed, values),
        times=_times(questions, asked, values),
        silent=_silent(asked, followed),
        late=_late(questions, span),
        bins=_bins(questions, asked, primary, values),
        latest_exposure=_aware(span.latest_exposure),
        last_mature_on=_last_mature_on(questions, primary, span),
        not_admitted=counts.aside,
        unverified=_unverified(followed),
        no_cluster=counts.no_cluster,
        identity_conflicts=counts.conflicts,
        first_arms=counts.first_arms,
        no_first_arm=counts.no_first_arm,
        apart=counts.apart,
    )


def _exposures(questions: Questions, asked: Question, values: ir.Table) -> tuple[tuple[date, str, int], ...]:
    rows = rows_of(questions, over_time_queries.exposures_by_day(values))
    rows.sort(key=lambda row: (row["exposed_on"], row["arm"]))
    return tuple((row["exposed_on"], asked.variants[row["arm"]], int(row["units"])) for row in rows)


def _durations(
    questions: Questions, asked: Question, span: _Span, units: ir.Table, values: ir.Table
) -> tuple[tuple[str, str, int, bool, int], ...]:
    found: dict[tuple[int, str, int, bool], int] = {}
    if asked.churn_gap > day_bits.MOST_GAP:
        question = over_time_queries.long_durations(questions.log, units, questions.basis, asked.churn_gap)
        for row in rows_of(questions, question):
            found[row["arm"], row["segment"], int(row["duration"]), bool(row["churned"])] = int(row["units"])
    else:
        question = over_time_queries.durations(values, asked.churn_gap, day_bits.words_for(span.most_days))
        for row in rows_of(questions, question):
            word = row["churn_word"]
            day = int(row["censored_on"]) if word is None else day_bits.day_of(int(word), int(row["churn_bit"]))
            found[row["arm"], row["segment"], day, word is not None] = int(row["units"])
    return tuple((asked.variants[arm], *rest, number) for (arm, *rest), number in sorted(found.items()))  # type: ignore[misc]


def _curve(
    questions: Questions, asked: Question, followed: Sequence[Mapping[str, Any]], values: ir.Table
) -> tuple[tuple[str, int, int, int], ...]:
    found = []
    for row in sorted(rows_of(questions, over_time_queries.curve(values, CURVE_DAYS)), key=lambda row: row["arm"]):
        ages = [(each["complete_days"], int(each["units"])) for each in followed if each["arm"] == row["arm"]]
        for day in range(CURVE_DAYS + 1):
            eligible = sum(number for age, number in ages if age > day)
            found.append((asked.variants[row["arm"]], day, eligible, int(row[f"a_{day}"])))
    return tuple(found)


def _times(questions: Questions, asked: Question, values: ir.Table) -> tuple[tuple[str, int, int], ...]:
    if asked.behaviour is None:
        return ()
    rows = rows_of(questions, queries.times(values, asked.most_times))
    found = sorted((row["arm"], int(row["times"]), int(row["units"])) for row in rows)
    return tuple((asked.variants[arm], number, count) for arm, number, count in found)


def _silent(asked: Question, followed: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, int, int], ...]:
    found = []
    for arm, name in enumerate(asked.variants):
        rows = [row for row in followed if row["arm"] == arm and row["complete_days"] >= 1]
        number = sum(int(row["units"]) for row in rows)
        found.append((name, number, number - sum(int(row["seen"]) for row in rows)))
    return tuple(found)


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


def _late(questions: Questions, span: _Span) -> tuple[int, int]:
    row = rows_of(questions, queries.late(questions.log, questions.basis, span.first_exposure))[0]
    return int(row["known"]), int(row["late"] or 0)


def _bins(
    questions: Questions, asked: Question, primary: Sequence[str], values: ir.Table
) -> dict[str, tuple[tuple[str, int, int, int], ...]]:
    found: dict[str, tuple[tuple[str, int, int, int], ...]] = {}
    for place, text in enumerate(asked.outcomes):
        numeric = isinstance(parse_metric(text), Plain | Capped)
        if asked.behaviour is None or text not in primary or not numeric:
            continue
        rows = rows_of(questions, queries.bins(values, asked, place))
        counted = sorted((row["arm"], int(row["bin"]), int(row["reached"]), int(row["units"])) for row in rows)
        found[text] = tuple((asked.variants[arm], *rest) for arm, *rest in counted)
    return found


def _last_mature_on(questions: Questions, primary: Sequence[str], span: _Span) -> date | None:
    """The local date on which the outcome window of the last unit has ended for every primary outcome."""
    clock = questions.basis.clock
    if not primary:
        return None
    over = clock.start_of(follow_up_days(primary), span.latest_anchor)
    return over.astimezone(ZoneInfo(clock.time_zone)).date()


def _aware(moment: datetime) -> datetime:
    """A timezone-aware moment; moments inside the warehouse are naive UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
