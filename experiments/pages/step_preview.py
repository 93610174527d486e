"""The right column of a step: the unsaved plan, its calendar, what each choice costs, the curve, the arms."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from hashlib import sha256
from typing import Any

from django.core.cache import cache
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from events.metrics import display_name
from experiments.models import Experiment
from experiments.pages import step_forms
from experiments.pages.judging_forms import OutcomesForm, PlanForm
from experiments.pages.number_fields import effect_as_typed
from experiments.pages.quick_fixes import QuickFix
from experiments.pages.step_forms import Arms, AudienceStepForm, VariantsForm
from experiments.plan import audience as counting
from experiments.plan.arms_power import proposed_targets
from experiments.plan.baseline_frequency import Before, arms_of, baseline_acts, subject_of
from experiments.plan.catalogue_metrics import take_over
from experiments.plan.derived import share_left
from experiments.plan.lab import can_be_drawn, variants_of
from experiments.plan.planned_power import (
    POWERS,
    Inflow,
    PlanCalendar,
    TradeOffRow,
    calendar_of,
    costs,
    power_plan,
    spill_prices,
    trade_off,
    unplannable,
)
from experiments.plan.record import Plan, PlannedNudge, PlannedRow, PlannedVariant
from experiments.plan.size import Suggestion, enrolled_share, sized_plan
from experiments.plan.stored import plan_of
from experiments.plan_page import known_numbers
from experiments.plan_page.known_numbers import PowerCurve, lab_notes, lab_rows, saved_rows
from experiments.plan_page.other_words import aim_words
from experiments.report import planning
from experiments.report.planning import arms_rows
from experiments.status.ending import ending
from reporting.numbers import count, decimal, effect_text, percent, significant
from reporting.words import days_words, reason_words
from runs.refusals import Refused
from runs.site_zone import site_date
from stats.results import NotComputable, Reason, computable

# Placebo and dose arms in the steps: proposals on the page of the arms, and their power beside the size.

BEFORE_SECONDS = 600  # same as for the inflow


def lines(row: Experiment, found: Suggestion) -> list[tuple[str, str]]:
    """Power of the arms in the given row, or of proposed ones; empty without a moment."""
    if row.moment is None:
        return []
    try:
        power = arms_of(row, found, before=_before(row))
    except Refused as refusal:
        return [(_("What they could show"), refusal.sentence)]
    return [] if power is None else arms_rows(power)


def proposed(row: Experiment, data: Any) -> Any:
    """The form of the arms with a placebo, or dose arms, added to its rows, and equal weights.

    Nothing is stored before the person continues.
    """
    data, times = data.copy(), 1 if row.moment is None else row.moment.times
    places = [at for at in range(_rows(data)) if data.get(f"arms-{at}-key", "").strip()]
    present = {data.get(f"arms-{at}-dose", "").strip() or data.get(f"arms-{at}-role", "") for at in places[1:]}
    value = data.get(f"arms-{places[-1]}-value", "") if places else ""
    if data["propose"] == "placebo":
        new = [] if "placebo" in present else [("placebo", "placebo", "")]
    else:
        doses = [str(target) for target in proposed_targets(times) if target != times]
        new = [(f"dose-{target}", "dose", target) for target in doses if target not in present]
    at = _rows(data)
    for key, role, dose in new:
        for name, text in (("key", key), ("name", ""), ("value", value), ("role", role), ("dose", dose)):
            data[f"arms-{at}-{name}"] = text
        places.append(at)
        at += 1
    data["arms-TOTAL_FORMS"] = str(at)
    for place, share in zip(places, _equal(len(places)), strict=True):
        data[f"arms-{place}-weight"] = share
    return Arms(data, prefix="arms")


def _rows(data: Any) -> int:
    text = str(data.get("arms-TOTAL_FORMS", ""))
    return int(text) if text.isdecimal() else 0


def _equal(arms: int) -> list[str]:
    """Equal weights in per cent with two decimals that add up to 100: the first ones get the rounding remainder."""
    if not arms:
        return []
    each, rest = divmod(10_000, arms)
    return [f"{(each + (at < rest)) / 100:g}" for at in range(arms)]


def _before(row: Experiment) -> Before:
    subject = subject_of(row)
    key = f"acts-before:{sha256(repr(subject).encode()).hexdigest()}"
    before: Before | None = cache.get(key)
    if before is None:
        before = baseline_acts(subject)[""]
        cache.set(key, before, BEFORE_SECONDS)
    return before


# The plan with the unsaved values of a form; nothing is stored.

FOLLOWED = ("variants", "audience", "outcomes", "plan")  # steps with forms that change numbers


@dataclass(frozen=True)
class TriedPlan:
    """A plan with unsaved values.

    Attributes:
        row: the draft with the form's columns, unsaved.
        plan: with the form's arms and audience, too.
        share: of new users that it enrols, 0 to 1.
    """

    row: Experiment
    plan: Plan
    share: float


def tried(row: Experiment, step: str, data: Mapping[str, Any] | None) -> TriedPlan:
    """The plan with a form's values; the stored plan without data.

    Raises:
        Refused: an invalid form, or a segment that isn't published.
    """
    plan = plan_of(row)
    if data is not None and step in FOLLOWED:
        plan = {"variants": _arms, "audience": _audience, "outcomes": _columns, "plan": _columns}[step](row, step, data)
    return TriedPlan(row, plan, enrolled_share(plan))


def _arms(row: Experiment, _step: str, data: Any) -> Plan:
    form = VariantsForm(data, experiment=row)
    if row.is_lab:
        return _nudges(row, form)
    arms = step_forms.arms(row, data, more=False)
    if not (form.is_valid() and arms.is_valid()):
        raise _unreadable()
    variants = tuple(
        PlannedVariant(arm["key"], arm["value"], arm["weight"], arm["role"], arm["dose"], arm["name"])
        for arm in arms.values()
    )
    if not variants or min(arm.weight for arm in variants) <= 0:
        raise _unreadable()
    return replace(plan_of(row), variants=variants)


def _nudges(row: Experiment, form: VariantsForm) -> Plan:
    if not form.is_valid():
        raise _unreadable()
    values = form.values()
    nudges, most = tuple(PlannedNudge(**one) for one in values["nudges"]), values["most_nudges"]
    if not can_be_drawn(nudges, most):
        raise _unreadable()
    return replace(plan_of(row), nudges=nudges, most_nudges=most, variants=variants_of(nudges, most))


def _audience(row: Experiment, _step: str, data: Any) -> Plan:
    form, segments = AudienceStepForm(data, experiment=row), step_forms.segments(row, data)
    if not (form.is_valid() and segments.is_valid()):
        raise _unreadable()
    _set(row, form.values())
    rows = tuple(
        PlannedRow(entry["segment_key"], entry["coverage"], None) for entry in step_forms.audience(row, form, segments)
    )
    return replace(plan_of(row), audience=rows)


def _columns(row: Experiment, step: str, data: Any) -> Plan:
    form = {"outcomes": OutcomesForm, "plan": PlanForm}[step](data, experiment=row)
    if not form.is_valid():
        raise _unreadable()
    _set(row, take_over(form.values(), row).fields)
    return plan_of(row)


def _set(row: Experiment, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def _unreadable() -> Refused:
    return Refused("Correct the form to see what the plan leads to.")


# Right column of a step: calendar and costs of each choice; on the size's page also power curve and weeks.

type Line = tuple[str, str, str]  # label, value, and meaning of the number


def outlook(row: Experiment, step: str, data: Any) -> dict[str, Any]:
    """Consequences of the plan in the form; a sentence where they can't be computed."""
    try:
        trial = tried(row, step, data)
        context = _eligible(trial) if step == "audience" else {}
    except Refused as refusal:
        return {"refusal": refusal.sentence}
    try:
        inflow = known_numbers.recent_inflow(row)
        suggestion = sized_plan(trial.plan, inflow, trial.share)
    except Refused as refusal:
        return {**context, "no_numbers": refusal.sentence}
    calendar = _calendar(trial, inflow, suggestion)
    return {
        **context,
        **_calendar_context(row, trial, inflow, suggestion, calendar),
        "missing": _missing(row, inflow),
        "result_said": result_said(trial.plan.planned_end, trial.plan.primary),
        "costs": _costs(trial, inflow) if inflow.per_day > 0 and unplannable(inflow) is None else [],
        **(_size_context(trial, inflow, suggestion) if step == "plan" else {}),
    }


def arms_outlook(row: Experiment, data: Any) -> dict[str, Any]:
    """Power of placebo and dose arms. Loaded separately because it queries the warehouse."""
    try:
        trial = tried(row, "plan", data)
        inflow = known_numbers.recent_inflow(row)
        return {"arms": lines(row, sized_plan(trial.plan, inflow, trial.share))}
    except Refused as refusal:
        return {"refusal": refusal.sentence}


def result_said(end: date | None, outcomes: Sequence[str]) -> str:
    """The day of the result for a planned end in the form; "" without one."""
    if end is None or end <= site_date():
        return ""
    return ending(planned=end, ended=None, outcomes=outcomes, today=site_date()).said


def _missing(row: Experiment, inflow: Inflow) -> list[tuple[str, str]]:
    """What a person has to enter before anything can be computed: sentences with addresses of the fields."""
    page = reverse("experiments:step", args=[row.key, "plan"])
    missing = []
    if (reason := unplannable(inflow)) is not None:
        missing.append((reason_words(reason), f"{page}#id_expected_base"))
    if inflow.per_day <= 0:
        missing.append((reason_words(NotComputable(Reason.NO_DAILY_UNITS)), f"{page}#id_expected_daily_units"))
    return missing


def _eligible(trial: TriedPlan) -> dict[str, Any]:
    rows = [(row.segment, row.coverage) for row in trial.plan.audience]
    eligible = counting.count(rows, within=share_left(trial.plan))
    return {"eligible": eligible, "percent": percent(eligible.share)}


def _calendar(trial: TriedPlan, inflow: Inflow, suggestion: Suggestion) -> PlanCalendar | NotComputable:
    units = trial.plan.planned_units or suggestion.planned_units
    return calendar_of(units, inflow, trial.share, site_date()) if computable(units) else units


def _calendar_context(
    row: Experiment, trial: TriedPlan, inflow: Inflow, suggestion: Suggestion, calendar: PlanCalendar | NotComputable
) -> dict[str, Any]:
    came = _("came a day from {first} to {last}: the last four weeks whose outcome is known")
    if inflow.per_day_from == "expects":
        came = _("as the plan expects")
    lines: list[Line] = [
        (
            _("Eligible users a day"),
            decimal(inflow.per_day, 0),
            came.format(first=date_format(inflow.first), last=date_format(inflow.last)),
        ),
        (
            _("Enrolled a day"),
            decimal(inflow.per_day * trial.share, 0),
            _("{share} of them, by audience, coverage, layer and holdout").format(share=percent(trial.share)),
        ),
    ]
    if inflow.base_from == "study":
        base = _say(inflow.base, percent)
        lines.append((_("Outcome without the nudge"), base, _("from the study: nothing newer is known")))
    if not computable(calendar):
        nobody = trial.share <= 0
        why = _("With this coverage nobody is enrolled.") if nobody else reason_words(calendar)
        known = (NotComputable(Reason.NO_DAILY_UNITS), unplannable(inflow))  # `missing` reports these
        return {"lines": lines, "no_calendar": why if nobody or calendar not in known else ""}
    planned = trial.plan.planned_units is not None
    lines += [
        (
            _("Planned users") if planned else _("Users needed"),
            count(calendar.units),
            _users_words(trial, suggestion, inflow),
        ),
        (
            _("Enrolment ends"),
            _day(calendar.enrolment_ends),
            _("after {days}").format(days=days_words(calendar.enrolment_days)),
        ),
        (
            _("Last outcome known"),
            _day(calendar.known),
            _("{n} days in all: {window} more until the outcome's last day is over").format(
                n=count(calendar.days), window=inflow.last_day + 1
            ),
        ),
    ]
    too_long = None
    if calendar.too_long:
        text = _("At {per_day} users a day this takes {years} years. A plan should end within a year.")
        too_long = text.format(per_day=decimal(calendar.enrolled, 0), years=decimal(calendar.days / 365.25, 1))
    return {
        "lines": lines,
        "length": planning.duration(calendar.days),
        "known": _day(calendar.known),
        "too_long": too_long,
        "size_url": reverse("experiments:step", args=[row.key, "plan"]),
    }


def _users_words(trial: TriedPlan, suggestion: Suggestion, inflow: Inflow) -> str:
    """What the number of users counts, and without a planned one what for."""
    planned = trial.plan.planned_units is not None
    if trial.plan.is_lab:
        text = _("whatever nudges they get") if planned else _("whatever nudges they get, to find {effect}")
    else:
        text = _("of all groups together") if planned else _("of all groups, to find {effect}")
    return text.format(effect=_say(suggestion.planned_effect, partial(effect_text, share=inflow.sd is None, plus=True)))


def _costs(trial: TriedPlan, inflow: Inflow) -> list[dict[str, Any]]:
    if trial.plan.is_lab:  # what a lab's choices cost isn't computed
        return []
    try:
        choices = costs(trial.plan, inflow, enrolled_share, known_numbers.adjustment_worth(trial.row))
    except Refused:
        return []
    rows = []
    for choice in choices:
        having, without = planning.with_and_without(choice)
        rows.append(
            {
                "name": planning.choice_name(choice),
                "state": planning.choice_state(choice),
                "chosen": choice.chosen,
                "with": having,
                "without": without,
                "difference": planning.difference(choice),
            }
        )
    return rows


def _size_context(trial: TriedPlan, inflow: Inflow, suggestion: Suggestion) -> dict[str, Any]:
    row, share = trial.row, inflow.sd is None
    offered = computable(suggestion.planned_units)
    if unplannable(inflow) is not None:
        return {"offered": offered}
    lines = [
        (_("Effect it is sized for"), _say(suggestion.planned_effect, partial(effect_text, share=share, plus=True))),
        (_("Users needed"), _say(suggestion.planned_units, count)),
        (_("Days until the last outcome is known"), _say(suggestion.days, count)),
        (_("End of enrolment if it started today"), _day(suggestion.planned_end)),
        (_("Result on"), _day(suggestion.result_on)),
        (_("Outcome without the nudge"), _say(inflow.base, percent if share else significant)),
        (
            _("Error rate that its behaviours share") if trial.plan.is_lab else _("Level of one comparison"),
            _say(suggestion.level, partial(percent, digits=2)),
        ),
        (_("Users, compared with a single analysis"), _say(suggestion.inflation, partial(decimal, digits=3))),
        (
            _("Chance to conclude no effect that matters, if there is none"),
            _say(suggestion.power_no_material_effect, partial(percent, digits=0)),
        ),
        *lab_rows(trial.plan, inflow),
        *saved_rows(suggestion),
    ]
    if suggestion.power_to_ship is not None:
        chance = _say(suggestion.power_to_ship, partial(percent, digits=0))
        lines.append((_("Chance to ship a true success, at least"), chance))
    if inflow.reach is not None and not trial.plan.is_lab:  # whose behaviours have a line each
        lines.append((_("Do it without the nudge"), _say(inflow.reach, percent)))
    unknown = reason_words(NotComputable(Reason.NO_DAILY_UNITS))  # `missing` reports it already
    lines = [line for line in lines if line[1] != unknown]
    try:
        curve = known_numbers.curve_of(trial.plan, suggestion)
        rows = () if trial.plan.is_lab else trade_off(trial.plan, inflow, trial.share)
    except Refused as refusal:
        return {"offered": offered, "more": lines, "no_curve": refusal.sentence}
    except ValueError:  # an invalid effect, which its field reports
        return {"offered": offered, "more": lines}
    return {
        "offered": offered,
        "more": lines,
        "arms_url": reverse("experiments:plan_outlook", args=[row.key, "plan"])
        if row.moment and not row.is_lab
        else "",
        "spills": _spills(trial, inflow, suggestion),
        "notes": lab_notes() if trial.plan.is_lab else [],
        "weeks": [_weeks_row(week, share=share) for week in rows],
        "powers": [percent(power, 0) for power in POWERS],
        **_drawn(curve),
    }


def _spills(trial: TriedPlan, inflow: Inflow, suggestion: Suggestion) -> list[tuple[str, str, str]]:
    """What the list of other behaviours costs: in which case, users more, chance with the planned users."""
    effect, units = suggestion.planned_effect, suggestion.per_variant
    if trial.plan.is_lab or not (computable(effect) and computable(units)):
        return []
    try:
        prices = spill_prices(trial.plan, power_plan(trial.plan, inflow), effect, units)
    except ValueError:  # as above
        return []
    rows = []
    for price in prices:
        case = _("The nudge moves none of them")
        if price.behaviour:
            case = _("It also moves {behaviour} by {points}").format(
                behaviour=display_name(price.behaviour), points=effect_text(price.take_up, share=True)
            )
        more = count(price.more) if computable(price.more) else _("no number of users would do")
        rows.append((case, more, _say(price.power, partial(percent, digits=0))))
    return rows


def _weeks_row(week: TradeOffRow, *, share: bool) -> dict[str, Any]:
    end = site_date() + timedelta(days=week.days)
    take = None
    if computable(week.found):
        effect = effect_as_typed(float(f"{week.found * 1.0005:.4g}"), share=share) or ""
        changes = {
            "planned_effect": effect,
            "planned_units": str(week.units),
            "planned_end": (site_date() + timedelta(days=week.enrolment_days)).isoformat(),
            "power": percent(0.8, 0),
        }
        take = QuickFix(_("Take"), changes)
    return {
        "length": planning.duration(week.days),
        "end": date_format(end),
        "units": count(week.units),
        "effects": [_say(effect, partial(effect_text, share=share, plus=True)) for effect in week.effects],
        "chance": _say(week.chance, partial(percent, digits=0)),
        "take": take,
    }


def _drawn(curve: PowerCurve | NotComputable) -> dict[str, Any]:
    if not computable(curve):
        return {} if curve.reason is Reason.NO_DAILY_UNITS else {"no_curve": reason_words(curve)}
    given: dict[str, Any] = {name: getattr(curve, name) for name in ("units", "reached", "wanted", "effect", "share")}
    if curve.behaviours:
        named = tuple((aim_words(name, times), points) for name, times, points in curve.behaviours)
        drawing = planning.lab_curve(named, **given)
    else:
        drawing = planning.power_curve(curve.points, **given)
    low = curve.reached < curve.wanted - 0.005
    return {
        "drawing": drawing,
        "points": [(count(units), percent(power, 0)) for units, power in curve.points],
        "low": low,
    }


def _say(value: Any, write: Callable[[Any], str]) -> str:
    return reason_words(value) if isinstance(value, NotComputable) else write(value)


def _day(value: Any) -> str:
    return reason_words(value) if isinstance(value, NotComputable) else date_format(value)
