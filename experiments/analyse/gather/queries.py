"""Ibis queries of an experiment: who was exposed to which variant, and what they then did. Nothing is run here.

`exposures` reads the exposures, `met` aggregates those that count to units, `unit_values` joins these with the log once
and gives one row per unit. The warehouse materialises these rows for the other queries: no event leaves the warehouse,
and of units only what client keys report (`claims`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from events.metrics import (
    ActiveDays,
    Asked,
    Count,
    MinDays,
    Quantile,
    Ratio,
    events_needed,
    outcome_window,
    parse_behaviour,
    parse_metric,
)
from events.schema import BY_CLIENT, EXPOSURE_EVENTS
from events.warehouse import queries
from events.warehouse.activity_bits import (
    active_on,
    churn,
    day_bits,
    days_before,
    name_of,
    number_active,
    with_days_before,
    words_for,
)
from events.warehouse.columns import OWN, bounded, property_text, utc, wall_clock
from events.warehouse.unit_values import (
    BITS,
    MOST,
    SUM,
    Basis,
    aggregate,
    is_apart,
    is_select,
    pooled,
    quantile_points,
    signups,
    with_signup,
)
from events.windows import Clock, Window
from experiments.analyse.gather.admission import MANY_NEW_IDS, UNKNOWN_BEFORE
from experiments.analyse.gather.answers import DENOMINATOR, REACHED, TIMES, VALUE, other_name
from experiments.plan.derived import Question
from experiments.plan.record import DAYS_BEFORE

if TYPE_CHECKING:
    import ibis.expr.types as ir


# Ibis queries about the days after exposure: activity, churn and time to churn. Nothing is run here.


def exposures_by_day(values: ir.Table) -> ir.Table:
    """First exposures: ``exposed_on, arm, units``."""
    return values.group_by("exposed_on", "arm").aggregate(units=values.count())


def durations(values: ir.Table, gap: int, words: int) -> ir.Table:
    """Time to churn: ``arm, segment, churn_word, churn_bit, censored_on, units`` (`activity_bits.churn`).

    A unit without churn is censored on its last day on which churn could be seen
    (`events.warehouse.queries.survival_times`).
    """
    table = churn(values, gap, words)
    table = table.mutate(censored_on=table.churn_word.isnull().ifelse(table.complete_days - gap - 1, 0).cast("int64"))
    return table.group_by("arm", "segment", "churn_word", "churn_bit", "censored_on").aggregate(units=table.count())


def long_durations(events: ir.Table, units: ir.Table, basis: Basis, gap: int) -> ir.Table:
    """The same for a gap that doesn't fit into the bit words: ``arm, segment, duration, churned, units``."""
    table = queries.survival_times(events, units, basis, gap)
    return table.group_by("arm", "segment", "duration", "churned").aggregate(units=table.count())


def complete_days(values: ir.Table) -> ir.Table:
    """Follow-up: ``arm, complete_days, verified, units`` and ``seen``, units with any event but exposures."""
    return values.group_by("arm", "complete_days", "verified").aggregate(
        units=values.count(), seen=(values.seen > 0).ifelse(1, 0).sum()
    )


def curve(values: ir.Table, days: int) -> ir.Table:
    """Active units: ``arm, a_0, …, a_days``, counting on each day the units observed for all of that day."""
    active = {
        f"a_{day}": (active_on(values, day) & (values.complete_days > day)).ifelse(1, 0).sum()
        for day in range(days + 1)
    }
    return values.group_by("arm").aggregate(**active)


# Ibis queries for quantile outcomes: each arm's quantile, and which units lie at or below. Nothing is run here.


def arm_sizes(values: ir.Table, place: int) -> ir.Table:
    """Units that are mature for an outcome: ``arm, units``."""
    table = values.filter(values[f"v_{place}"].notnull())
    return table.group_by("arm").aggregate(units=table.count())


def arm_quantiles(values: ir.Table, place: int, share: float, widths: Mapping[int, float]) -> ir.Table:
    """An outcome's quantile in each arm, those one bandwidth away, and the units on each.

    Columns: ``arm, units, at, low, high, at_units, low_units, high_units``.
    """
    import ibis

    def moved(sign: int) -> Callable[[ir.Table], ir.Value]:
        cases = [(arm, share + sign * width) for arm, width in widths.items()]
        if not cases:  # no unit is mature yet
            return lambda _table: ibis.literal(share)
        return lambda table: ibis.cases(*((table.arm == arm, level) for arm, level in cases), else_=share)

    shares: dict[str, Callable[[ir.Table], ir.Value] | float] = {"at": share, "low": moved(-1), "high": moved(1)}
    return quantile_points(values, f"v_{place}", shares, by="arm")


def below_quantiles(values: ir.Table, quantiles: Mapping[int, Sequence[float]]) -> ir.Table:
    """The units with each quantile outcome, by its index, replaced: 1.0 at or below the arm's quantile, else 0.0."""
    import ibis

    for place, by_arm in quantiles.items():
        value = values[f"v_{place}"]
        limit = ibis.cases(*((values.arm == arm, quantile) for arm, quantile in enumerate(by_arm)), else_=0.0)
        inside = value.isnull().ifelse(ibis.null("float64"), (value <= limit).ifelse(1.0, 0.0))
        values = values.mutate(**{f"v_{place}": inside})
    return values


NEWEST = timedelta(days=1)  # before the end of the data, in which most events are found
LATE = timedelta(hours=48)
# Events with a longer delay were imported from a file of history and don't show how late senders are.
HISTORY = timedelta(days=14)
UNKNOWN = -1
BINS = 5
SO_FAR = "_so_far"


def exposures(events: ir.Table, question: Question, basis: Basis) -> ir.Table:
    """One row per exposure: ``user_id, time, variant, segment, cluster, source, by_client, received, verified``.

    Where ids are joined, also `own_user`.

    An exposure may carry the arm's index instead of its key. `segment` is "" where it names none, `cluster` also where
    units are drawn; `source` is the number of the source whose client key sent it, "" for our evaluation API, server
    keys and files. `by_client` is 1 for exposures that a client key sent or caused by an evaluation; `verified` is 1
    where `source` is "".
    """
    import ibis

    log = queries.exposure_log(events, question.experiment, basis)
    places = {str(place): key for place, key in enumerate(question.variants) if str(place) not in question.variants}
    keys = [(log.variant == place, key) for place, key in places.items()]
    variant = ibis.cases(*keys, else_=log.variant) if keys else log.variant
    segment = property_text(log.properties, "segment", basis.dialect).fill_null("")
    cluster: ir.Value = ibis.literal("")
    if question.clustered:
        cluster = property_text(log.properties, "cluster", basis.dialect).fill_null("")
    own = [OWN] if OWN in log.columns else []
    return log.select(
        "user_id",
        "time",
        "source",
        "by_client",
        *own,
        variant=variant,
        segment=segment,
        cluster=cluster,
        received=_received(log),
        verified=(log.source == "").ifelse(1, 0),
    )


def _received(log: ir.Table) -> ir.Value:
    """When each event of a log was received; when it happened, where the receipt isn't known."""
    import ibis

    return ibis.coalesce(log.received_at, log.time) if "received_at" in log.columns else log.time


def before(exposures: ir.Table, moment: datetime) -> ir.Table:
    """The exposures before a moment."""
    return exposures.filter(exposures.time < utc(moment))


def heard(exposures: ir.Table) -> ir.Table:
    """Exposures from client keys, with source "" for their evaluations: ``source, exposures, units``."""
    log = exposures.filter(exposures.by_client == 1)
    return log.group_by("source").aggregate(exposures=log.count(), units=log.user_id.nunique())


def claims(exposures: ir.Table, sources: Sequence[int]) -> ir.Table:
    """Exposures reported by client keys of these sources: ``user_id, variant, cluster, source, exposures``."""
    log = exposures.filter(exposures.source.isin([str(source) for source in sources]))
    return log.group_by("user_id", "variant", "cluster", "source").aggregate(exposures=log.count())


def admitted(exposures: ir.Table, sources: Sequence[int], wrong: Any) -> ir.Table:
    """The exposures that count: client keys only of these sources, and without the wrong arms.

    Args:
        exposures: the materialised result of `exposures`.
        sources: whose client keys are accepted.
        wrong: ``user_id, variant, cluster`` as an Arrow table, or None. This table is sent to the warehouse because it
            is empty unless exposures are forged.
    """
    import ibis

    known = exposures.filter((exposures.source == "") | exposures.source.isin([str(source) for source in sources]))
    if wrong is None:
        return known
    others, clients = known.filter(known.source == ""), known.filter(known.source != "")
    return ibis.union(others, clients.anti_join(ibis.memtable(wrong), ["user_id", "variant", "cluster"]))


def past(events: ir.Table, exposures: ir.Table) -> ir.Table:
    """First events of the units that client keys reported, up to their last such exposure; one row per unit.

    Columns: ``user_id, sign_at, sign_time, server_at, born_at, born_by``, as in `newcomers.Past`, but null where there
    is no event; `born_by` is a message id.
    """
    import ibis

    clients = exposures.filter(exposures.by_client == 1)
    units = clients.group_by("user_id").aggregate(last=clients.received.max())
    log = events.mutate(received=_received(events)).join(units, "user_id")
    log = log.filter(log.received <= log["last"])
    other = ~log.event.isin(EXPOSURE_EVENTS)
    server = other & ~log.message_id.re_search(BY_CLIENT).fill_null(False)
    # One request has one receipt time: its events of a unit become one row, so that the minimum is unique.
    calls = log.group_by("user_id", "received").aggregate(
        message=log.message_id.min(),
        happened=other.ifelse(log.time, ibis.null("timestamp")).min(),
        server=server.ifelse(1, 0).max(),
    )
    born = calls.group_by("user_id").aggregate(
        born_at=calls.received.min(),
        born_by=calls.message.argmin(calls.received),
        server_at=(calls.server == 1).ifelse(calls.received, ibis.null("timestamp")).min(),
    )
    signs = calls.filter(calls.happened.notnull())
    signs = signs.group_by("user_id").aggregate(
        sign_at=signs.received.min(), sign_time=signs.happened.argmin(signs.received)
    )
    return born.left_join(signs, "user_id").select("user_id", "sign_at", "sign_time", "server_at", "born_at", "born_by")


def judged(exposures: ir.Table, units: Any) -> ir.Table:
    """The exposures with `verified` updated, and `refused`: why one doesn't count; "" where it does.

    Args:
        exposures: those that may count.
        units: an Arrow table with ``user_id`` and the columns of `newcomers.Judged`, a row per unit reported by a
            client key.
    """
    import ibis

    table = ibis.memtable(units).rename(judged_id="user_id")
    table = exposures.left_join(table, exposures.user_id == table.judged_id)
    named = (table.by_client == 0) | (table.received > table.named_from)
    known = (table.received > table.sign_at) | ((table.received == table.sign_at) & (table.time > table.sign_time))
    refused = ibis.cases((named, ""), (~known, UNKNOWN_BEFORE), (table.received >= table.until, MANY_NEW_IDS), else_="")
    return table.mutate(verified=named.ifelse(1, 0), refused=refused).select(*exposures.columns, "refused")


def refused(judged: ir.Table) -> ir.Table:
    """The exposures refused by `judged`: ``source, refused, exposures, units``."""
    log = judged.filter(judged.refused != "")
    return log.group_by("source", "refused").aggregate(exposures=log.count(), units=log.user_id.nunique())


def known_units(exposures: ir.Table) -> ir.Table:
    """One row per variant: ``variant, named, others``: units that servers named, and all others."""
    units = exposures.group_by("variant", "user_id").aggregate(verified=exposures.verified.max())
    return units.group_by("variant").aggregate(named=units.verified.sum(), others=(1 - units.verified).sum())


def met(exposures: ir.Table, arms: Sequence[str]) -> ir.Table:
    """One row per unit: ``user_id, exposed_at, segment, cluster, variant, several, verified, conflict``.

    A unit counts in its first arm, whatever came later (intention to treat): leaving out units with two arms would
    condition on what the nudge may change. `exposed_at`, `segment` and `cluster` are those of the first exposure,
    `variant` its arm: "" where the unit was exposed to two arms of the plan, or to one and an unknown one, at that very
    moment, so that none is the first. Among arms that the plan doesn't have it is the first by name. `several` is true
    for units with more than one arm, all unknown ones counting as one; `conflict` where two ids of one person began
    with different arms before they were joined. `verified` is 1 when one of its exposures is, else 0.

    Args:
        exposures: that count.
        arms: of the plan.
    """
    import ibis

    log, joined = exposures, OWN in exposures.columns
    strange = ~log.variant.isin(list(arms))
    first = {f"f_{place}": log.time.min(where=log.variant == key) for place, key in enumerate(arms)}
    first["f_strange"] = log.time.min(where=strange)
    by_id = log.group_by("user_id", *([OWN] if joined else [])).aggregate(
        exposed_at=log.time.min(),
        segment=log.segment.argmin(log.time),
        cluster=log.cluster.argmin(log.time),
        verified=log.verified.max(),
        strange=log.variant.min(where=strange),
        **first,
    )
    if not joined:
        return _by_first_arm(by_id, arms).mutate(conflict=ibis.literal(False))
    by_id = by_id.mutate(own_variant=_first_arm(by_id, arms))
    persons = by_id.group_by("user_id").aggregate(
        exposed_at=by_id.exposed_at.min(),
        segment=by_id.segment.argmin(by_id.exposed_at),
        cluster=by_id.cluster.argmin(by_id.exposed_at),
        verified=by_id.verified.max(),
        strange=by_id.strange.min(),
        **{name: by_id[name].min() for name in first},
        conflict=by_id.own_variant.min() != by_id.own_variant.max(),
    )
    return _by_first_arm(persons, arms)


def _by_first_arm(table: ir.Table, arms: Sequence[str]) -> ir.Table:
    """Replace the first exposure times per arm by `variant`, the first arm, and `several`."""
    moments = [name for name in table.columns if name.startswith("f_")]
    several = sum(table[name].notnull().ifelse(1, 0) for name in moments) > 1
    return table.mutate(variant=_first_arm(table, arms), several=several).drop("strange", *moments)


def _first_arm(table: ir.Table, arms: Sequence[str]) -> ir.StringValue:
    import ibis

    at = {name: (table[name] == table.exposed_at).fill_null(False) for name in table.columns if name.startswith("f_")}
    tied = sum(here.ifelse(1, 0) for here in at.values()) > 1
    keys = [(at[f"f_{place}"], ibis.literal(key)) for place, key in enumerate(arms)]
    return ibis.cases((tied, ""), *keys, else_=table.strange)


def met_counts(met: ir.Table) -> ir.Table:
    """Counts of `met` by first arm: ``variant, segment, several, conflict, units, no_cluster``."""
    without = (met.cluster == "").ifelse(1, 0).sum()
    keys = ("variant", "segment", "several", "conflict")
    return met.group_by(*keys).aggregate(units=met.count(), no_cluster=without)


def units(
    events: ir.Table,
    met: ir.Table,
    asked: Question,
    basis: Basis,
    *,
    signed: ir.Table | None = None,
    before: ir.Table | None = None,
) -> ir.Table:
    """The units whose first arm is planned, with their clocks, one row each.

    Columns: ``user_id, arm, segment, cluster, exposed_at, exposed_on, week, verified, anchor, anchor_date,
    complete_days`` and a text ``c_0, c_1, …`` per covariate; `arm` is the index in the plan. With the clock "signup" a
    unit without a signup at or before its exposure is missing, and where clusters are drawn one without a cluster is.

    Args:
        events: the event log.
        met: the materialised result of `met`.
        asked: the experiment's question.
        basis: clock, data's end, activity, engine.
        signed, before: the results of `signups_of` and `before_exposure`, where they are known; else the log is read.
    """
    import ibis

    planned = met.filter(met.variant.isin(asked.variants))
    planned = planned.filter(planned.cluster != "") if asked.clustered else planned
    arms = [(planned.variant == key, place) for place, key in enumerate(asked.variants)]
    on = wall_clock(planned.exposed_at, basis.clock.time_zone).date()
    table = planned.select(
        "user_id",
        "segment",
        "cluster",
        "exposed_at",
        "verified",
        arm=ibis.cases(*arms, else_=UNKNOWN).cast("int32"),
        exposed_on=on,
        week=on.truncate("W"),
    )
    if asked.covariates or asked.clock == "signup":
        signed = signups_of(events, asked, basis) if signed is None else signed
        table = with_signup(table, signed, _texts(asked), "exposed_at").rename(anchor="signed_up")
    if asked.active_days_before:
        before = before_exposure(events, table, asked, basis) if before is None else before
        table = with_days_before(table, before, asked.active_days_before, f"c_{len(asked.covariates)}")
    if asked.clock == "signup":
        return queries.with_clock(table.filter(table.anchor.notnull()), basis)
    return queries.with_clock(table.mutate(anchor=table.exposed_at), basis)


def signups_of(events: ir.Table, asked: Question, basis: Basis) -> ir.Table:
    """Each signup: ``user_id, time, c_0, …``, a text for each property that is a covariate."""
    return signups(events, asked.signup_event, _texts(asked), basis)


def about_signups(asked: Question) -> tuple[object, ...]:
    """What `signups_of` depends on beside the events: other experiments may ask the same."""
    return "signups", asked.signup_event, asked.covariates


def before_exposure(events: ir.Table, units: ir.Table, asked: Question, basis: Basis) -> ir.Table:
    """``user_id, days_0, …``: the active days before the exposure as bits, of units with ``user_id, exposed_at``."""
    return days_before(events, units, asked.active_days_before, "exposed_at", basis)


def about_before(asked: Question, basis: Basis, *, verified: bool) -> tuple[object, ...]:
    """What `before_exposure` depends on beside events and units; `verified` leaves out some of these."""
    return "days before", asked.experiment, asked.active_days_before, basis.clock, basis.activity, verified


def longest_before(asked: Question) -> timedelta:
    """How long before an exposure its active days may lie, in a zone of the longest days."""
    return timedelta(days=asked.active_days_before + 2)


def _texts(asked: Question) -> dict[str, str]:
    return {f"c_{place}": name for place, name in enumerate(asked.covariates)}


def covariates_of(question: Question) -> tuple[str, ...]:
    """Names of the covariates in the order of the columns ``c_0, c_1, …``."""
    return (*question.covariates, *([DAYS_BEFORE] if question.active_days_before else []))


def span(units: ir.Table) -> ir.Table:
    """One row: ``units, first_exposure, latest_exposure, first_anchor, latest_anchor, most_days``."""
    return units.aggregate(
        units=units.count(),
        first_exposure=units.exposed_at.min(),
        latest_exposure=units.exposed_at.max(),
        first_anchor=units.anchor.min(),
        latest_anchor=units.anchor.max(),
        most_days=units.complete_days.max(),
    )


def unit_values(
    events: ir.Table,
    units: ir.Table,
    question: Question,
    basis: Basis,
    *,
    first_anchor: datetime,
    most_days: int,
    counted: ir.Table | None = None,
) -> ir.Table:
    """One row per unit with all its metric values, from one pass over the log.

    Columns: ``arm, segment, cluster, exposed_on, week, complete_days, verified, c_0, …``; per outcome ``v_0`` (and
    ``w_0``, the denominator of a ratio; of an SQL metric ``v_0_row``, whether it has a row), null where the unit is not
    mature; with a behaviour ``times`` (null where its window is not over) and ``times_so_far``, and the same of other
    behaviours, ``other_0, other_0_so_far, …``; ``seen``, the events at or after the exposure that aren't exposures;
    ``days_0, …``, the active days as bits.

    Args:
        events: the event log.
        units: the materialised result of `units`.
        question: the experiment's question.
        basis: clock, data's end, activity, engine.
        first_anchor: the earliest clock zero of the units; no earlier event is read.
        most_days: the most complete days that a unit has.
        counted: the units' `unit_numbers`, where they are known; the log isn't read then.
    """
    metrics = definitions(question) | counted_acts(question)
    log, also = _countable(bounded(events, first_anchor, None), question, basis), _also(question, basis, most_days)
    if counted is not None:
        counted = counted.mutate(
            **{f"_{name}": number_active(counted, *days) for name, days in _days_of(metrics).items()}
        )
    selects = with_rows(question)
    table = queries.outcomes(
        log, units, basis, metrics, keep=("exposed_at",), also=also, has_row=selects, counted=counted
    )
    words = {name: table[name].fill_null(0).cast("int64") for name in table.columns if name.startswith("days_")}
    columns = ["arm", "segment", "cluster", "exposed_on", "week", "complete_days", "verified", *metrics]
    columns += [f"{name}_row" for name in selects]
    columns += [f"c_{place}" for place, _ in enumerate(covariates_of(question))]
    more = {name: table[name].fill_null(0).cast("float64") for name in table.columns if name.endswith(SO_FAR)}
    return table.select(*columns, seen=table.seen.fill_null(0), **more, **words)


def unit_numbers(events: ir.Table, units: ir.Table, question: Question, basis: Basis, *, most_days: int) -> ir.Table:
    """What `unit_values` counts of each unit with an event, in numbers that add up over parts of the log.

    Columns: ``user_id``, ``_NAME`` of each definition, but for active days, which follow from the bits; ``seen``,
    ``NAME_so_far``, ``days_0, …``. The arguments are those of `unit_values`.
    """
    metrics = definitions(question) | counted_acts(question)
    metrics = {name: each for name, each in metrics.items() if name not in _days_of(metrics)}
    log = _countable(events, question, basis)
    return queries.numbers(log, units, basis, metrics, ("exposed_at",), _also(question, basis, most_days))


def adding_up(question: Question, most_days: int) -> dict[str, str] | None:
    """By column of `unit_numbers` how two parts of the log become one; None where a definition needs whole windows.

    Args:
        question: the experiment's question.
        most_days: the most complete days that a unit has.
    """
    metrics = definitions(question) | counted_acts(question)
    if any(is_apart(each) or _differs(each) or outcome_window(each).end_day is None for each in metrics.values()):
        return None
    acts = counted_acts(question) if _some_shorter(question) else {}
    sums = [f"_{name}" for name in metrics if name not in _days_of(metrics)] + [f"{name}{SO_FAR}" for name in acts]
    words = [name_of(word) for word in range(words_for(most_days))]
    return dict.fromkeys(sums, SUM) | {"seen": MOST} | dict.fromkeys(words, BITS)


def _differs(definition: Asked) -> bool:
    """Whether it counts different values."""
    inner = getattr(definition, "of", definition)
    return isinstance(inner, Count) and inner.behaviour.distinct is not None


def _days_of(metrics: Mapping[str, Asked]) -> dict[str, tuple[int, int]]:
    """The definitions that count active days, with the first and the last day of their windows."""
    plain = {name: getattr(each, "of", each) for name, each in metrics.items()}
    days = {name: each.window for name, each in plain.items() if isinstance(each, MinDays | ActiveDays)}
    return {name: (window.start_day, window.days_needed - 1) for name, window in days.items()}


def _also(question: Question, basis: Basis, most_days: int) -> Callable[[ir.Table], Mapping[str, ir.Value]]:
    """What one pass counts beside the definitions."""
    acts = counted_acts(question)

    def also(log: ir.Table) -> Mapping[str, ir.Value]:
        other = ~log.event.isin(EXPOSURE_EVENTS)
        other = other if question.clock == "exposure" else other & (log.time >= log.exposed_at)
        counted = acts if _some_shorter(question) else {}
        so_far = {f"{name}{SO_FAR}": aggregate(log, act, basis) for name, act in counted.items()}
        return {"seen": other.ifelse(1, 0).max(), **so_far, **day_bits(log, basis, words_for(most_days))}

    return also


def _countable(events: ir.Table, question: Question, basis: Basis) -> ir.Table:
    return events if _counts_exposures(question, basis) else events.filter(~events.event.isin(EXPOSURE_EVENTS))


def counted_acts(question: Question) -> dict[str, Count]:
    """What is counted on the behaviour's days: `times` of the behaviour, and `other_0`, ... of the other ones."""
    if question.behaviour is None:
        return {}
    days = Window(0, question.days - 1)
    others = {other_name(place): text for place, (text, _times) in enumerate(question.others)}
    return {name: Count(parse_behaviour(text), days) for name, text in ({TIMES: question.behaviour} | others).items()}


def definitions(asked: Question) -> dict[str, Asked]:
    """The metric definition behind every column of `unit_values`: ``v_0``, ``w_0`` for the denominator of a ratio."""
    by_column: dict[str, Asked] = {}
    for place, metric in enumerate(map(parse_metric, asked.outcomes)):
        if isinstance(metric, Ratio):
            by_column |= {f"v_{place}": metric.numerator, f"w_{place}": metric.denominator}
        elif isinstance(metric, Quantile):
            by_column[f"v_{place}"] = metric.of
        else:
            by_column[f"v_{place}"] = metric
    return by_column


def with_rows(question: Question) -> list[str]:
    """The columns of SQL metrics, where units without a row count as 0."""
    return [name for name, definition in definitions(question).items() if is_select(definition)]


def events_named(question: Question) -> dict[str, str]:
    """By event that the log must have, the definition that names it."""
    named = {name: text for text in question.outcomes for name in events_needed(parse_metric(text))}
    if question.behaviour is not None:
        # An other behaviour may be one that nobody did: its list is fixed, and the answer needn't wait for it.
        named |= {parse_behaviour(question.behaviour).event: question.behaviour}
    if question.covariates or question.clock == "signup":
        named |= {question.signup_event: question.signup_event}
    return named


def known_events(events: ir.Table, name: str) -> ir.Table:
    """One row ``event`` when the log has an event of this name, none otherwise; engines stop at the first match."""
    return events.filter(events.event == name).select("event").limit(1)


def block_columns(question: Question, place: int) -> dict[str, str]:
    """The columns of one outcome's block, keyed and ordered as in `experiments.analyse.gather.answers.Block`."""
    metric = parse_metric(question.outcomes[place])
    ratio = {DENOMINATOR: f"w_{place}"} if isinstance(metric, Ratio) else {}
    if question.behaviour is None or isinstance(metric, Quantile):
        return {VALUE: f"v_{place}", **ratio}
    others = {other_name(number): f"o_{place}_{number}" for number, _ in enumerate(question.others)}
    return {VALUE: f"v_{place}", **ratio, REACHED: f"r_{place}", TIMES: f"t_{place}", **others}


def cells(values: ir.Table, asked: Question, levels: Sequence[Sequence[str]]) -> ir.Table:
    """Moments by ``arm, segment, week, l_0, …``: ``exposed``, and for the outcome i ``n_i`` and its block's moments.

    The columns of the block are ``m_i_a`` (mean) and ``s_i_a_b`` (covariance, n-1), where a and b are indexes into
    `block_columns`; all over the units that are mature for the outcome. An SQL metric has ``rows_i``, how many of them
    have a row. `levels` lists the levels of each covariate to use; all others become "other".
    """
    table = values.mutate(**{f"l_{place}": pooled(values[f"c_{place}"], names) for place, names in enumerate(levels)})
    numbers: dict[str, ir.Value] = {}
    for place, _ in enumerate(asked.outcomes):
        columns = _block(table, asked, place)
        numbers[f"n_{place}"] = columns[0].count()
        for a, left in enumerate(columns):
            numbers[f"m_{place}_{a}"] = left.mean()
            numbers[f"s_{place}_{a}_{a}"] = left.var(how="sample")
            for b in range(a):
                numbers[f"s_{place}_{a}_{b}"] = left.cov(columns[b], how="sample")
        if (row := f"v_{place}_row") in table.columns:
            numbers[f"rows_{place}"] = table[row].sum()
    keys = cell_keys(asked, len(levels))
    return table.group_by(keys).aggregate(exposed=table.count(), **numbers)


def cell_keys(question: Question, covariates: int) -> list[str]:
    """The columns that identify a cell; `cluster` is one only where clusters were drawn."""
    of_cluster = ["cluster"] if question.clustered else []
    return ["arm", "segment", "week", *of_cluster, *(f"l_{place}" for place in range(covariates))]


def times(values: ir.Table, most: int) -> ir.Table:
    """Histogram of the behaviour: ``arm, times, units``, of the units whose behaviour window is over."""
    import ibis

    table = values.filter(values.times.notnull())
    table = table.mutate(times=ibis.least(table.times, most).cast("int64"))
    return table.group_by("arm", "times").aggregate(units=table.count())


def bins(values: ir.Table, question: Question, place: int) -> ir.Table:
    """Quintiles of a numeric outcome over all arms together: ``arm, bin, reached, units``.

    A value's bin is five times the share of units with a smaller value, rounded down, so equal values share a bin.
    Values are counted before they are ordered, so that no engine sorts units.
    """
    import ibis

    value, reached = _block(values, question, place)[:2]
    table = values.mutate(value=value, reached=reached)
    table = table.filter(table.value.notnull())
    counted = table.group_by("value", "arm", "reached").aggregate(units=table.count())
    totals = counted.group_by("value").aggregate(of_value=counted.units.sum())
    everything = ibis.window(order_by="value", preceding=None, following=0)
    totals = totals.mutate(until=totals.of_value.sum().over(everything), all=totals.of_value.sum().over(ibis.window()))
    below = (totals.until - totals.of_value) * BINS
    totals = totals.select("value", bin=(below.cast("int64") // totals["all"].cast("int64")).cast("int64"))
    table = counted.join(totals, "value")
    return table.group_by("arm", "bin", "reached").aggregate(units=table.units.sum())


def late(events: ir.Table, basis: Basis, first_exposure: datetime) -> ir.Table:
    """One row: ``known``, events since the first exposure with known receipt time; ``late``, those 48 h late."""
    import ibis

    log = bounded(events, first_exposure, basis.data_end)
    log = log.filter(log.received_at <= log.time + ibis.interval(days=HISTORY.days))
    behind = log.received_at > log.time + ibis.interval(hours=int(LATE.total_seconds() // 3600))
    return log.aggregate(known=log.count(), late=behind.ifelse(1, 0).sum())


def about_late(first_exposure: datetime, clock: Clock) -> tuple[object, ...]:
    """What the counts of `late` depend on beside the events; the moment without its zone, as an engine gives it."""
    return "known", "late", first_exposure.replace(tzinfo=None), clock


def _block(values: ir.Table, question: Question, place: int) -> list[ir.Value]:
    """The columns of one outcome's block, all null where the unit is not mature for the outcome."""
    import ibis

    columns = block_columns(question, place)
    value = values[columns[VALUE]]
    mature = value.notnull()
    block = [value]
    if DENOMINATOR in columns:
        denominator = values[columns[DENOMINATOR]]
        mature = mature & denominator.notnull()
        block = [mature.ifelse(each, ibis.null("float64")) for each in (value, denominator)]
    if REACHED not in columns:
        return block
    number = _number(values, TIMES)
    did = [(_number(values, other_name(at)) >= times).ifelse(1.0, 0.0) for at, (_, times) in enumerate(question.others)]
    reached = (number >= question.times).ifelse(1.0, 0.0)
    return [*block, *(mature.ifelse(each, ibis.null("float64")) for each in (reached, number, *did))]


def _number(values: ir.Table, name: str) -> ir.Value:
    """How often units did something; an outcome's window may end first: so far, for those whose days aren't over."""
    import ibis

    so_far = f"{name}{SO_FAR}"
    return ibis.coalesce(values[name], values[so_far]) if so_far in values.columns else values[name]


def _some_shorter(question: Question) -> bool:
    return any(outcome_window(each).days_needed < question.days for each in definitions(question).values())


def _counts_exposures(question: Question, basis: Basis) -> bool:
    """Whether an outcome, the behaviour or the project's activity counts exposures as events."""
    named = [name for text in question.outcomes for name in events_needed(parse_metric(text))]
    named += [act.behaviour.event for act in counted_acts(question).values()]
    return any(name in EXPOSURE_EVENTS for name in (*named, *(basis.activity or ())))
