"""Publish groups as a versioned segment model, refresh its membership, and measure its drift."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import batched
from typing import Any

import numpy as np
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from events.metrics import Survival, outcome_window, parse_retention, plain_name
from events.metrics.facts import refuse_exposures
from events.upkeep.archive import all_uses
from events.warehouse import queries
from events.warehouse.arm_marks import of_metric, of_start, refuse_arm_marks
from events.warehouse.session import questions
from reporting.document import load
from runs.payloads import Unreadable
from runs.refusals import Refused
from segments.models import Membership, Segment, SegmentationRun, SegmentModel, SegmentVersion
from segments.published.drift import (
    ABSENT,
    BASELINE,
    DRIFT,
    TOO_LITTLE_DATA,
    UNLIKE_ANY,
    Baseline,
    DriftResult,
    Moves,
    bin_counts,
    decile_edges,
    feature_drift,
    match_centroids,
    migration,
    stability_index,
)
from segments.published.rule_members import evaluate_rule, rule_places
from segments.published.segment_marks import of_segments
from segments.rules import parse_rule
from segments.search.features import Floats, Ints, UnitTable
from segments.search.gather import read_units
from segments.search.placement import FittedModel, Placement
from segments.search.question import Inputs
from segments.search.result import FITTED, PROFILE, SEGMENTATION, Report

# Drift of a published model's population since its publication, for its page.

Place = Membership.Place
STATE_OF_PLACE: dict[str, int] = {Place.UNLIKE_ANY: UNLIKE_ANY, Place.TOO_LITTLE_DATA: TOO_LITTLE_DATA}


def placed_features(fitted: FittedModel, table: UnitTable, placed: Placement) -> Floats:
    """Scaled features of the units that have a segment, rows x features, column-contiguous in memory."""
    values = np.empty((len(table), len(fitted.preparation.names)), order="F")
    done = 0
    for rows, part in table.blocks():
        mine = placed.labels[rows] >= 0
        features = fitted.preparation.apply(part.take(mine)).values
        values[done : done + len(features)] = features
        done += len(features)
    return values[:done]


def baseline(fitted: FittedModel, values: Floats, placed: Placement) -> Baseline:
    """The baseline of later refreshes: deciles and counts of every feature, units per segment.

    Args:
        fitted: the version's model.
        values: `placed_features`.
        placed: segments of the units.
    """
    edges = [decile_edges(values[:, column]) for column in range(values.shape[1])]
    return Baseline(
        names=tuple(fitted.preparation.names),
        edges=tuple(tuple(map(float, cut)) for cut in edges),
        counts=tuple(tuple(bin_counts(values[:, column], cut).tolist()) for column, cut in enumerate(edges)),
        sizes=tuple(_sizes(fitted, placed).tolist()),
    )


def _sizes(fitted: FittedModel, placed: Placement) -> Ints:
    return np.bincount(placed.labels[placed.labels >= 0], minlength=len(fitted.centres))


def measure_drift(
    version: SegmentVersion, fitted: FittedModel, table: UnitTable, placed: Placement, values: Floats
) -> DriftResult:
    """Stability indices of shares and features against the baseline, and moves of units since the previous membership.

    The previous membership is that of the previous version or, without one, of this version's last refresh.

    Raises:
        Refused: the stored baseline can't be read.
    """
    first = BASELINE.read(version.baseline) if version.baseline else baseline(fitted, values, placed)
    if isinstance(first, Unreadable):
        raise Refused(first.sentence())
    features = feature_drift([np.array(row) for row in first.counts], values, first.edges)
    earlier = version.model.versions.light().filter(number__lt=version.number, refreshed_at__isnull=False).first()
    source = earlier or version
    before = _states(source)
    return DriftResult(
        shares=stability_index(np.array(first.sizes), _sizes(fitted, placed)),
        features=dict(zip(first.names, features, strict=True)),
        unlike_share=float(placed.unlike.sum() / max(len(values), 1)),
        migration=_moves(before, source, table, placed) if before else None,
    )


def _states(version: SegmentVersion) -> dict[str, int]:
    rows = version.members.values_list("unit", "segment__number", "place")
    return {
        unit: number if place == Place.MEMBER else STATE_OF_PLACE.get(place, ABSENT) for unit, number, place in rows
    }


def _moves(before: dict[str, int], source: SegmentVersion, table: UnitTable, placed: Placement) -> Moves:
    after = {
        str(unit): UNLIKE_ANY if far else (int(label) if label >= 0 else TOO_LITTLE_DATA)
        for unit, label, far in zip(table.unit_ids, placed.labels, placed.unlike, strict=True)
    }
    units = sorted(before.keys() | after.keys())
    old = np.array([before.get(unit, ABSENT) for unit in units], dtype=np.int64)
    new = np.array([after.get(unit, ABSENT) for unit in units], dtype=np.int64)
    names = {segment.number: str(segment) for segment in source.segments.all()}
    return Moves(**vars(migration(old, new)), from_version=source.number, names=names)


# Retention of each segment, measured at each refresh, for lists and comparisons.

USUAL = "window:21-27"  # for versions without one: the default of this site's forms


def measure_retention(version: SegmentVersion, segment_of: Mapping[str, int]) -> dict[int, dict[str, Any]]:
    """Number of units of each segment that stayed, among those whose days are complete.

    Args:
        version: its inputs have the retention and the signup event.
        segment_of: the segment's pk of each unit that has one.

    Returns:
        By the segment's pk, as stored in `Segment.stayed`: ``count`` of ``n``, and the ``retention``. Empty where the
        log can't be queried, and where the numbers would reveal the arms of a locked experiment.
    """
    text = version.inputs.get("retention") or USUAL
    definition = parse_retention(text)
    counts: dict[int, dict[str, Any]] = {pk: {"count": 0, "n": 0, "retention": text} for pk in set(segment_of.values())}
    try:
        mode = version.inputs.get("day_mode", "rolling")
        with questions(day_mode=mode, memory=settings.SEGMENTS_MEMORY) as store:
            start = version.inputs.get("signup_event", "signup")
            asks = (*of_start(start), *of_metric(definition, start), *of_segments(version, version.segments.all()))
            refuse_arm_marks({"": asks}, store=store)
            users = store.cohort(start)
            if not isinstance(definition, Survival):
                users = users.filter(queries.mature(users, outcome_window(definition)))
            query = queries.retention(store.log, users, store.basis, definition).select("user_id", "retained")
            for rows in store.warehouse.batches(store.warehouse.named(query)):
                _count(counts, segment_of, rows)
    except Refused:
        return {}
    return counts


def _count(counts: dict[int, dict[str, Any]], segment_of: Mapping[str, int], rows: Any) -> None:
    """Add the units of some rows."""
    import numpy as np

    units, retained = rows["user_id"].to_pylist(), rows["retained"].to_numpy(zero_copy_only=False)
    pks = np.fromiter((segment_of.get(unit, -1) for unit in units), dtype=np.int64, count=len(units))
    for pk, row in counts.items():
        mine = retained[(pks == pk) & ~np.isnan(retained)]
        row["n"] += len(mine)
        row["count"] += int((mine > 0).sum())


# The first members of a version, written without Django model instances: there may be millions.

WRITE_MEMBERS_BATCH = 20_000
COLUMNS = ("version_id", "unit", "segment_id", "place")


def write_members(version: int, rows: Iterable[tuple[str, int | None, str]]) -> None:
    """Write the members of a version that has none, in one transaction per batch, so that ingestion isn't blocked.

    Args:
        version: its pk.
        rows: unit, the segment's pk or None, place; each unit once.
    """
    quote = connection.ops.quote_name
    table, columns = quote(Membership._meta.db_table), ", ".join(map(quote, COLUMNS))
    for batch in batched(rows, WRITE_MEMBERS_BATCH):
        whole = [(version, *row) for row in batch]
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                stream = cursor.copy(f"COPY {table} ({columns}) FROM STDIN")
                with connection.wrap_database_errors, stream as copy:
                    for values in whole:
                        copy.write_row(values)
            else:
                marks = ", ".join(["%s"] * len(COLUMNS))
                cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", whole)  # noqa: S608 - our own names


BATCH = 5_000
MIN_JACCARD = 0.6


def publish_run(
    *, run: SegmentationRun, key: str, name: str, refresh_days: int | None = None, by: User | None = None
) -> SegmentVersion:
    """Publish the groups of a finished segmentation as a new model, or as the next version of one.

    Names are copied from the previous version where the clusters match (`drift.match_centroids`); others are unnamed.

    Raises:
        Refused: the run isn't finished, found no stable groups, or the key belongs to a rule.
    """
    if run.status != SegmentationRun.Status.DONE or run.model is None:
        raise Refused("This segmentation isn't finished, so there is nothing to publish.")
    report, fitted = SEGMENTATION.read(run.payload), FITTED.read(run.model)
    if isinstance(report, Unreadable):
        raise Refused(report.sentence())
    if isinstance(fitted, Unreadable):
        raise Refused(fitted.sentence())
    if not report.found:
        raise Refused("There are no stable groups in this segmentation, so it can't be published.")
    with transaction.atomic():
        model = open_model(key, name, SegmentModel.Kind.CLUSTER, refresh_days, by)
        before = model.current
        version = SegmentVersion.objects.create(
            model=model,
            number=model.next_number,
            run=run,
            inputs=run.inputs,
            fitted=run.model,
            fidelity=fitted.fidelity,
            published_by=by,
            shape=report.shape or "",
        )
        _add_clusters(version, report, _names(before, fitted))
    return first_membership(version)


def first_membership(version: SegmentVersion) -> SegmentVersion:
    """Place every unit in a new version, which makes it the current one; delete a version that can't be placed.

    Raises:
        Refused: the log can't be read, or lacks events that the version needs.
    """
    try:
        return refresh(version=version)
    except BaseException:
        with transaction.atomic():
            version.members.all().delete()
            version.segments.all().delete()
            version.delete()
        raise


def refresh(*, version: SegmentVersion) -> SegmentVersion:
    """Place every unit again by the stored model or rule; the model itself doesn't change.

    Only changes are written, in batches: one transaction over millions of rows would block ingestion. Each unit's row
    is updated atomically, so that readers see its old place or its new one, never none.
    """
    if version.origin is not None:
        raise Refused("A list of users stays as it was counted; make a new one for who is in it today.")
    if version.rule is not None:
        places: Iterable[tuple[str, int | None, str]] = rule_places(version)
        drift = None
    else:
        places, drift = _cluster_places(version)
    segments = {segment.number: segment for segment in version.segments.all()}
    pks: dict[int | None, int | None] = {number: segment.pk for number, segment in segments.items()}
    rows = [(unit, pks[number] if number is not None else None, place) for unit, number, place in places]
    _rewrite(version, rows)
    sizes = Counter(pk for _unit, pk, _place in rows)
    stayed = measure_retention(version, {unit: pk for unit, pk, _place in rows if pk is not None})
    with transaction.atomic():
        locked = SegmentVersion.objects.light().select_for_update().get(pk=version.pk)
        for segment in segments.values():
            segment.size, segment.stayed = sizes[segment.pk], stayed.get(segment.pk)
            segment.save(update_fields=["size", "stayed"])
        locked.units, locked.refreshed_at = len(rows), timezone.now()
        locked.drift = None if drift is None else DRIFT.store(drift)
        locked.drift_code = "" if drift is None else drift.code
        locked.save(update_fields=["units", "refreshed_at", "drift", "drift_code"])
    return locked


def _rewrite(version: SegmentVersion, rows: Iterable[tuple[str, int | None, str]]) -> None:
    """Replace a version's members by these: unit, segment and place. Units that stay in it keep their churn risk."""
    gone = {
        unit: (segment, place) for unit, segment, place in version.members.values_list("unit", "segment_id", "place")
    }
    if not gone:
        write_members(version.pk, rows)
        return
    changed = [
        Membership(version=version, unit=unit, segment_id=segment, place=place)
        for unit, segment, place in rows
        if gone.pop(unit, None) != (segment, place)
    ]
    for batch in batched(changed, BATCH):
        Membership.objects.bulk_create(
            batch, update_conflicts=True, unique_fields=["version", "unit"], update_fields=["segment", "place"]
        )
    for units in batched(gone, BATCH):
        version.members.filter(unit__in=units).delete()


def refresh_due() -> int:
    """Refresh the versions that are due, including those retained for experiments; skip archived models not in use.

    Returns how many.
    """
    count = 0
    # An archived model may still be used by an experiment that started at the same moment.
    used = {use.key for use in all_uses() if use.kind == "segment"}
    for model in SegmentModel.objects.exclude(refresh_days=None).filter(Q(archived_at=None) | Q(key__in=used)):
        due = timezone.now() - timedelta(days=model.refresh_days or 0)
        newest = model.current
        for version in model.versions.filter(Q(pk=newest.pk if newest else None) | Q(pinned=True)):
            if version.refreshed_at is None or version.refreshed_at <= due:
                refresh(version=version)
                count += 1
    return count


def rename(*, segment: Segment, name: str) -> Segment:
    """Rename a segment; its key doesn't change.

    Raises:
        Refused: an empty name, or a cluster too unstable to be named (docs/methods/segments.md, "Stability").
    """
    if not name.strip():
        raise Refused("A name can't be empty.")
    if segment.stability is not None and segment.stability < MIN_JACCARD:
        raise Refused("This group is too unstable to be named: another sample of users would not show it.")
    with transaction.atomic():
        row = Segment.objects.select_for_update().get(pk=segment.pk)
        row.name = name.strip()
        row.full_clean(exclude=["profile"])  # a rule's profile is empty, which field validation would refuse
        row.save(update_fields=["name"])
    return row


def member_rows(segment: Segment) -> Iterator[list[str]]:
    """CSV rows of a segment's units; with churn scores also risk and reasons, the highest risk first."""
    scored = segment.members.exclude(risk=None).exists()
    yield ["user", "segment", *(("risk_of_leaving", "reasons") if scored else ())]
    rows = segment.members.order_by("-risk", "unit") if scored else segment.members.order_by("unit")
    for row in rows.iterator(chunk_size=BATCH):
        risk = "" if row.risk is None else f"{row.risk:.4f}"
        more = (risk, plain_name("; ".join(row.reasons or []))) if scored else ()
        yield [row.unit, str(segment), *more]


def open_model(key: str, name: str, kind: str, refresh_days: int | None, by: User | None) -> SegmentModel:
    """Get or create the model with this key, with a row lock.

    Raises:
        Refused: the key belongs to a model of another kind.
    """
    model = SegmentModel.objects.select_for_update().filter(key=key).first()
    if model is None:
        model = SegmentModel(key=key, name=name, kind=kind, refresh_days=refresh_days, created_by=by)
        model.full_clean()
        model.save()
    elif model.kind != kind:
        raise Refused("The key {key} belongs to a model of another kind.", key=key)
    else:
        # Publishing under an archived key reactivates it.
        model.name, model.refresh_days, model.archived_at = name, refresh_days, None
        model.save(update_fields=["name", "refresh_days", "archived_at"])
    return model


def _add_clusters(version: SegmentVersion, report: Report, names: dict[int, str]) -> None:
    for number, cluster in enumerate(report.clusters):
        segment = Segment(
            version=version,
            key=cluster.key,
            number=number,
            name=names.get(number, ""),
            stability=cluster.stability,
            targetable=cluster.stability >= MIN_JACCARD,
            profile=PROFILE.store(cluster.profile),
            pattern=[[what, str(direction)] for what, direction in cluster.profile.name],
        )
        segment.save()


def _names(before: SegmentVersion | None, fitted: FittedModel) -> dict[int, str]:
    """Names from the last version for new clusters that match its clusters."""
    import numpy as np

    old = None if before is None else fitted_of(before)
    if before is None or old is None:
        return {}
    if old.preparation.names != fitted.preparation.names:
        return {}  # centres of different features can't be compared
    known = {segment.number: segment.name for segment in before.segments.all()}
    matches = match_centroids(np.array(old.centres), np.array(fitted.centres))
    return {row.new: known.get(row.old, "") for row in matches if row.old is not None and row.keeps_name}


def _cluster_places(version: SegmentVersion) -> tuple[Iterable[tuple[str, int | None, str]], DriftResult]:
    inputs, fitted = load(Inputs, version.inputs), fitted_of(version)
    if fitted is None:
        raise Refused("This version has no fitted model, so nobody can be placed by it.")
    with questions(day_mode=inputs.day_mode, memory=settings.SEGMENTS_MEMORY) as store:
        table = read_units(store, inputs, fitted.preparation.behaviours)
    placed = fitted.place(table)
    labels, unlike = placed.labels.tolist(), placed.unlike.tolist()
    values = placed_features(fitted, table, placed)
    if version.baseline is None:
        version.baseline = BASELINE.store(baseline(fitted, values, placed))
        version.save(update_fields=["baseline"])
    drift = measure_drift(version, fitted, table, placed, values)
    return (
        (str(unit), *_place(label, far)) for unit, label, far in zip(table.unit_ids, labels, unlike, strict=True)
    ), drift


def _place(label: int, far: bool) -> tuple[int | None, str]:
    if label < 0:
        return None, Place.TOO_LITTLE_DATA
    return (None, Place.UNLIKE_ANY) if far else (label, Place.MEMBER)


# Publish a rule as a segment; its membership works as for clusters.


def publish_rule(
    *,
    key: str,
    name: str,
    signup_event: str,
    rule: dict[str, Any],
    refresh_days: int | None = None,
    by: User | None = None,
) -> SegmentVersion:
    """Publish a rule as a segment model of one segment, or as its next version, with the membership of every unit.

    Raises:
        Refused: a rule that can't be parsed, an event that isn't in the log, or a key that belongs to clusters.
    """
    parsed = parse_rule(rule)
    refuse_exposures(rule, signup_event)
    evaluate_rule(parsed, signup_event)  # before any write: refuses unknown events and revealed arms
    with transaction.atomic():
        model = open_model(key, name, SegmentModel.Kind.RULE, refresh_days, by)
        version = SegmentVersion.objects.create(
            model=model,
            number=model.next_number,
            rule=rule,
            published_by=by,
            inputs={"signup_event": signup_event, "first_day": 0, "last_day": 13},
        )
        Segment.objects.create(version=version, key="members", number=0, name=name)
    return first_membership(version)


def publish_list(
    *, key: str, name: str, units: Iterable[str], of: int, signup_event: str, origin: dict[str, Any], by: User | None
) -> SegmentVersion:
    """Publish a list of users as a segment model of one segment, or as its next version. It is never counted again.

    Args:
        key, name: of the model.
        units: the users' ids, each once.
        of: how many users the list was chosen from.
        signup_event: the event whose first occurrence starts a user's clock.
        origin: as `SegmentVersion.origin` says.
        by: who asked for it.

    Raises:
        Refused: nobody is in it, or the key belongs to a model of another kind.
    """
    members = list(units)
    if not members:
        raise Refused("Nobody is in this list, so there is nothing to save.")
    with transaction.atomic():
        model = open_model(key, name, SegmentModel.Kind.LIST, None, by)
        version = SegmentVersion.objects.create(
            model=model,
            number=model.next_number,
            published_by=by,
            inputs={"signup_event": signup_event, "first_day": 0, "last_day": 13},
            origin=origin,
        )
        segment = Segment.objects.create(version=version, key="members", number=0, name=name, size=len(members))
        write_members(version.pk, ((unit, segment.pk, Place.MEMBER) for unit in members))
        version.units, version.refreshed_at = of, timezone.now()
        version.save(update_fields=["units", "refreshed_at"])
    return version


# The fitted model of a version, for services that place or compare units by it.


def counted_of(version: SegmentVersion) -> tuple[Inputs, tuple[str, ...] | None]:
    """What a version counts of its units: its inputs, and the behaviours of its model; None without one.

    Raises:
        Refused: the stored model can't be parsed.
    """
    fitted = fitted_of(version)
    return load(
        Inputs, {"retention": None, **version.inputs}
    ), None if fitted is None else fitted.preparation.behaviours


def fitted_of(version: SegmentVersion) -> FittedModel | None:
    """The model that places units in a version's segments; None for a rule.

    Raises:
        Refused: the stored model can't be parsed.
    """
    fitted = FITTED.read(version.fitted) if version.fitted else None
    if isinstance(fitted, Unreadable):
        raise Refused(fitted.sentence())
    return fitted
