"""Does the threshold matter, or each act? Acts that the nudge added, and the effect of one further act. Pure."""

from functools import partial
from statistics import NormalDist

from experiments.analyse.effects import Report
from experiments.analyse.result import ByTimes, Readout
from experiments.plan.design import Kind
from experiments.report.chart_pieces import PANEL, WIDTH
from experiments.report.estimates import effect_with_limits
from reporting.charts import INK, LIGHT, ORANGE, Drawn, alt, data
from reporting.numbers import between, decimal, effect_limits, level_text, p_value, percent, points, significant
from reporting.table import Part, Section, Table
from reporting.words import gettext, reason_words
from stats.instrument.arms import ArmsFit, EffectSet
from stats.instrument.dose import Dose, DoseTest, DoseWeights
from stats.results import NotComputable, computable


def section(readout: Readout, report: Report) -> Section:
    """Acts that each variant added, the effect of one further act, and dose arms where the plan has them."""
    share = report.outcomes[0].kind is Kind.PROPORTION
    parts: list[Part] = []
    for place, row in enumerate(readout.by_times, start=1):
        effect = response(row, share)
        parts.append(_added(place, row, report.design.level))
        parts.append(Part(f"response-{place}", effect.title, "", effect))
    lead = ""
    if readout.by_times and readout.dose is not None:
        lead, table = dose_finding(readout.dose), dose(readout.dose)
        parts.append(Part("dose-arms", table.title, lead, table))
    return Section("acts", gettext("Does the threshold matter, or each act?"), lead, tuple(parts))


def _added(place: int, row: ByTimes, level: float) -> Part:
    slug, heading = f"acts-{place}", gettext("Which acts did {variant} add?").format(variant=row.variant)
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


def weights(found: DoseWeights) -> Table:
    """Table of the acts that the nudge added."""
    rows = tuple(
        (
            _times(n, found),
            points(raised),
            decimal(100 * error, 1),
            percent(weight),
            gettext("the moment's own number") if n == found.threshold else "",
        )
        for n, raised, error, weight in zip(found.times, found.raised, found.errors, found.weights, strict=True)
    )
    columns = (
        gettext("number of times"),
        gettext("reach it more with the nudge, points"),
        gettext("standard error, points"),
        gettext("weight"),
        "",
    )
    return Table(gettext("Which acts the nudge added"), columns, rows)


def _times(n: int, found: DoseWeights) -> str:
    return gettext("{n} or more").format(n=n) if n == found.times[-1] else str(n)


def acts_finding(row: ByTimes) -> str:
    """Share of the added acts that cross the moment's number."""
    found = row.weights
    if not computable(found):
        return reason_words(found)
    text = gettext(
        "Only {share} of the extra actions of {variant} took a user across {times}. If every action counts, the "
        "effect isn't the threshold's alone."
    )
    sentence = text.format(share=percent(found.share_at_threshold, 0), variant=row.variant, times=found.threshold)
    if found.negative:
        caution = gettext(
            "At {times} times the nudge lowered the behaviour, which contradicts the method's assumption."
        )
        sentence += " " + caution.format(times=", ".join(map(str, found.negative)))
    return sentence


def draw(found: DoseWeights, level: float) -> Drawn:
    """Chart of the increase in the share of units that reach each number of times, in points.

    Args:
        found: differences of shares and their standard errors.
        level: of the limits that are drawn, the plan's, for example 0.95.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    rows = [
        {
            "times": n,
            "raised": raised * 100,
            "low": (raised - z * error) * 100,
            "high": (raised + z * error) * 100,
            "own": n == found.threshold,
        }
        for n, raised, error in zip(found.times, found.raised, found.errors, strict=True)
    ]
    base = alt.Chart(data(rows)).encode(
        x=alt.X("times:O", title=gettext("number of times (at least)"), axis=alt.Axis(labelAngle=0))
    )
    y = alt.Y("raised:Q", title=gettext("reach it more with the nudge, points"), scale=alt.Scale(zero=True))
    layers = [
        base.mark_bar().encode(y=y, color=alt.condition("datum.own", alt.value(ORANGE), alt.value(LIGHT))),
        base.mark_rule(color=INK).encode(y=alt.Y("low:Q"), y2="high:Q"),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=PANEL), 2 * len(rows)


def response(row: ByTimes, share: bool) -> Table:
    """Table of the effect of one further act."""
    found = row.response
    columns = (gettext("quantity"), gettext("value"), gettext("interval or set"))
    title = gettext("Effect of one act more, nudged by {variant}").format(variant=row.variant)
    if isinstance(found, NotComputable):
        return Table(title, columns, ((gettext("effect of one act more"), reason_words(found), ""),))
    standard_error = gettext("standard error {error}").format(error=decimal(found.acts_error))
    whole = found.effect_set
    bounded = "" if whole.low is None or whole.high is None else effect_limits(whole.low, whole.high, share)
    rows = (
        (gettext("acts that the nudge added per unit"), decimal(found.acts), standard_error),
        (gettext("effect of one act more"), *effect_with_limits(found.effect, share)),
        (gettext("Anderson-Rubin set"), "", bounded if whole.bounded else gettext("unbounded")),
    )
    return Table(title, columns, rows)


def dose(found: DoseTest) -> Table:
    """Which reading of the behaviour the dose arms support: a step at the number, or an effect of each act."""
    rows = tuple(
        (name, *_fit(fit), _set(whole))
        for name, fit, whole in (
            (gettext("it takes the moment's number"), found.step, found.step_set),
            (gettext("each act counts"), found.dose, found.dose_set),
        )
    )
    columns = (
        gettext("reading"),
        gettext("effect"),
        gettext("interval"),
        gettext("p of the misfit"),
        gettext("effects that fit all arms"),
    )
    note = gettext(
        "The last column decides: where no effect fits all arms (Anderson-Rubin), a reading is rejected. Power is low."
    )
    return Table(gettext("Step or dose, by the dose arms"), columns, rows, note)


def _fit(found: ArmsFit | NotComputable) -> tuple[str, str, str]:
    if not computable(found):
        return reason_words(found), "", ""
    effect = found.effect
    return (
        significant(effect.estimate),
        between(significant(effect.low), significant(effect.high)),
        p_value(found.p_value),
    )


def _set(found: EffectSet | NotComputable) -> str:
    """A joint set in words: its intervals, or "none" where it is empty."""
    if not computable(found):
        return reason_words(found)
    return "; ".join(_piece(*piece) for piece in found.pieces) or gettext("none: the arms contradict this reading")


def _piece(low: float | None, high: float | None) -> str:
    if low is None:
        return gettext("every effect") if high is None else gettext("up to {high}").format(high=significant(high))
    return (
        gettext("from {low} on").format(low=significant(low))
        if high is None
        else between(significant(low), significant(high))
    )


def dose_finding(found: DoseTest) -> str:
    """One sentence on the result of the dose arms."""
    return {
        Dose.STEP: gettext("The dose arms fit a step at the moment's number, and not an effect of each act."),
        Dose.DOSE: gettext("The dose arms fit an effect of each act, and not a step at the moment's number."),
        Dose.UNCLEAR: gettext("The dose arms don't tell a step from an effect of each act."),
    }[found.answer]
