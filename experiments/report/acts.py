"""Threshold or dose: acts that the nudge added, effect of one further act, test of the dose arms. Pure."""

from functools import partial
from statistics import NormalDist

from experiments.analyse.effects import Report
from experiments.analyse.result import ByTimes, Opened
from experiments.plan.design import Kind
from experiments.report.estimates import PANEL, WIDTH, effect_with_limits
from reporting.charts import INK, ORANGE, PALE, Drawn, alt, data
from reporting.numbers import between, decimal, effect_limits, level_text, p_value, percent, points, significant
from reporting.table import Part, Section, Table
from reporting.words import gettext, reason_words
from stats.instrument.arms import ArmsFit, EffectSet
from stats.instrument.dose import Dose, DoseTest, DoseWeights
from stats.results import NotComputable, computable


def section(opened: Opened, report: Report) -> Section:
    """Acts that each variant added, the effect of one further act, and dose arms where the plan has them."""
    share = report.outcomes[0].kind is Kind.PROPORTION
    parts: list[Part] = []
    for place, row in enumerate(opened.by_times, start=1):
        effect = response(row, share)
        parts.append(_added(place, row, report.design.level))
        parts.append(Part(f"response-{place}", effect.title, "", effect))
    lead = ""
    if opened.by_times and opened.dose is not None:
        lead, table = dose_finding(opened.dose), dose(opened.dose)
        parts.append(Part("dose-arms", table.title, lead, table))
    return Section("acts", gettext("Does the number matter, or each time?"), lead, tuple(parts))


def _added(place: int, row: ByTimes, level: float) -> Part:
    slug, heading = f"acts-{place}", gettext("Which extra times did {variant} bring?").format(variant=row.variant)
    if not computable(row.weights):
        return Part(slug, heading, acts_finding(row), None)
    note = gettext("Orange: the moment's own number. Lines: the interval of each bar at {level}.")
    return Part(
        slug,
        heading,
        acts_finding(row),
        weights(row.weights),
        note=note.format(level=level_text(level)),
        draw=partial(draw, row.weights, level),
    )


def weights(dose_weights: DoseWeights) -> Table:
    """Table of the acts that the nudge added."""
    rows = tuple(
        (
            _times(n, dose_weights),
            points(raised),
            decimal(100 * error, 1),
            percent(weight),
            gettext("the moment's own number") if n == dose_weights.threshold else "",
        )
        for n, raised, error, weight in zip(
            dose_weights.times, dose_weights.raised, dose_weights.errors, dose_weights.weights, strict=True
        )
    )
    columns = (
        gettext("number of times"),
        gettext("more users who did it this often with the nudge, points"),
        gettext("standard error, points"),
        gettext("weight"),
        "",
    )
    return Table(gettext("The extra times that the nudge brought"), columns, rows)


def _times(n: int, dose_weights: DoseWeights) -> str:
    return gettext("{n} or more").format(n=n) if n == dose_weights.times[-1] else str(n)


def acts_finding(row: ByTimes) -> str:
    """Share of the added acts that cross the moment's number."""
    dose_weights = row.weights
    if not computable(dose_weights):
        return reason_words(dose_weights)
    text = gettext(
        "Only {share} of the extra actions of {variant} took a user across {times}. If every action counts, the "
        "effect isn't the threshold's alone."
    )
    sentence = text.format(
        share=percent(dose_weights.share_at_threshold, 0), variant=row.variant, times=dose_weights.threshold
    )
    if dose_weights.negative:
        caution = gettext(
            "At {times} times the nudge lowered the behaviour, which contradicts the method's assumption."
        )
        sentence += " " + caution.format(times=", ".join(map(str, dose_weights.negative)))
    return sentence


def draw(dose_weights: DoseWeights, level: float) -> Drawn:
    """Chart of the increase in the share of units that reach each number of times, in points.

    Args:
        dose_weights: differences of shares and their standard errors.
        level: of the limits that are drawn, the plan's, for example 0.95.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    rows = [
        {
            "times": n,
            "raised": raised * 100,
            "low": (raised - z * error) * 100,
            "high": (raised + z * error) * 100,
            "own": n == dose_weights.threshold,
        }
        for n, raised, error in zip(dose_weights.times, dose_weights.raised, dose_weights.errors, strict=True)
    ]
    base = alt.Chart(data(rows)).encode(
        x=alt.X("times:O", title=gettext("number of times (at least)"), axis=alt.Axis(labelAngle=0))
    )
    y = alt.Y(
        "raised:Q", title=gettext("more users who did it this often with the nudge, points"), scale=alt.Scale(zero=True)
    )
    layers = [
        base.mark_bar().encode(y=y, color=alt.condition("datum.own", alt.value(ORANGE), alt.value(PALE))),
        base.mark_rule(color=INK).encode(y=alt.Y("low:Q"), y2="high:Q"),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=PANEL), 2 * len(rows)


def response(row: ByTimes, share: bool) -> Table:
    """Table of the effect of one further act."""
    estimates = row.response
    columns = (gettext("quantity"), gettext("value"), gettext("interval or set"))
    title = gettext("Effect of one more time, group {variant}").format(variant=row.variant)
    if isinstance(estimates, NotComputable):
        return Table(title, columns, ((gettext("effect of one more time"), reason_words(estimates), ""),))
    standard_error = gettext("standard error {error}").format(error=decimal(estimates.acts_error))
    whole = estimates.effect_set
    bounded = "" if whole.low is None or whole.high is None else effect_limits(whole.low, whole.high, share)
    rows = (
        (gettext("extra times per user because of the nudge"), decimal(estimates.acts), standard_error),
        (gettext("effect of one more time"), *effect_with_limits(estimates.effect, share)),
        (gettext("Anderson-Rubin set"), "", bounded if whole.bounded else gettext("unbounded")),
    )
    return Table(title, columns, rows)


def dose(test: DoseTest) -> Table:
    """Table of the dose arms' test: a step at the moment's number, or an effect of each act."""
    rows = tuple(
        (name, *_fit(fit), _set(whole))
        for name, fit, whole in (
            (gettext("it takes the moment's number"), test.step, test.step_set),
            (gettext("each time counts"), test.dose, test.dose_set),
        )
    )
    columns = (
        gettext("reading"),
        gettext("effect"),
        gettext("interval"),
        gettext("p of the misfit"),
        gettext("effects that fit all groups"),
    )
    note = gettext(
        "The last column decides: where no effect fits all groups (Anderson-Rubin), a reading is rejected. Power is "
        "low."
    )
    return Table(gettext("The number or each time, by the dose groups"), columns, rows, note)


def _fit(fit: ArmsFit | NotComputable) -> tuple[str, str, str]:
    if not computable(fit):
        return reason_words(fit), "", ""
    effect = fit.effect
    return (
        significant(effect.estimate),
        between(significant(effect.low), significant(effect.high)),
        p_value(fit.p_value),
    )


def _set(effect_set: EffectSet | NotComputable) -> str:
    """A joint set in words: its intervals, or "none" where it is empty."""
    if not computable(effect_set):
        return reason_words(effect_set)
    return "; ".join(_piece(*piece) for piece in effect_set.pieces) or gettext(
        "none: the groups contradict this reading"
    )


def _piece(low: float | None, high: float | None) -> str:
    if low is None:
        return gettext("every effect") if high is None else gettext("up to {high}").format(high=significant(high))
    return (
        gettext("from {low} on").format(low=significant(low))
        if high is None
        else between(significant(low), significant(high))
    )


def dose_finding(test: DoseTest) -> str:
    """One sentence on the result of the dose arms."""
    return {
        Dose.STEP: gettext("The dose groups fit a step at the moment's number, and not an effect of each time."),
        Dose.DOSE: gettext("The dose groups fit an effect of each time, and not a step at the moment's number."),
        Dose.UNCLEAR: gettext("The dose groups can't separate a step at the number from an effect of each time."),
    }[test.answer]
