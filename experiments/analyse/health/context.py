"""What health checks look at: a file's cleaned units, or the warehouse's answers beside the plan. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from experiments.analyse.comparison.cluster_cells import ClusterData
from experiments.analyse.comparison.protocol import Comparator
from experiments.analyse.gather.answers import Answers, Audit, Cells
from experiments.analyse.outcome_lock import mature_units, units_by_arm
from experiments.analyse.result import FirstStage, LookTaken, Maturity
from experiments.plan.analysed import Analysed, History
from experiments.plan.derived import saturations
from experiments.plan.design import Design, Units
from experiments.plan.lab import OFF, with_and_without
from experiments.plan.record import Plan
from reporting.numbers import percent
from stats.clusters import ClusterCount, count_by_arm, mixed_clusters, reach_across
from stats.results import Estimate, NotComputable, computable
from stats.srm import SampleRatio, any_look_p, evidence_against_split, sample_ratio

# What the checks of files and of stored experiments have in common. Pure.


@dataclass(frozen=True)
class Split:
    """How the units of an experiment, or of one segment or week, are split between its arms.

    Attributes:
        counts: units by arm; clusters where clusters were assigned.
        found: chi-square of the counts against the planned shares. While the experiment is checked every night, its
            `any_look` is set and decides.
        label: of the segment or week; "" for all units.
    """

    counts: Mapping[str, int]
    found: SampleRatio | NotComputable
    label: str = ""


def split_of(counts: Mapping[str, int], shares: Mapping[str, float], label: str = "") -> Split:
    """Counts with their chi-square test at one look."""
    return Split(counts, sample_ratio(counts, shares), label)


@dataclass(frozen=True, kw_only=True)
class Context:
    """Input of a check. `FileContext` and `StoredContext` add what only one of the two has.

    Attributes:
        counts: units by arm that enter the analysis.
        sides: of a lab the units with each nudge, and of `off` the fewest without one; empty elsewhere.
        split: of the assigned units or clusters.
        segments: the same in each segment.
        placebo: the arm with a nudge towards something inert.
        comparators: what each arm is compared with, control or the placebo.
        clusters: of each arm, where clusters were assigned; None where units were.
        mixed: clusters that hold units of several arms though each was to have one; `all_clusters` is all of them.
    """

    counts: Mapping[str, int]
    split: Split
    sides: Mapping[str, int] = field(default_factory=dict)
    segments: tuple[Split, ...] = ()
    placebo: str | None = None
    comparators: Mapping[str, Comparator] = field(default_factory=dict)
    clusters: Mapping[str, ClusterCount] | None = None
    mixed: int = 0
    all_clusters: int = 0


# Input of the checks of a file: its cleaned units. Pure.


@dataclass(frozen=True, kw_only=True)
class FileContext(Context):
    """A finished experiment in a file: it has no exposures, but every unit's values."""

    design: Design
    units: Units


def file_context(design: Design, units: Units, comparators: Mapping[str, Comparator] | None = None) -> FileContext:
    """Context of a file: assigned units by arm, in total and in each segment."""
    shares = planned_shares(design, units)
    everybody = np.ones(len(units.arm), dtype=bool)
    return FileContext(
        counts=units.counts,
        split=split_of(_assigned(units, everybody), shares),
        segments=tuple(
            split_of(_assigned(units, units.segment == code), shares, label)
            for code, label in enumerate(units.segment_labels)
            if units.segment is not None
        ),
        placebo=design.placebo,
        comparators=comparators or {},
        design=design,
        units=units,
        clusters=None if units.cluster is None else count_by_arm(units.cluster, units.arm, units.labels),
        mixed=0 if units.cluster is None else mixed_clusters(units.cluster, units.arm),
        all_clusters=0 if units.cluster is None else len(np.unique(units.cluster)),
    )


def planned_shares(design: Design, units: Units) -> dict[str, float]:
    """Planned share of each arm; equal where the design names none."""
    if design.shares is None:
        return dict.fromkeys(units.labels, 1 / len(units.labels))
    return dict(design.shares)


def _assigned(units: Units, mask: np.ndarray) -> dict[str, int]:
    """Assigned units per arm; groups when groups were assigned."""
    arm = units.arm[mask]
    if units.cluster is not None and not reach_across(units.cluster, units.arm):
        arm = np.unique(np.column_stack([units.cluster[mask], arm]), axis=0)[:, 1]
    sizes = np.bincount(arm, minlength=len(units.labels))
    return {label: int(n) for label, n in zip(units.labels, sizes, strict=True)}


# Input of the checks of a stored experiment: gathered data beside the plan. Pure.

type Part = tuple[dict[str, int], dict[str, float]]

# Shares of the error rate of .001 for the nightly sample ratio tests; they sum to 1. Segments divide theirs further.
OVERALL, MATURE, SEGMENTS = 9 / 15, 1 / 15, 5 / 15


@dataclass(frozen=True, kw_only=True)
class StoredContext(Context):
    """A stored experiment, whether its outcome is locked or open.

    Attributes:
        mature: of the units with every primary outcome known.
        weeks: by week of the first exposure, tested at one look.
        first_arms: units with several variants by their first one, against the split expected when the nudge doesn't
            affect further exposure; None where there are none, and where clusters were drawn, whose units aren't
            independent.
        guardrails: by guardrail outcome and variant, the difference with its always-valid interval.
        earlier: looks taken before, oldest first.
    """

    plan: Plan
    history: History
    answers: Answers
    maturity: Maturity
    audit: Audit
    mature: Split
    weeks: tuple[Split, ...]
    first_arms: Split | None
    first_stage: tuple[FirstStage, ...]
    guardrails: Mapping[tuple[str, str], Estimate | NotComputable]
    earlier: tuple[LookTaken, ...]

    @property
    def running(self) -> bool:
        """Units may still be enrolled."""
        return self.history.enrolment_ended is None


def stored_context(
    analysed: Analysed,
    answers: Answers,
    maturity: Maturity,
    audit: Audit,
    *,
    first_stage: tuple[FirstStage, ...] = (),
    guardrails: Mapping[tuple[str, str], Estimate | NotComputable] | None = None,
    comparators: Mapping[str, Comparator] | None = None,
    earlier: tuple[LookTaken, ...] = (),
) -> StoredContext:
    """True while units may still be enrolled."""
    plan, cells = analysed.plan, answers.cells
    by_arm = ClusterData(cells, (), {}).counts()
    counts = units_by_arm(cells, cells.exposed)
    return StoredContext(
        counts=counts,
        sides=_sides(plan, counts),
        split=_split(plan, cells, cells.exposed, final=maturity.final, share=OVERALL),
        segments=tuple(_segments(plan, cells, final=maturity.final)),
        first_arms=_first_arms(plan, answers, final=maturity.final),
        placebo=plan.placebo_arm,
        comparators=comparators or {},
        plan=plan,
        history=analysed.history,
        answers=answers,
        maturity=maturity,
        audit=audit,
        mature=_split(plan, cells, mature_units(plan, cells), final=maturity.final, share=MATURE),
        weeks=tuple(_weeks(plan, cells)),
        first_stage=first_stage,
        guardrails=guardrails or {},
        earlier=earlier,
        clusters=by_arm or None,
        mixed=0 if cells.cluster is None or plan.saturations else mixed_clusters(cells.cluster, cells.variant),
        all_clusters=cells.clusters,
    )


def _sides(plan: Plan, counts: Mapping[str, int]) -> dict[str, int]:
    """Units with each nudge of a lab, and the fewest without one."""
    if not plan.is_lab:
        return {}
    found = {nudge.key: with_and_without(counts, plan.arms, nudge.key) for nudge in plan.nudges}
    return {
        OFF: min((without for _with_it, without in found.values()), default=0),
        **{nudge: with_it for nudge, (with_it, _without) in found.items()},
    }


def _split(plan: Plan, cells: Cells, units: np.ndarray, *, final: bool, share: float) -> Split:
    """Units against the planned split; before the final look with the p-value that holds every night."""
    if plan.saturations:
        parts = [_saturations(plan, cells, units)]
        split = split_of(*parts[0])
        return split if final else _nightly(split, parts, share)
    split = split_of(assigned_by_arm(cells, units), expected_shares(plan, cells, units))
    return split if final else _nightly(split, _by_plan(plan, cells, units), share)


def _saturations(plan: Plan, cells: Cells, units: np.ndarray) -> Part:
    """Clusters by the saturation that they drew: the first stage of the assignment."""
    drawn = saturations(plan)
    labels = [percent(saturation.share) for saturation in drawn]
    counts = dict.fromkeys(labels, 0)
    if cells.cluster is not None and cells.saturation is not None:
        here = (units > 0) & (cells.saturation >= 0)
        pairs = np.unique(np.column_stack([cells.cluster[here], cells.saturation[here]]), axis=0)
        counts = {label: int((pairs[:, 1] == place).sum()) for place, label in enumerate(labels)}
    return counts, dict(zip(labels, [saturation.weight for saturation in drawn], strict=True))


def _segments(plan: Plan, cells: Cells, *, final: bool) -> Iterator[Split]:
    if plan.saturations:  # clusters are drawn over all segments
        return
    # A segment that appears later must not make earlier tests too lenient: use the plan's number where it is larger.
    share = SEGMENTS / max(len(cells.segments), len(plan.shares))
    for code, label in enumerate(cells.segments):
        counts = assigned_by_arm(cells, np.where(cells.segment == code, cells.exposed, 0))
        shares = dict(zip(plan.arms, segment_shares(plan, label), strict=True))
        split = split_of(counts, shares, label or "–")
        yield split if final else _nightly(split, [(counts, shares)], share)


def _weeks(plan: Plan, cells: Cells) -> Iterator[Split]:
    for code, week in enumerate(cells.weeks):
        units = np.where(cells.week == code, cells.exposed, 0)
        if plan.saturations:
            yield split_of(*_saturations(plan, cells, units), week.isoformat())
        else:
            yield split_of(assigned_by_arm(cells, units), expected_shares(plan, cells, units), week.isoformat())


def assigned_by_arm(cells: Cells, units: np.ndarray) -> dict[str, int]:
    """Assigned units by arm, or clusters with any of these units where clusters were assigned."""
    if cells.cluster is None:
        return units_by_arm(cells, units)
    pairs = np.unique(np.column_stack([cells.cluster, cells.variant])[units > 0], axis=0)
    sizes = np.bincount(pairs[:, 1], minlength=len(cells.variants))
    return {label: int(n) for label, n in zip(cells.variants, sizes, strict=True)}


def _first_arms(plan: Plan, answers: Answers, *, final: bool) -> Split | None:
    """Units with several arms, by their first one, against the split expected by chance.

    Both arms are drawn independently from the same shares, so the first is i and another arm follows with probability
    p_i (1 - p_i), p being the planned shares: one half each with two arms, whatever their shares.
    """
    if not answers.first_arms or answers.cells.cluster is not None:
        return None
    by_shares: dict[tuple[float, ...], Counter[str]] = {}
    for segment, variant, units in answers.first_arms:
        by_shares.setdefault(segment_shares(plan, segment), Counter())[variant] += units
    parts: list[Part] = []
    counts, expected = Counter[str](dict.fromkeys(plan.arms, 0)), Counter[str]()
    for shares, observed in by_shares.items():
        chances = np.array(shares) / sum(shares)
        chances *= 1 - chances
        if not chances.any():  # the plan gives this segment one arm only
            continue
        drawn = dict(zip(plan.arms, (chances / chances.sum()).tolist(), strict=True))
        parts.append((dict(observed), drawn))
        counts.update(observed)
        expected.update({label: share * observed.total() for label, share in drawn.items()})
    if not parts:
        return None
    split = split_of(counts, expected)
    return split if final else _nightly(split, parts, 1.0)


def _nightly(split: Split, parts: list[Part], share: float) -> Split:
    if not computable(split.found):
        return split
    return replace(split, found=replace(split.found, any_look=any_look_p(evidence_against_split(parts), share=share)))


def _by_plan(plan: Plan, cells: Cells, units: np.ndarray) -> list[Part]:
    """Units and planned shares, one pair for each distinct split in the plan; segments with equal splits are merged."""
    splits: dict[tuple[float, ...], np.ndarray] = {}
    for code, label in enumerate(cells.segments):
        shares = segment_shares(plan, label)
        splits[shares] = splits.get(shares, np.zeros(len(units), dtype=bool)) | (cells.segment == code)
    return [
        (assigned_by_arm(cells, np.where(here, units, 0)), dict(zip(plan.arms, shares, strict=True)))
        for shares, here in splits.items()
    ]


def expected_shares(plan: Plan, cells: Cells, units: np.ndarray | None = None) -> dict[str, float]:
    """Planned share of each arm, given how many units came from each segment.

    Args:
        plan: with its shares by segment.
        cells: from the warehouse.
        units: per cell, those that are counted; None for all exposed ones. Mature units, or those of one week, may have
            another mix of segments than all.
    """
    counted = cells.exposed if units is None else units
    by_segment = np.bincount(cells.segment, weights=counted, minlength=len(cells.segments))
    total = max(float(by_segment.sum()), 1.0)
    shares = np.zeros(len(plan.arms))
    for label, n in zip(cells.segments, by_segment, strict=True):
        shares += n / total * np.asarray(segment_shares(plan, label))
    return dict(zip(plan.arms, (shares if by_segment.sum() else shares + 1 / len(shares)).tolist(), strict=True))


def segment_shares(plan: Plan, segment: str) -> tuple[float, ...]:
    """Planned share of each arm in one segment; exposures without a segment follow the row for everyone."""
    shares = plan.shares.get(segment) or plan.shares.get("")
    return shares if shares is not None else next(iter(plan.shares.values()))
