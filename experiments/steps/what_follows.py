"""Right column of a step: calendar and costs of each choice; on the size's page also power curve and weeks."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from experiments.models import Experiment
from experiments.plan import audience as counting
from experiments.plan.choices.costs import costs
from experiments.plan.choices.plan_calendar import PlanCalendar, calendar_of
from experiments.plan.choices.trade_off import POWERS, TradeOffRow, trade_off
from experiments.plan.derived import share_left
from experiments.plan.planned_power import Inflow, unplannable
from experiments.plan.size import Suggestion, enrolled_share, sized_plan
from experiments.plan_page import power_curve
from experiments.plan_page.power_curve import PowerCurve
from experiments.plan_page.saved_rows import saved_rows
from experiments.report import power_chart
from experiments.report.planning import choice_words
from experiments.standing.ending import ending
from experiments.steps import arms_lines
from experiments.steps.mends import Mend
from experiments.steps.number_fields import effect_as_typed
from experiments.steps.trial import TriedPlan, tried
from reporting.numbers import count, decimal, effect_text, percent, significant
from reporting.words import days_words, reason_words
from runs.refusals import Refused
from stats.results import NotComputable, Reason, computable

type Line = tuple[str, str, str]  # label, value, and meaning of the number


def outlook(row: Experiment, step: str, data: Any) -> dict[str, Any]:
    """Consequences of the plan in the form; a sentence where they can't be computed."""
    try:
        trial = tried(row, step, data)
        context = _eligible(trial) if step == "audience" else {}
    except Refused as refusal:
        return {"refusal": refusal.sentence}
    try:
        inflow = power_curve.recent_inflow(row)
        found = sized_plan(trial.plan, inflow, trial.share)
    except Refused as refusal:
        return {**context, "no_numbers": refusal.sentence}
    calendar = _calendar(trial, inflow, found)
    return {
        **context,
        **_calendar_context(row, trial, inflow, found, calendar),
        "missing": _missing(row, inflow),
        "result_said": result_said(trial.plan.planned_end, trial.plan.primary),
        "costs": _costs(trial, inflow) if inflow.per_day > 0 and unplannable(inflow) is None else [],
        **(_size_context(trial, inflow, found) if step == "plan" else {}),
    }


def arms_outlook(row: Experiment, data: Any) -> dict[str, Any]:
    """Power of placebo and dose arms. Loaded separately because it queries the warehouse."""
    try:
        trial = tried(row, "plan", data)
        inflow = power_curve.recent_inflow(row)
        return {"arms": arms_lines.lines(row, sized_plan(trial.plan, inflow, trial.share))}
    except Refused as refusal:
        return {"refusal": refusal.sentence}


def result_said(end: date | None, outcomes: Sequence[str]) -> str:
    """The day of the result for a planned end in the form; "" without one."""
    if end is None or end <= timezone.localdate():
        return ""
    return ending(planned=end, ended=None, outcomes=outcomes, today=timezone.localdate()).said


def _missing(row: Experiment, inflow: Inflow) -> list[tuple[str, str]]:
    """What a person has to enter before anything can be computed: sentences with addresses of the fields."""
    page = reverse("experiments:step", args=[row.key, "plan"])
    found = []
    if (reason := unplannable(inflow)) is not None:
        found.append((reason_words(reason), f"{page}#id_expected_base"))
    if inflow.per_day <= 0:
        found.append((reason_words(NotComputable(Reason.NO_DAILY_UNITS)), f"{page}#id_expected_daily_units"))
    return found


def _eligible(trial: TriedPlan) -> dict[str, Any]:
    rows = [(one.segment, one.coverage) for one in trial.plan.audience]
    found = counting.count(rows, within=share_left(trial.plan))
    return {"eligible": found, "percent": percent(found.share)}


def _calendar(trial: TriedPlan, inflow: Inflow, found: Suggestion) -> PlanCalendar | NotComputable:
    units = trial.plan.planned_units or found.planned_units
    return calendar_of(units, inflow, trial.share, timezone.localdate()) if computable(units) else units


def _calendar_context(
    row: Experiment, trial: TriedPlan, inflow: Inflow, found: Suggestion, calendar: PlanCalendar | NotComputable
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
            _("of all variants together") if planned else _sized_for(found, inflow),
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
        "length": choice_words.duration(calendar.days),
        "known": _day(calendar.known),
        "too_long": too_long,
        "size_url": reverse("experiments:step", args=[row.key, "plan"]),
    }


def _sized_for(found: Suggestion, inflow: Inflow) -> str:
    effect = _say(found.planned_effect, partial(effect_text, share=inflow.sd is None, plus=True))
    return _("of all variants, to find {effect}").format(effect=effect)


def _costs(trial: TriedPlan, inflow: Inflow) -> list[dict[str, Any]]:
    try:
        found = costs(trial.plan, inflow, enrolled_share, power_curve.adjustment_worth(trial.row))
    except Refused:
        return []
    rows = []
    for one in found:
        having, without = choice_words.with_and_without(one)
        rows.append(
            {
                "name": choice_words.choice_name(one),
                "state": choice_words.choice_state(one),
                "chosen": one.chosen,
                "with": having,
                "without": without,
                "difference": choice_words.difference(one),
            }
        )
    return rows


def _size_context(trial: TriedPlan, inflow: Inflow, found: Suggestion) -> dict[str, Any]:
    row, share = trial.row, inflow.sd is None
    offered = computable(found.planned_units)
    if unplannable(inflow) is not None:
        return {"offered": offered}
    lines = [
        (_("Effect it is sized for"), _say(found.planned_effect, partial(effect_text, share=share, plus=True))),
        (_("Units needed"), _say(found.planned_units, count)),
        (_("Days until the last outcome is known"), _say(found.days, count)),
        (_("End of enrolment if it started today"), _day(found.planned_end)),
        (_("Result on"), _day(found.result_on)),
        (_("Outcome without the nudge"), _say(inflow.base, percent if share else significant)),
        (_("Level of one comparison"), _say(found.level, partial(percent, digits=2))),
        (_("Units, as a multiple of one look's"), _say(found.inflation, partial(decimal, digits=3))),
        (
            _("Chance to conclude no effect that matters, if there is none"),
            _say(found.power_no_material_effect, partial(percent, digits=0)),
        ),
        *saved_rows(found),
    ]
    if found.power_to_ship is not None:
        chance = _say(found.power_to_ship, partial(percent, digits=0))
        lines.append((_("Chance to ship a true success, at least"), chance))
    if inflow.reach is not None:
        lines.append((_("Reach the moment without the nudge"), _say(inflow.reach, percent)))
    unknown = reason_words(NotComputable(Reason.NO_DAILY_UNITS))  # `missing` reports it already
    lines = [line for line in lines if line[1] != unknown]
    try:
        curve = power_curve.curve_of(trial.plan, found)
        rows = trade_off(trial.plan, inflow, trial.share)
    except Refused as refusal:
        return {"offered": offered, "more": lines, "no_curve": refusal.sentence}
    except ValueError:  # an invalid effect, which its field reports
        return {"offered": offered, "more": lines}
    return {
        "offered": offered,
        "more": lines,
        "arms_url": reverse("experiments:plan_outlook", args=[row.key, "plan"]) if row.moment is not None else "",
        "weeks": [_weeks_row(one, share=share) for one in rows],
        "powers": [percent(one, 0) for one in POWERS],
        **_drawn(curve),
    }


def _weeks_row(one: TradeOffRow, *, share: bool) -> dict[str, Any]:
    end = timezone.localdate() + timedelta(days=one.days)
    take = None
    if computable(one.found):
        effect = effect_as_typed(float(f"{one.found * 1.0005:.4g}"), share=share) or ""
        changes = {
            "planned_effect": effect,
            "planned_units": str(one.units),
            "planned_end": (timezone.localdate() + timedelta(days=one.enrolment_days)).isoformat(),
            "power": percent(0.8, 0),
        }
        take = Mend(_("Take"), changes)
    return {
        "length": choice_words.duration(one.days),
        "end": date_format(end),
        "units": count(one.units),
        "effects": [_say(effect, partial(effect_text, share=share, plus=True)) for effect in one.effects],
        "chance": _say(one.chance, partial(percent, digits=0)),
        "take": take,
    }


def _drawn(curve: PowerCurve | NotComputable) -> dict[str, Any]:
    if not computable(curve):
        return {} if curve.reason is Reason.NO_DAILY_UNITS else {"no_curve": reason_words(curve)}
    drawing = power_chart.power_curve(
        curve.points,
        units=curve.units,
        reached=curve.reached,
        wanted=curve.wanted,
        effect=curve.effect,
        share=curve.share,
    )
    low = curve.reached < curve.wanted - 0.005
    return {"drawing": drawing, "points": [(count(one), percent(power, 0)) for one, power in curve.points], "low": low}


def _say(value: Any, write: Callable[[Any], str]) -> str:
    return reason_words(value) if isinstance(value, NotComputable) else write(value)


def _day(value: Any) -> str:
    return reason_words(value) if isinstance(value, NotComputable) else date_format(value)
