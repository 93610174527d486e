"""Audience of a plan: its units, how many arrive a day, and problems that prevent the start."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from experiments.models import Experiment
from experiments.plan import mistakes
from experiments.plan.cluster_mistakes import Problem
from experiments.plan.derived import audience_share
from experiments.plan.record import WHOLE, PlannedRow
from experiments.plan.stored import plan_of, situation_of
from runs.refusals import Refused
from segments.models import Membership, Segment
from segments.published.members import find_segment
from segments.rules import is_live, parse_rule

# The step at which each problem of `plan.mistakes` is fixed; unknown codes go to the outcomes step.
STEP_OF = {
    "bad_key": "variants",
    "flag_taken": "variants",
    "no_hypothesis": "hypothesis",
    "too_few_variants": "variants",
    "bad_variant_key": "variants",
    "repeated_variant": "variants",
    "bad_weights": "variants",
    "bad_value_type": "variants",
    "bad_value": "variants",
    "primary_count": "outcomes",
    "display_only": "outcomes",
    "bad_metric": "outcomes",
    "uncertified_sql": "outcomes",
    "quantile_of_moved": "outcomes",
    "rule_without_guardrail": "outcomes",
    "bad_direction": "outcomes",
    "bad_guardrail_margin": "outcomes",
    "bad_otherwise": "outcomes",
    "bad_alpha": "plan",
    "bad_power": "plan",
    "no_smallest_effect": "plan",
    "bad_planned_effect": "plan",
    "bad_method": "plan",
    "bad_take_up": "plan",
    "no_planned_units": "plan",
    "no_planned_end": "plan",
    "bad_coverage": "audience",
    "bad_row_weights": "audience",
    "rule_without_segment": "audience",
    "two_placebos": "variants",
    "placebo_alone": "variants",
    "role_without_moment": "variants",
    "bad_dose": "variants",
    "no_window": "outcomes",
    "overlap": "outcomes",
    "bad_looks": "plan",
    "bad_covariates": "outcomes",
    "bad_adjustment": "plan",
    "adjusted_for_nothing": "outcomes",
    "bad_days_before": "outcomes",
    "days_before_of_new": "outcomes",
    "days_before_clock": "outcomes",
    "predicted_from_nothing": "outcomes",
    "predicted_of_old": "plan",
    "predicted_ratio": "plan",
    "adjusted_quantile": "plan",
    "no_prediction": "plan",
    "unreachable_row": "audience",
    "repeated_segment": "audience",
    "bad_slice": "audience",
    "slice_taken": "audience",
    "bad_cluster": "audience",
    "saturations_without_cluster": "audience",
    "cluster_row_weights": "audience",
    "bad_saturations": "audience",
    "saturation_variants": "variants",
    "saturation_weights": "variants",
}


@dataclass(frozen=True)
class Eligible:
    """How many units an audience has.

    Attributes:
        members: units in any of its segments now; None when the audience is everyone.
        enrolled: of these, units that the coverage includes, each counted in its first row; None when the audience is
            everyone.
        share: share of the arriving units that would be enrolled, 0 to 1.
    """

    members: int | None
    enrolled: int | None
    share: float


@dataclass(frozen=True)
class Trouble:
    """One problem that prevents the start: the step to fix it, its sentence, and the `mistakes` problem, if any."""

    step: str
    sentence: str
    problem: Problem | None = None


def choices() -> list[Segment]:
    """Published, targetable segments that aren't archived: the newest version of each model first."""
    rows = Segment.objects.published().filter(targetable=True, version__model__archived_at=None)
    return list(rows.order_by("version__model__name", "-version__number", "number"))


def count(rows: Sequence[tuple[str | None, int]], *, within: float = 1.0) -> Eligible:
    """Count an audience that may not be stored yet.

    Args:
        rows: segment (None: everyone else) and coverage in steps of 0.01 %, in order.
        within: share of all units available after layer and holdout, 0 to 1.

    Raises:
        Refused: a segment that isn't published.
    """
    segments = [None if slug is None else _found(slug) for slug, _coverage in rows]
    sizes = {segment.slug: _part(segment) for segment in segments if segment is not None}
    share = within * audience_share([PlannedRow(slug, coverage) for slug, coverage in rows], sizes.__getitem__)
    if not rows or None in segments:
        return Eligible(None, None, share)
    seen: list[int] = []
    members, enrolled = 0, 0.0
    for segment, (_slug, coverage) in zip(segments, rows, strict=True):
        rest = Membership.objects.filter(segment=segment)
        if seen:  # the first matching row decides, so each unit counts once
            rest = rest.exclude(unit__in=Membership.objects.filter(segment__in=seen).values("unit"))
        number = rest.count()
        members, enrolled = members + number, enrolled + number * coverage / WHOLE
        seen.append(segment.pk)  # type: ignore[union-attr]
    return Eligible(members, round(enrolled * within), share)


def troubles(experiment: Experiment) -> list[Trouble]:
    """All problems that prevent the start of a draft, with the step to fix each; empty when it may start."""
    found = [
        Trouble(STEP_OF.get(problem.code, "outcomes"), mistakes.words(problem), problem)
        for problem in mistakes.problems(plan_of(experiment), situation_of(experiment))
    ]
    for row in experiment.audience.filter(segment_key__isnull=False, rule__isnull=True):
        segment = find_segment(row.segment_key or "")
        if segment is None:
            text = _("There is no published segment '{key}'.")
        elif not segment.targetable:
            text = _("The segment '{key}' is too unstable to be targeted: another sample would not show it.")
        elif segment.version.model.archived_at is not None:
            text = _("The segment '{key}' is archived. Restore it, or take another one.")
        else:
            continue
        found.append(Trouble("audience", text.format(key=row.segment_key)))
    return found


def _found(slug: str) -> Segment:
    segment = find_segment(slug)
    if segment is None:
        raise Refused("There is no published segment '{key}'.", key=slug)
    return segment


def share_of(slug: str) -> float:
    """Share of its version's units that are in a published segment, 0 to 1.

    Raises:
        Refused: a segment that isn't published.
    """
    return _part(_found(slug))


def _part(segment: Segment) -> float:
    return segment.size / segment.version.units if segment.version.units else 0.0


def freeze_audience(experiment: Experiment) -> None:
    """At the start: check every segment of the audience, and copy rules that use only traits into their rows.

    Raises:
        Refused: a segment that isn't published or is archived, or a segment too unstable to be targeted.
    """
    for row in experiment.audience.select_for_update().filter(segment_key__isnull=False, rule__isnull=True):
        segment = find_segment(row.segment_key or "")
        if segment is None:
            raise Refused("There is no published segment '{key}'.", key=row.segment_key)
        if not segment.targetable:
            raise Refused(
                "The segment '{key}' is too unstable to be targeted: another sample would not show it.",
                key=row.segment_key,
            )
        if segment.version.model.archived_at is not None:
            raise Refused("The segment '{key}' is archived. Restore it, or take another one.", key=row.segment_key)
        version = segment.version
        if version.rule is not None and is_live(parse_rule(version.rule)):
            row.rule = version.rule  # evaluated on traits at each request; later segment versions don't change it
            row.save(update_fields=["rule"])
        version.pinned = True
        version.save(update_fields=["pinned"])
