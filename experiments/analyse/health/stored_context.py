"""Input of the checks of a stored experiment: gathered data beside the plan. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from experiments.analyse.comparator import Comparator
from experiments.analyse.comparison.cluster_cells import ClusterData
from experiments.analyse.gather.answers import Answers, Audit, Cells
from experiments.analyse.health.context import Context, Split, split_of
from experiments.analyse.outcome_lock import mature_units, units_by_arm
from experiments.analyse.result import FirstStage, LookTaken, Standing
from experiments.plan.planned import Planned
from reporting.numbers import percent
from stats.clusters import mixed_clusters
from stats.results import Estimate, NotComputable, computable
from stats.srm import any_look_p, evidence_against_split

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

    plan: Planned
    answers: Answers
    standing: Standing
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
        return self.plan.enrolment_ended is None


def stored_context(
    plan: Planned,
    answers: Answers,
    standing: Standing,
    audit: Audit,
    *,
    first_stage: tuple[FirstStage, ...] = (),
    guardrails: Mapping[tuple[str, str], Estimate | NotComputable] | None = None,
    comparators: Mapping[str, Comparator] | None = None,
    earlier: tuple[LookTaken, ...] = (),
) -> StoredContext:
    """True while units may still be enrolled."""
    cells = answers.cells
    by_arm = ClusterData(cells, (), {}).counts()
    return StoredContext(
        counts=units_by_arm(cells, cells.exposed),
        split=_split(plan, cells, cells.exposed, final=standing.final, share=OVERALL),
        segments=tuple(_segments(plan, cells, final=standing.final)),
        first_arms=_first_arms(plan, answers, final=standing.final),
        placebo=plan.placebo,
        comparators=comparators or {},
        plan=plan,
        answers=answers,
        standing=standing,
        audit=audit,
        mature=_split(plan, cells, mature_units(plan, cells), final=standing.final, share=MATURE),
        weeks=tuple(_weeks(plan, cells)),
        first_stage=first_stage,
        guardrails=guardrails or {},
        earlier=earlier,
        clusters=by_arm or None,
        mixed=0 if cells.cluster is None or plan.saturations else mixed_clusters(cells.cluster, cells.variant),
        all_clusters=cells.clusters,
    )


def _split(plan: Planned, cells: Cells, units: np.ndarray, *, final: bool, share: float) -> Split:
    """Units against the planned split; before the final look with the p-value that holds every night."""
    if plan.saturations:
        parts = [_saturations(plan, cells, units)]
        split = split_of(*parts[0])
        return split if final else _nightly(split, parts, share)
    split = split_of(assigned_by_arm(cells, units), expected_shares(plan, cells, units))
    return split if final else _nightly(split, _by_plan(plan, cells, units), share)


def _saturations(plan: Planned, cells: Cells, units: np.ndarray) -> Part:
    """Clusters by the saturation that they drew: the first stage of the assignment."""
    labels = [percent(one.share) for one in plan.saturations]
    counts = dict.fromkeys(labels, 0)
    if cells.cluster is not None and cells.saturation is not None:
        here = (units > 0) & (cells.saturation >= 0)
        pairs = np.unique(np.column_stack([cells.cluster[here], cells.saturation[here]]), axis=0)
        counts = {label: int((pairs[:, 1] == place).sum()) for place, label in enumerate(labels)}
    return counts, dict(zip(labels, [one.weight for one in plan.saturations], strict=True))


def _segments(plan: Planned, cells: Cells, *, final: bool) -> Iterator[Split]:
    if plan.saturations:  # clusters are drawn over all segments
        return
    # A segment that appears later must not make earlier tests too lenient: use the plan's number where it is larger.
    share = SEGMENTS / max(len(cells.segments), len(plan.shares))
    for code, label in enumerate(cells.segments):
        counts = assigned_by_arm(cells, np.where(cells.segment == code, cells.exposed, 0))
        shares = dict(zip(plan.variants, segment_shares(plan, label), strict=True))
        split = split_of(counts, shares, label or "–")
        yield split if final else _nightly(split, [(counts, shares)], share)


def _weeks(plan: Planned, cells: Cells) -> Iterator[Split]:
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


def _first_arms(plan: Planned, answers: Answers, *, final: bool) -> Split | None:
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
    counts, expected = Counter[str](dict.fromkeys(plan.variants, 0)), Counter[str]()
    for shares, found in by_shares.items():
        chances = np.array(shares) / sum(shares)
        chances *= 1 - chances
        if not chances.any():  # the plan gives this segment one arm only
            continue
        drawn = dict(zip(plan.variants, (chances / chances.sum()).tolist(), strict=True))
        parts.append((dict(found), drawn))
        counts.update(found)
        expected.update({label: share * found.total() for label, share in drawn.items()})
    if not parts:
        return None
    split = split_of(counts, expected)
    return split if final else _nightly(split, parts, 1.0)


def _nightly(split: Split, parts: list[Part], share: float) -> Split:
    if not computable(split.found):
        return split
    return replace(split, found=replace(split.found, any_look=any_look_p(evidence_against_split(parts), share=share)))


def _by_plan(plan: Planned, cells: Cells, units: np.ndarray) -> list[Part]:
    """Units and planned shares, one pair for each distinct split in the plan; segments with equal splits are merged."""
    splits: dict[tuple[float, ...], np.ndarray] = {}
    for code, label in enumerate(cells.segments):
        shares = segment_shares(plan, label)
        splits[shares] = splits.get(shares, np.zeros(len(units), dtype=bool)) | (cells.segment == code)
    return [
        (assigned_by_arm(cells, np.where(here, units, 0)), dict(zip(plan.variants, shares, strict=True)))
        for shares, here in splits.items()
    ]


def expected_shares(plan: Planned, cells: Cells, units: np.ndarray | None = None) -> dict[str, float]:
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
    shares = np.zeros(len(plan.variants))
    for label, n in zip(cells.segments, by_segment, strict=True):
        shares += n / total * np.asarray(segment_shares(plan, label))
    return dict(zip(plan.variants, (shares if by_segment.sum() else shares + 1 / len(shares)).tolist(), strict=True))


def segment_shares(plan: Planned, segment: str) -> tuple[float, ...]:
    """Planned share of each arm in one segment; exposures without a segment follow the row for everyone."""
    found = plan.shares.get(segment) or plan.shares.get("")
    return found if found is not None else next(iter(plan.shares.values()))
