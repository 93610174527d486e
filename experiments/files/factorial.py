"""The file of a factorial experiment: nudges that are each drawn by themselves, and a map of causes from its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.analyse.across.causes_map import CausesMap, Remark, ToKnow, open_places, users_to_know, weeks_until
from experiments.files.cleaning import find_column, refuse_doubled, rows_in_words
from experiments.files.reading import Source, behaviour_column, label_column, outcome_column, read_table
from experiments.plan.design import Codes, Floats, Kind
from runs.refusals import Refused
from stats.compare import compare_means
from stats.instrument.causes import Place, map_of_causes, measured_jointly
from stats.instrument.joint import FEWEST_CLUSTERS, MOST_BEHAVIOURS, JointMoments, moments_of_units, read_jointly
from stats.instrument.nudge_pairs import nudge_pairs
from stats.interaction import independence
from stats.results import Estimate, NotComputable, Reason, computable
from stats.srm import sample_ratio
from stats.summaries import Mean

MOST_NUDGES = 20
# Alarms on the draws, as for the groups of any experiment: docs/methods/integrity.md.
ALARM = 0.001
# Two nudges with a correlation from here on are one draw: their effects can't be told apart.
ONE_DRAW = 0.99


@dataclass(frozen=True)
class Factorial:
    """The columns of a factorial experiment's file, and what was fixed before it was read.

    Attributes:
        unit: column of the user's id.
        nudges: 0/1 columns, 1 where the user got the nudge.
        behaviours: 0/1 columns, 1 where the user did it.
        outcome: column; 0/1 is a share.
        cluster: column of the groups whose users aren't independent.
        shares: planned share of users with a nudge, by its column; half where none is named.
        alpha: error rate of the map.
        margin: smallest effect that matters, in the outcome's unit per user who does it.
    """

    unit: str
    nudges: tuple[str, ...]
    behaviours: tuple[str, ...]
    outcome: str
    cluster: str | None = None
    shares: Mapping[str, float] | None = None
    alpha: float = 0.05
    margin: float | None = None


@dataclass(frozen=True, eq=False)
class FactorialRows:
    """The users of a file.

    Attributes:
        arms: n x J; acts: n x K; outcome: n; cluster: n numbers or None.
        share: whether the outcome is a share.
        left_out: rows by why they were left out.
    """

    arms: Floats
    acts: Floats
    outcome: Floats
    cluster: Codes | None
    share: bool
    left_out: Mapping[str, int]


def map_file(path: Path, design: Factorial) -> CausesMap:
    """The map of causes of a factorial experiment's file.

    Raises:
        Refused: the file or an option can't be used; the sentence names it.
    """
    refuse_design(design)
    labels = [design.unit, design.cluster]
    source = read_table(path, text_columns=frozenset(name.casefold() for name in labels if name is not None))
    resolved = resolve_columns(source, design)
    return map_rows(resolved, read_rows(source, resolved), source.name)


def refuse_design(design: Factorial) -> None:
    """Refuse what is wrong whatever the file holds.

    Raises:
        Refused: the sentence names the option.
    """
    if not 0 < design.alpha < 0.5:
        raise Refused("--alpha must lie between 0 and 0.5, not {given:g}", given=design.alpha)
    if design.margin is not None and not 0 < design.margin < inf:
        raise Refused("--margin must be above 0 and finite, not {given:g}", given=design.margin)
    nudges, behaviours = len(design.nudges), len(design.behaviours)
    if nudges > MOST_NUDGES or behaviours > MOST_BEHAVIOURS:
        raise Refused(
            "at most {nudges} nudges and {behaviours} behaviours can be read together",
            at="nudge behaviour",
            nudges=MOST_NUDGES,
            behaviours=MOST_BEHAVIOURS,
        )
    if behaviours > nudges:
        raise Refused(
            "{nudges} nudges can't tell {behaviours} behaviours apart: give at least as many --nudge as --behaviour",
            at="behaviour",
            nudges=nudges,
            behaviours=behaviours,
        )


def resolve_columns(source: Source, design: Factorial) -> Factorial:
    """The design with the file's own names of its columns.

    Raises:
        Refused: a column is missing, or is given twice.
    """
    refuse_doubled(source)
    if source.table.num_rows == 0:
        raise Refused("{file}: the file has a header but no rows", file=source.name)

    def find(names: Sequence[str], role: str) -> tuple[str, ...]:
        return tuple(find_column(source, name, role) for name in names)

    shares = {find_column(source, name, "--ratio"): share for name, share in (design.shares or {}).items()}
    resolved = Factorial(
        unit=find((design.unit,), "--unit")[0],
        nudges=find(design.nudges, "--nudge"),
        behaviours=find(design.behaviours, "--behaviour"),
        outcome=find((design.outcome,), "--outcome")[0],
        cluster=None if design.cluster is None else find((design.cluster,), "--cluster")[0],
        shares=shares,
        alpha=design.alpha,
        margin=design.margin,
    )
    roles = [(resolved.unit, "--unit"), (resolved.outcome, "--outcome")]
    roles += [
        *((name, "--nudge") for name in resolved.nudges),
        *((name, "--behaviour") for name in resolved.behaviours),
    ]
    seen: dict[str, str] = {}
    for column, role in roles:
        if column in seen:
            raise Refused(
                "{file}: column {column!r} is given twice, as {first} and {second}",
                file=source.name,
                column=column,
                first=seen[column],
                second=role,
            )
        seen[column] = role
    for column in shares:
        if column not in resolved.nudges:
            raise Refused("--ratio names column {column!r}, which is no --nudge", column=column)
    return resolved


def read_rows(source: Source, design: Factorial) -> FactorialRows:
    """The users of a file; those with a missing value are left out and counted.

    Raises:
        Refused: a column holds something else than it should, or a user stands twice.
    """
    arms = np.column_stack([behaviour_column(source, name, "--nudge") for name in design.nudges])
    acts = np.column_stack([behaviour_column(source, name) for name in design.behaviours])
    outcome = outcome_column(source, design.outcome, np.ones(source.table.num_rows, bool))
    unit = label_column(source, design.unit)
    groups = None if design.cluster is None else label_column(source, design.cluster).codes
    missing = {
        "missing_unit": unit.codes < 0,
        "missing_nudge": np.isnan(arms).any(axis=1),
        "missing_cluster": np.zeros(len(arms), bool) if groups is None else groups < 0,
        "missing_behaviour": np.isnan(acts).any(axis=1),
        "missing_outcome": np.isnan(outcome.values),
    }
    kept, left_out = np.ones(len(arms), bool), {}
    for why, absent in missing.items():
        if (kept & absent).any():
            left_out[why] = int((kept & absent).sum())
        kept &= ~absent
    _refuse_twice(source, design, unit.codes, unit.names, kept)
    for place, name in enumerate(design.nudges):
        if len(np.unique(arms[kept, place])) < 2:
            raise Refused(
                "{file}: column {column!r} (--nudge) must hold both 0 and 1: users with the nudge and users without",
                file=source.name,
                column=name,
            )
    cluster = None if groups is None else np.unique(groups[kept], return_inverse=True)[1].astype(np.int64)
    share = outcome.kind is Kind.PROPORTION
    return FactorialRows(arms[kept], acts[kept], outcome.values[kept], cluster, share, left_out)


def _refuse_twice(
    source: Source, design: Factorial, codes: Codes, names: tuple[str, ...], kept: NDArray[np.bool_]
) -> None:
    counts = np.bincount(codes[kept], minlength=len(names))
    doubled = np.flatnonzero(counts > 1)
    if len(doubled):
        rows = np.flatnonzero(kept & (codes == doubled[0]))
        raise Refused(
            "{file}: user {unit!r} of column {column!r} stands {times} times (rows {rows}); give one row per user",
            file=source.name,
            unit=names[doubled[0]],
            column=design.unit,
            times=counts[doubled[0]],
            rows=rows_in_words([int(row) + source.first_row for row in rows]),
        )


def map_rows(design: Factorial, rows: FactorialRows, file: str) -> CausesMap:
    """The map of a file's users.

    Raises:
        Refused: their numbers don't allow one.
    """
    refuse_one_draw(design, rows, file)
    moments = moments_of_units(
        design.nudges, design.behaviours, rows.outcome, rows.acts, rows.arms, clusters=rows.cluster
    )
    if not computable(moments):
        raise _too_few(design, rows, moments, file)
    reading = read_jointly(moments, design.alpha)
    places = map_of_causes(measured_jointly(reading, design.margin), alpha=design.alpha)
    users = len(rows.outcome)
    return CausesMap(
        outcome=design.outcome,
        share=rows.share,
        users=users,
        experiments=design.nudges,
        places=places,
        promises={name: gap(rows.outcome, rows.acts[:, k]) for k, name in enumerate(design.behaviours)},
        to_know={
            place.behaviour: _to_know(moments, design, users, place.behaviour, places) for place in open_places(places)
        },
        agreement=reading.agreement,
        direct_effect=reading.direct_effect,
        pairs=nudge_pairs(design.nudges, rows.outcome, rows.arms, alpha=design.alpha, clusters=rows.cluster),
        remarks=remarks_on(design, rows),
        alpha=design.alpha,
    )


def refuse_one_draw(design: Factorial, rows: FactorialRows, file: str) -> None:
    """Refuse draws of which nothing can be learned.

    Raises:
        Refused: two nudges went to the same users, or a planned split isn't kept.
    """
    for first, second in combinations(range(len(design.nudges)), 2):
        if abs(float(np.corrcoef(rows.arms[:, first], rows.arms[:, second])[0, 1])) >= ONE_DRAW:
            raise Refused(
                "{file}: the nudges {first!r} and {second!r} went to the same users, so they can't be told apart",
                file=file,
                first=design.nudges[first],
                second=design.nudges[second],
            )
    for place, name in enumerate(design.nudges):
        if design.shares and name in design.shares:
            nudged = int(rows.arms[:, place].sum())
            p_value = split_p(nudged, len(rows.arms), design.shares[name])
            if p_value < ALARM:
                raise Refused(
                    "{file}: {nudged:,} of {users:,} users have nudge {column!r}, planned are {share:.0%} "
                    "(p {p_value:.2g}): find out why, the data can't answer",
                    file=file,
                    nudged=nudged,
                    users=len(rows.arms),
                    column=name,
                    share=design.shares[name],
                    p_value=p_value,
                )


def split_p(nudged: int, users: int, share: float) -> float:
    """The p-value of the planned split of one nudge."""
    test = sample_ratio({"1": nudged, "0": users - nudged}, {"1": share, "0": 1 - share})
    return test.p_value if computable(test) else 1.0


def _too_few(design: Factorial, rows: FactorialRows, missing: NotComputable, file: str) -> Refused:
    if missing.reason is Reason.TOO_FEW_CLUSTERS and rows.cluster is not None:
        return Refused(
            "{file}: column {column!r} (--cluster) has {count} groups; to read nudges together takes at least {needed}",
            file=file,
            column=design.cluster,
            count=missing.details["n"],
            needed=FEWEST_CLUSTERS,
        )
    return Refused("{file}: each nudge needs at least two users with it and two without", file=file)


def gap(outcome: Floats, did: Floats) -> Estimate | NotComputable:
    """What the correlation says: the outcome of users who did it less that of the others."""
    return compare_means(Mean.from_values(outcome[did == 0]), Mean.from_values(outcome[did == 1]))


def _to_know(
    moments: JointMoments, design: Factorial, users: int, behaviour: str, places: tuple[Place, ...]
) -> ToKnow | NotComputable:
    place = next(row for row in places if row.behaviour == behaviour)
    freedom = len(moments.nudges) - len(moments.behaviours) + 1
    needed = users_to_know(
        place, users, margin=design.margin, freedom=freedom, measured=len(places), alpha=design.alpha
    )
    return ToKnow(needed, weeks_until(needed, users, None)) if computable(needed) else needed


def remarks_on(design: Factorial, rows: FactorialRows) -> tuple[Remark, ...]:
    """What a reader of the map must know about the file."""
    found = [Remark(why, {"n": n, "rows": len(rows.outcome) + n}) for why, n in rows.left_out.items()]
    users = len(rows.outcome)
    for place, name in enumerate(design.nudges):
        nudged = int(rows.arms[:, place].sum())
        if name not in (design.shares or {}) and split_p(nudged, users, 0.5) < ALARM:
            found.append(Remark("nudge_share", {"nudge": name, "n": nudged, "users": users}))
    alarm = ALARM / max(len(design.nudges) * (len(design.nudges) - 1) / 2, 1)
    for first, second in combinations(range(len(design.nudges)), 2):
        counts = [[int(((rows.arms[:, first] == one) & (rows.arms[:, second] == two)).sum()) for two in (0, 1)]
                  for one in (0, 1)]  # fmt: skip
        test = independence(counts)
        if computable(test) and test.p_value < alarm:
            names = {"first": design.nudges[first], "second": design.nudges[second]}
            found.append(Remark("draws_dependent", {**names, "p_value": test.p_value}))
    return tuple(found)
