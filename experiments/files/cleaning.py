"""Pre-assignment traits of a file's units: categories as levels, numbers by quartile."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from events.warehouse.unit_values import MOST_LEVELS
from experiments.files.reading import (
    MISSING_LABEL,
    Labels,
    Source,
    behaviour_column,
    covariate_matrix,
    label_column,
    numbers,
    outcome_column,
    raw_column,
    segment_column,
)
from experiments.plan.design import Codes, Covariate, Design, Floats, GroupHint, Units
from reporting.numbers import significant
from reporting.words import Message, say
from runs.refusals import Refused
from stats.trait_cells import OTHER, SEGMENT, TraitColumns

QUARTILES = (0.25, 0.5, 0.75)


def trait_levels(source: Source, design: Design, mask: NDArray[np.bool_]) -> TraitColumns:
    """Segment and covariates of the kept rows; a segment that is a covariate too counts once."""
    columns: list[tuple[str, tuple[str, ...], Codes]] = []
    if design.segment is not None:
        columns.append((SEGMENT, *_category(source, design.segment, mask)))
    for covariate in design.covariates:
        if covariate.name == design.segment:
            continue
        kind = raw_column(source, covariate.name).type
        text = covariate.category or pa.types.is_string(kind) or pa.types.is_large_string(kind)
        columns.append((covariate.name, *(_category if text else _number)(source, covariate.name, mask)))
    codes = np.column_stack([codes for *_, codes in columns]) if columns else np.empty((int(mask.sum()), 0), np.int64)
    return TraitColumns(tuple(name for name, *_ in columns), tuple(labels for _, labels, _ in columns), codes)


def _category(source: Source, name: str, mask: NDArray[np.bool_]) -> tuple[tuple[str, ...], Codes]:
    codes, labels, _absent = segment_column(source, name, mask)
    if len(labels) <= MOST_LEVELS:
        return labels, codes
    sizes = np.bincount(codes, minlength=len(labels))
    common = sorted(np.argsort(-sizes, kind="stable")[:MOST_LEVELS].tolist())
    place = np.full(len(labels), MOST_LEVELS, dtype=np.int64)
    place[common] = np.arange(MOST_LEVELS)
    return (*(labels[code] for code in common), OTHER), place[codes]


def _number(source: Source, name: str, mask: NDArray[np.bool_]) -> tuple[tuple[str, ...], Codes]:
    values = numbers(source, name, "--covariate")[mask]
    absent = np.isnan(values)
    present = values[~absent]
    # Up to four distinct values, such as 0 and 1, are levels themselves.
    different = np.unique(present[:10_000])
    different = np.unique(present) if len(different) <= len(QUARTILES) + 1 else different
    if len(different) <= len(QUARTILES) + 1:
        codes, labels = np.searchsorted(different, values), [f"{value:g}" for value in different]
    else:
        cuts = np.unique(np.quantile(present, QUARTILES))
        codes, labels = np.searchsorted(cuts, values), _intervals(cuts.tolist())
    codes = np.where(absent, len(labels), codes)
    return tuple([*labels, MISSING_LABEL] if absent.any() else labels), codes.astype(np.int64)


def _intervals(cuts: Sequence[float]) -> list[str]:
    """Labels ``<= 3``, ``3 to 8``, ``> 8``: each includes its upper end."""
    inner = [f"{significant(low)} < … ≤ {significant(high)}" for low, high in pairwise(cuts)]
    return [f"≤ {significant(cuts[0])}", *inner, f"> {significant(cuts[-1])}"]


# Clean a file's table into units. Every refusal names the file, the column and, where possible, the row.

MAX_VARIANTS = 20
# Twenty repeated rows that always agree on the variant happen by chance less than once in a million files.
HINT_REPEATS = 20
HINT_GROUPS_PER_ARM = 5


def resolve(source: Source, design: Design) -> Design:
    """Match the design's columns to the file's, exactly or else case-insensitively if that is unique.

    Raises:
        Refused: a column is missing, or one column has two roles.
    """
    refuse_doubled(source)

    def find(name: str, role: str) -> str:
        return find_column(source, name, role)

    resolved = Design(
        variant=find(design.variant, "--variant"),
        control=design.control,
        outcomes=tuple(find(name, "--outcome") for name in design.outcomes),
        unit=None if design.unit is None else find(design.unit, "--unit"),
        segment=None if design.segment is None else find(design.segment, "--segment"),
        behaviour=None if design.behaviour is None else find(design.behaviour, "--behaviour"),
        covariates=tuple(Covariate(find(row.name, "--covariate"), row.category) for row in design.covariates),
        cluster=None if design.cluster is None else find(design.cluster, "--cluster"),
        shares=design.shares,
        alpha=design.alpha,
        margin=design.margin,
        direct_effect=design.direct_effect,
        nudge_cost=design.nudge_cost,
        adjusted=design.adjusted,
        placebo=design.placebo,
        others=tuple(replace(other, name=find(other.name, "--other")) for other in design.others),
    )
    _refuse_double_roles(source, resolved)
    return resolved


def refuse_doubled(source: Source) -> None:
    """Refuse a file whose header has one name twice."""
    names: list[str] = source.table.column_names
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise Refused("{file}: column {column!r} stands twice in the header", file=source.name, column=doubled[0])


def find_column(source: Source, name: str, role: str) -> str:
    """The file's own name of a column: the same, or else the only one that differs in case alone.

    Raises:
        Refused: there is none.
    """
    names: list[str] = source.table.column_names
    if name in names:
        return name
    close = [candidate for candidate in names if candidate.casefold() == name.casefold()]
    if len(close) == 1:
        return close[0]
    raise Refused(
        "{file}: there is no column {column!r} ({role}); the file has {names}",
        file=source.name,
        column=name,
        role=role,
        names=_listed(names),
    )


def _listed(names: list[str]) -> str | Message:
    """The first 20 column names, and the number of further ones."""
    shown = ", ".join(names[:20])
    return shown if len(names) <= 20 else say("{names} and {count:,} more", names=shown, count=len(names) - 20)


def _refuse_double_roles(source: Source, design: Design) -> None:
    roles = [
        (design.variant, "--variant"),
        *((name, "--outcome") for name in design.outcomes),
        *((row.name, "--covariate") for row in design.covariates),
        (design.unit, "--unit"),
        (design.behaviour, "--behaviour"),
        *((other.name, "--other") for other in design.others),
    ]
    seen: dict[str, str] = {}
    for column, role in roles:
        if column is None:
            continue
        if column in seen:
            raise Refused(
                "{file}: column {column!r} is given twice, as {first} and {second}",
                file=source.name,
                column=column,
                first=seen[column],
                second=role,
            )
        seen[column] = role
    for column, role in ((design.segment, "--segment"), (design.cluster, "--cluster")):
        # A segment may also be a covariate and a cluster may be the unit; neither may be something the nudge moves.
        if column is not None and seen.get(column) in {"--variant", "--outcome", "--behaviour", "--other"}:
            raise Refused(
                "{file}: column {column!r} is given twice, as {first} and {second}",
                file=source.name,
                column=column,
                first=seen[column],
                second=role,
            )


def clean(source: Source, design: Design) -> Units:
    """Build the units of a resolved design.

    Args:
        source: the file's table.
        design: with the file's own column names (see ``resolve``).

    Returns:
        One entry per kept unit, control's label first.

    Raises:
        Refused: the table can't be analysed as designed.
    """
    if source.table.num_rows == 0:
        raise Refused("{file}: the file has a header but no rows", file=source.name)
    variant = label_column(source, design.variant)
    labels = _variant_labels(source, design, variant)
    arm = _recode(variant, labels)
    mask = arm >= 0
    excluded: dict[str, int] = {}
    _exclude(excluded, "missing_variant", arm < 0)
    cluster = None
    if design.cluster is not None:
        groups = label_column(source, design.cluster).codes
        _exclude(excluded, "missing_cluster", mask & (groups < 0))
        mask &= groups >= 0
        cluster = groups
    several = 0
    if design.unit is not None:
        mask, several = _keep_units(source, design, arm, labels, mask, excluded)
    return _build(source, design, arm, labels, mask, cluster, excluded, several)


def _exclude(excluded: dict[str, int], reason: str, rows: NDArray[np.bool_]) -> None:
    if rows.any():
        excluded[reason] = int(rows.sum())


def _variant_labels(source: Source, design: Design, variant: Labels) -> tuple[str, ...]:
    name, control = design.variant, design.control
    if len(variant.names) > MAX_VARIANTS:
        raise Refused(
            "{file}: column {column!r} (--variant) has {count:,} different values; at most {most} variants can be "
            "compared",
            file=source.name,
            column=name,
            count=len(variant.names),
            most=MAX_VARIANTS,
        )
    close = [label for label in variant.names if label.casefold() == control.casefold()]
    if control not in variant.names and len(close) == 1:
        # Parquet writes booleans as true and false; CSV files contain other spellings.
        control = close[0]
    if control not in variant.names:
        raise Refused(
            "{file}: control {control!r} (--control) isn't a value of column {column!r}, which holds {names}",
            file=source.name,
            control=control,
            column=name,
            names=", ".join(variant.names) or say("nothing"),
        )
    planned = tuple(design.shares or ())
    others = sorted({*variant.names, *planned} - {control})
    if not others:
        raise Refused(
            "{file}: column {column!r} holds only {control!r}; a comparison needs another variant",
            file=source.name,
            column=name,
            control=control,
        )
    _check_placebo(source, design, others)
    unplanned = [label for label in (control, *others) if design.shares is not None and label not in design.shares]
    if unplanned:
        raise Refused(
            "{file}: --ratio gives no share for variant {variant!r} of column {column!r}",
            file=source.name,
            variant=unplanned[0],
            column=name,
        )
    return (control, *others)


def _check_placebo(source: Source, design: Design, others: list[str]) -> None:
    if design.placebo is None:
        return
    if design.placebo not in others:
        raise Refused(
            "{file}: --placebo {placebo!r} isn't a variant of column {column!r} beside control, which holds {names}",
            file=source.name,
            placebo=design.placebo,
            column=design.variant,
            names=", ".join(others),
        )
    if len(others) < 2:
        raise Refused(
            "{file}: --placebo {placebo!r} is the only variant; the nudge itself is missing",
            file=source.name,
            placebo=design.placebo,
        )


def _recode(column: Labels, labels: tuple[str, ...]) -> Codes:
    place = np.array([labels.index(name) for name in column.names] + [-1], dtype=np.int64)
    return place[column.codes]


def _keep_units(
    source: Source,
    design: Design,
    arm: Codes,
    labels: tuple[str, ...],
    mask: NDArray[np.bool_],
    excluded: dict[str, int],
) -> tuple[NDArray[np.bool_], int]:
    """Exclude rows without an id and units in several variants; refuse a unit that occurs twice in one variant."""
    unit = label_column(source, design.unit or "")
    _exclude(excluded, "missing_unit", mask & (unit.codes < 0))
    mask = mask & (unit.codes >= 0)
    size = len(unit.names)
    low = np.full(size, len(labels), dtype=np.int64)
    high = np.full(size, -1, dtype=np.int64)
    np.minimum.at(low, unit.codes[mask], arm[mask])
    np.maximum.at(high, unit.codes[mask], arm[mask])
    mixed = low < high
    several = int(mixed.sum())
    if several:
        excluded["several_variants"] = several
        mask &= ~mixed[unit.codes]
    counts = np.bincount(unit.codes[mask], minlength=size)
    doubled = np.flatnonzero(counts > 1)
    if len(doubled):
        rows = np.flatnonzero(mask & (unit.codes == doubled[0]))
        raise Refused(
            "{file}: user {unit!r} stands {times} times in variant {variant!r} (rows {rows}; {count:,} users in all "
            "do so); give one row per user, or leave out --unit and give --cluster {column}",
            file=source.name,
            unit=unit.names[doubled[0]],
            times=counts[doubled[0]],
            variant=labels[arm[rows[0]]],
            rows=rows_in_words([int(row) + source.first_row for row in rows]),
            count=len(doubled),
            column=design.unit,
        )
    return mask, several


def rows_in_words(rows: list[int]) -> str | Message:
    """The first three row numbers in words."""
    words: str | Message = str(rows[0])
    for row in rows[1:3]:
        words = say("{rows} and {row}", rows=words, row=row)
    return say("{rows} and more", rows=words) if len(rows) > 3 else words


def _build(
    source: Source,
    design: Design,
    arm: Codes,
    labels: tuple[str, ...],
    mask: NDArray[np.bool_],
    cluster: Codes | None,
    excluded: dict[str, int],
    several: int,
) -> Units:
    codes = arm[mask]
    missing: dict[str, tuple[int, ...]] = {}

    def note(column: str, absent: NDArray[np.bool_]) -> None:
        if absent.any():
            missing[column] = tuple(int(n) for n in np.bincount(codes[absent], minlength=len(labels)))

    outcomes = tuple(outcome_column(source, name, mask) for name in design.outcomes)
    for outcome in outcomes:
        note(outcome.name, np.isnan(outcome.values))
    behaviour = None
    if design.behaviour is not None:
        behaviour = behaviour_column(source, design.behaviour)[mask]
        note(design.behaviour, np.isnan(behaviour))
    others = [_other_column(source, other.name, mask) for other in design.others]
    segment: Codes | None = None
    segment_labels: tuple[str, ...] = ()
    if design.segment is not None:
        segment, segment_labels, absent = segment_column(source, design.segment, mask)
        note(design.segment, absent)
    matrix: Floats | None = None
    names: tuple[str, ...] = ()
    if design.covariates:
        matrix, names, holes = covariate_matrix(source, design.covariates, mask)
        # A category with one level carries no information and makes no column.
        matrix = matrix if matrix.shape[1] else None
        for column, absent in holes.items():
            note(column, absent)
    return Units(
        labels=labels,
        arm=codes,
        outcomes=outcomes,
        rows=source.table.num_rows,
        excluded=excluded,
        several_variants=several,
        segment=segment,
        segment_labels=segment_labels,
        behaviour=behaviour,
        covariates=matrix,
        covariate_names=names,
        cluster=None if cluster is None else np.unique(cluster[mask], return_inverse=True)[1].astype(np.int64),
        missing=missing,
        group_hint=_group_hint(source, design, arm, mask),
        known_before=trait_levels(source, design, mask),
        other_names=tuple(other.name for other in design.others),
        others=np.column_stack(others) if others else None,
    )


def _other_column(source: Source, name: str, mask: NDArray[np.bool_]) -> Floats:
    """0 or 1 of each kept row. Empty ones are refused: the nudge may decide whose other behaviour is known."""
    values = behaviour_column(source, name, "--other")[mask]
    empty = np.flatnonzero(np.isnan(values))
    if len(empty):
        raise Refused(
            "{file}: column {column!r} (--other) is empty in {count:,} rows, such as row {row}: write 0 where the user "
            "didn't do it",
            file=source.name,
            column=name,
            count=len(empty),
            row=np.flatnonzero(mask)[empty[0]] + source.first_row,
        )
    return values


# ── Hint ──────────────────────────────────────────────────────────────────────
def _group_hint(source: Source, design: Design, arm: Codes, mask: NDArray[np.bool_]) -> GroupHint | None:
    """Find a column whose repeated values always share their variant: groups may have been assigned, not rows."""
    if design.cluster is not None:
        return None
    used = {design.variant, design.unit, design.behaviour, *design.outcomes}
    best: GroupHint | None = None
    for name in source.table.column_names:
        kind = source.table.schema.field(name).type
        if name in used or not (
            pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_large_string(kind)
        ):
            continue
        hint = _nested(name, label_column(source, name).codes[mask], arm[mask])
        if hint is not None and (best is None or hint.groups > best.groups):
            best = hint
    return best


def _nested(name: str, codes: Codes, arm: Codes) -> GroupHint | None:
    present = codes >= 0
    codes, arm = codes[present], arm[present]
    if len(codes) == 0:
        return None
    size = int(codes.max()) + 1
    first = np.full(size, -1, dtype=np.int64)
    first[codes[::-1]] = arm[::-1]
    if (first[codes] != arm).any():
        return None
    groups = int((first >= 0).sum())
    repeats = len(codes) - groups
    per_arm = Counter(int(code) for code in first if code >= 0)
    if repeats < HINT_REPEATS or min(per_arm.values()) < HINT_GROUPS_PER_ARM or len(per_arm) < len(np.unique(arm)):
        return None
    return GroupHint(name, groups, len(codes))
