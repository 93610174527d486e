"""Search designs for an experiment, a moment or a behaviour, from known values or values given by a person."""

from dataclasses import dataclass, replace

from aha.models import AhaMoment
from aha.moments.claims import promised
from experiments.models import Experiment
from experiments.plan.caps import ANY_EVENT
from experiments.plan.derived import share_left
from experiments.plan.earlier.earlier_users import worth_of
from experiments.plan.earlier.predictor import Explained
from experiments.plan.nudge_arms.acts_before import Subject
from experiments.plan.nudge_arms.arms_of_plan import subject_of
from experiments.plan.search.design_options import EVERYONE, PastTakeUp, SearchInputs
from experiments.plan.search.past_tests import past_take_ups
from experiments.plan.search.ranked import SearchResult, search
from experiments.plan.search.users_to_come import audiences, of_numbers
from experiments.plan.stored import plan_of
from runs.refusals import Refused

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
    """Input and result of a search."""

    subject: Subject
    inputs: SearchInputs
    result: SearchResult


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
        raise Refused("No effect of the behaviour is planned or promised: give one.", at="effect")
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
    unknown = {segment for segment, _share in given.take_ups} - {one.segment for one in users} - {EVERYONE}
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
        return Searched(subject, inputs, search(inputs))
    except ValueError as error:
        raise Refused("{why}.", why=str(error)) from None
