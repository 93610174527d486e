"""The search for a design: what is known of an experiment, a moment or a behaviour, and what a person gives instead."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aha.evidence.findings import Definition
from aha.evidence.joint_findings import sort_findings
from aha.evidence.store_findings import all_findings
from aha.models import AhaMoment
from aha.moments.claims import promised
from experiments.models import Analysis, Experiment
from experiments.plan.baseline_frequency import Before, Subject, baseline_acts, subject_of
from experiments.plan.caps import ANY_EVENT
from experiments.plan.cupac import worth_of
from experiments.plan.derived import share_left
from experiments.plan.designs import EVERYONE, Audience, PastTakeUp, SearchInputs, SearchResult, search
from experiments.plan.parting import Parting, parting_of
from experiments.plan.record import Explained
from experiments.plan.stored import plan_of
from runs.refusals import Refused
from segments.models import Membership, Segment, SegmentVersion

# How much earlier nudges moved a behaviour: first stages of finished experiments, by segment where known.
#
# Reads the rows of analyses directly, since `plan` may not import `analyse`.


def past_take_ups(behaviour: str, times: int, days: int) -> tuple[PastTakeUp, ...]:
    """First stages of the final analyses of tests of this behaviour, at least `times` within `days` days.

    A placebo and arms that nudge to another number are left out. A first stage needs no outcome, but that of a running
    experiment may still change.
    """
    rows = (
        Analysis.objects.filter(
            status=Analysis.Status.DONE,
            final=True,
            experiment__moment__behaviour=behaviour,
            experiment__moment__times=times,
            experiment__moment__days=days,
        )
        .order_by("experiment_id", "-pk")
        .values_list("experiment__key", "payload")
    )
    latest: dict[str, Any] = {}
    for key, payload in rows:
        latest.setdefault(key, payload)
    return tuple(take_up for key, payload in latest.items() for take_up in _of(key, payload))


def _of(key: str, payload: Any) -> Iterator[PastTakeUp]:
    """Take-ups in a stored result; none where its shape is unexpected."""
    if not isinstance(payload, Mapping):
        return
    plan = payload.get("plan") or {}
    left_out = {plan.get("placebo"), *(plan.get("doses") or {})}
    stages = [arm for arm in payload.get("first_stage") or [] if arm.get("variant") not in left_out]
    for arm in stages:
        nudge = key if len(stages) == 1 else f"{key}/{arm['variant']}"
        by_segment = [(row[0], row[1]) for row in arm.get("by_segment") or [] if row[0]]
        for segment, stage in [(EVERYONE, arm.get("take_up")), *by_segment]:
            if isinstance(stage, Mapping) and "difference" in stage:
                yield PastTakeUp(nudge, segment, float(stage["difference"]), float(stage["standard_error"]))


# Possible audiences: everyone and each published, targetable segment, with their users of four weeks.

MOST_VERSIONS = 5  # each costs a warehouse query


def audiences(subject: Subject, *, coverage: float = 1.0, segments: bool = True) -> tuple[Audience, ...]:
    """Everyone and the segments of the current versions, with their units a day, outcome and reach.

    Args:
        subject: behaviour and outcome.
        coverage: share of the units that may be enrolled.
        segments: query segments, too.

    Raises:
        Refused: as `baseline_acts`.
    """
    groups = _members() if segments else []
    by_segment: dict[str, Before] = {}
    for members in groups or [{}]:
        acts = baseline_acts(subject, members)
        by_segment |= {name: before for name, before in acts.items() if name != EVERYONE or EVERYONE not in by_segment}
    return tuple(_audience(name, before, subject, coverage) for name, before in sorted(by_segment.items()))


def of_numbers(audience: tuple[Audience, ...], daily_units: float) -> tuple[Audience, ...]:
    """The audiences scaled to another total of units a day: segments keep their shares."""
    whole = next(group.per_day for group in audience if group.segment == EVERYONE)
    return tuple(replace(group, per_day=group.per_day / whole * daily_units) for group in audience)


def _members() -> list[Mapping[str, str]]:
    """Segment by unit, for each current version with segments that may be targeted."""
    groups = []
    for version in SegmentVersion.objects.current().order_by("model_id")[:MOST_VERSIONS]:
        rows = Segment.objects.light("version__model").filter(version=version, targetable=True)
        slugs = {row.pk: row.slug for row in rows}
        members = Membership.objects.filter(segment__in=slugs).values_list("unit", "segment_id")
        groups.append({str(unit): slugs[int(pk or 0)] for unit, pk in members.iterator()})
    return [group for group in groups if group]


def _audience(name: str, before: Before, subject: Subject, coverage: float) -> Audience:
    reach = before.reach(subject.times)
    return Audience(name, before.per_day * coverage, before.base, before.sd, reach, before.last_day)


# Search designs for an experiment, a moment or a behaviour, from known values or values given by a person.

SHARE_OF_PROMISE = 0.5  # expected share of a correlation's promise, where too few promises have been tested
GIVEN = "given"


@dataclass(frozen=True)
class Given:
    """Values that a person gives to replace known ones; None and empty use the known values.

    Attributes:
        effect: of the behaviour, to plan the test for.
        take_ups: share moved, by segment key ("" for everyone), instead of those of past experiments.
        r_squared: of covariates known before assignment; None for that of the plan's own adjustment.
        daily_units: total units a day.
        alpha, power: of the plan.
        deadline: days at which the smallest effects are compared.
        exposure: share of units on whom the feature acts.
        times, days, outcome, signup_event: of a behaviour that isn't a moment's.
        segments: False to search for everyone only.
    """

    effect: float | None = None
    take_ups: tuple[tuple[str, float], ...] = ()
    r_squared: float | None = None
    daily_units: float | None = None
    alpha: float | None = None
    power: float | None = None
    deadline: int = 60
    exposure: float = 1.0
    times: int | None = None
    days: int | None = None
    outcome: str | None = None
    signup_event: str | None = None
    segments: bool = True


@dataclass(frozen=True)
class Searched:
    """Input and result of a search; `parting` where earlier experiments can't tell the behaviour from another one."""

    subject: Subject
    inputs: SearchInputs
    result: SearchResult
    parting: Parting | None = None


def search_by_name(name: str, given: Given) -> Searched:
    """Search designs for an experiment's key, a moment's key, or a behaviour.

    Raises:
        Refused: the effect is unknown, or values that a behaviour needs are missing; as `audiences`.
    """
    experiment = Experiment.objects.select_related("moment", "layer", "holdout").filter(key=name).first()
    if experiment is not None:
        return search_for(experiment, given)
    moment = AhaMoment.objects.filter(key=name).first()
    if moment is not None:
        subject = Subject(
            moment.behaviour, moment.times, moment.days, moment.retention, moment.signup_event or ANY_EVENT
        )
        return _searched(subject, _hoped_for(moment), given)
    if given.times is None or given.days is None or given.outcome is None:
        raise Refused(
            "{name} is no experiment and no AHA moment; for a behaviour give times, days and outcome.", name=name
        )
    return _searched(Subject(name, given.times, given.days, given.outcome, ANY_EVENT), None, given)


def search_for(experiment: Experiment, given: Given) -> Searched:
    """Search designs for an experiment, from its row, saved or not.

    Raises:
        Refused: it tests no moment; as `search_by_name`.
    """
    if experiment.moment is None:
        raise Refused("The experiment tests no AHA moment: there is no behaviour to search a test for.")
    known = replace(
        given,
        alpha=given.alpha if given.alpha is not None else experiment.alpha,
        power=given.power if given.power is not None else experiment.power,
    )
    plan = plan_of(experiment)
    if known.r_squared is None and isinstance(worth := worth_of(plan), Explained):
        known = replace(known, r_squared=worth.r_squared)
    effect = experiment.planned_effect or experiment.smallest_effect or _hoped_for(experiment.moment)
    return _searched(subject_of(experiment), effect, known, coverage=share_left(plan))


def _hoped_for(moment: AhaMoment) -> float | None:
    adjusted = promised(moment.evidence).adjusted
    return None if adjusted is None or adjusted.estimate <= 0 else SHARE_OF_PROMISE * adjusted.estimate


def _searched(subject: Subject, known: float | None, given: Given, *, coverage: float = 1.0) -> Searched:
    effect = given.effect if given.effect is not None else known
    if effect is None:
        raise Refused("No effect of the behaviour is planned or predicted: give one.", at="effect")
    subject = replace(
        subject,
        times=given.times or subject.times,
        days=given.days or subject.days,
        outcome=given.outcome or subject.outcome,
        signup_event=given.signup_event or subject.signup_event,
    )
    users = audiences(subject, coverage=coverage, segments=given.segments)
    if given.daily_units is not None:
        users = of_numbers(users, given.daily_units)
    past = tuple(PastTakeUp(GIVEN, segment, share) for segment, share in given.take_ups)
    unknown = {segment for segment, _share in given.take_ups} - {group.segment for group in users} - {EVERYONE}
    if unknown:
        raise Refused("There is no segment {names} with users in the last weeks.", names=", ".join(sorted(unknown)))
    try:
        inputs = SearchInputs(
            effect=effect,
            audiences=users,
            take_ups=past or past_take_ups(subject.behaviour, subject.times, subject.days),
            r_squared=given.r_squared or 0.0,
            alpha=0.05 if given.alpha is None else given.alpha,
            power=0.8 if given.power is None else given.power,
            deadline=given.deadline,
            exposure=given.exposure,
        )
        result = search(inputs)
    except ValueError as error:
        raise Refused("{why}.", why=str(error)) from None
    return Searched(subject, inputs, result, _parting(subject, inputs))


def _parting(subject: Subject, inputs: SearchInputs) -> Parting | None:
    claim = Definition(subject.behaviour, subject.times, subject.days, subject.outcome)
    found = sort_findings(all_findings(), subject.outcome)
    return parting_of(found, claim, effect=inputs.effect, power=inputs.power, alpha=inputs.alpha)
