"""Audience of a plan: its units, how many arrive a day, and problems that prevent the start; layers and holdouts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from experiments.models import Assignment, Experiment, Holdout, Layer
from experiments.plan import validation
from experiments.plan.derived import audience_share
from experiments.plan.fields import Enrolment
from experiments.plan.lifecycle import LIVE
from experiments.plan.record import WHOLE, PlannedRow
from experiments.plan.stored import plan_of, situation_of
from experiments.plan.validation import KEY, Problem
from experiments.plan.warnings import SharedUnits
from runs.refusals import Refused
from segments.models import Membership, Segment
from segments.published.members import find_segment
from segments.rules import is_live, parse_rule

# Running experiments that would share units with a draft, and how many units. Experiments of one layer share none.

MOST_NAMED = 5


def shared_with_running(row: Experiment) -> tuple[SharedUnits, ...]:
    """Running experiments that a draft would share units with, at most five, those with most units first.

    Args:
        row: a draft with its audience, layer and holdout.
    """
    others = Experiment.objects.filter(status__in=[status.value for status in LIVE]).exclude(pk=row.pk)
    if row.layer_id is not None:
        others = others.exclude(layer=row.layer_id)
    candidates = [
        SharedUnits(other.key, other.title, _units(row, other), other.enrolment_closed_at is None)
        for other in others.select_related("moment")
    ]
    sharing = [experiment for experiment in candidates if experiment.units or experiment.open]
    return tuple(sorted(sharing, key=lambda experiment: -experiment.units)[:MOST_NAMED])


def _units(row: Experiment, other: Experiment) -> int:
    """Units of the other experiment in this audience: counted in its segments, estimated by coverage and layer."""
    if row.enrolment == Enrolment.NEW_UNITS:
        return 0  # units of the other experiment aren't new any more
    left = Assignment.objects.filter(experiment=other)
    parts = list(row.audience.all())
    expected = float(left.count()) if not parts else 0.0  # without audience rows everyone is enrolled
    for part in parts:
        if part.segment_key is None:
            expected += left.count() * part.coverage / WHOLE
            break  # the first matching row decides, and this one matches everyone
        segment = find_segment(part.segment_key)
        if segment is None:
            continue  # reported by `audience.troubles`
        members = Membership.objects.filter(segment=segment).values("unit")
        expected += left.filter(unit__in=members).count() * part.coverage / WHOLE
        left = left.exclude(unit__in=members)
    slice_ = (row.layer_high - row.layer_low) / WHOLE if row.layer_id is not None else 1.0
    apart = 1.0 if row.holdout is None or row.holdout_id == other.holdout_id else 1 - row.holdout.share / WHOLE
    return round(expected * slice_ * apart)


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
    """One problem that prevents the start: its step, its sentence, and the problem of the plan, if any."""

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
    problems = [
        Trouble(problem.step, validation.words(problem), problem)
        for problem in validation.problems(plan_of(experiment), situation_of(experiment))
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
        problems.append(Trouble("audience", text.format(key=row.segment_key)))
    return problems


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


# Layers and holdouts. Their keys are seeds of draws, so a key or share never changes: that would move units.


def create_layer(*, key: str, name: str = "") -> Layer:
    """Create a layer, of which experiments take slices.

    Raises:
        Refused: a key that exists or is invalid.
    """
    return _created(Layer(key=key, name=name))


def create_holdout(*, key: str, share: int, active: bool = True) -> Holdout:
    """Create a holdout: units that no experiment enrols that is drafted while the holdout is active.

    Args:
        key: its name.
        share: in steps of 0.01 %.
        active: new drafts use it; only one can be active.

    Raises:
        Refused: a key that exists or is invalid, or a share outside 0 to 100 %.
    """
    if not 0 < share < WHOLE:
        raise Refused("The share of a holdout lies between 0 and 100%.")
    with transaction.atomic():
        row = _created(Holdout(key=key, share=share, active=False))
        return set_active(holdout=row, active=active)


def set_active(*, holdout: Holdout, active: bool) -> Holdout:
    """Make new drafts use this holdout instead of another, or none. Existing experiments don't change."""
    with transaction.atomic():
        rows = {row.pk: row for row in Holdout.objects.select_for_update()}
        for row in rows.values():
            wanted = active if row.pk == holdout.pk else row.active and not active
            if row.active != wanted:
                row.active = wanted
                row.save(update_fields=["active"])
    return rows[holdout.pk]


def _created[Row: Any](row: Row) -> Row:
    if not KEY.fullmatch(row.key):
        raise Refused(
            "'{key}' is no key: 1 to 128 letters, digits, dots, dashes, underscores; the first a letter or digit.",
            key=row.key,
        )
    try:
        row.full_clean()
    except ValidationError as error:
        sentences = " ".join(error.messages)
        raise Refused(sentences) from None
    row.save()
    return row
