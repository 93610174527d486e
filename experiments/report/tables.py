"""A stored experiment as tables of text: plan, flow, first stage, looks, beliefs, segments. Pure."""

from collections.abc import Mapping

from events.metrics import display_name, parse_metric, sentence
from experiments.analyse.codes import Code, code_words
from experiments.analyse.effects import Comparison, OutcomeReport
from experiments.analyse.result import Belief, LookTaken, OverTime, Readout, Shrunk
from experiments.plan.design import Kind, kind_of
from experiments.report import effect_tables
from experiments.report.first_lines import clock_words, health_sentence, look_words, metric_words
from experiments.report.health import severity_words
from experiments.report.promise_and_finding import Contrast
from reporting.numbers import between, count, decimal, effect_limits, effect_text, limits, p_value, percent, points
from reporting.table import Row, Table
from reporting.words import gettext, reason_words
from runs.refusals import Refused
from stats.novelty import Novelty
from stats.results import Estimate, NotComputable, computable
from stats.survival.day_curve import CurveDifference


def promise(found: tuple[Contrast, ...]) -> Table:
    """Promise and finding as rows."""
    rows = tuple((row.label, row.text, row.limits, row.trust, row.how) for row in found)
    columns = (
        gettext("quantity"), gettext("value"), gettext("interval or set"), gettext("is it an effect?"),
        gettext("how it comes about"),
    )  # fmt: skip
    return Table(gettext("What the correlation promised, what the experiment found"), columns, rows)


def plan(readout: Readout) -> Table:
    """What was registered before."""
    found = readout.plan
    methods = {
        "fixed": gettext("one look at the planned end"),
        "group_sequential": gettext("planned looks"),
        "always_valid": gettext("any look, any time"),
    }
    rows: list[Row] = [
        (gettext("Hypothesis"), found.hypothesis),
        (gettext("Nudge"), found.nudge),
        (gettext("Variants, control first"), ", ".join(_variant(readout, name) for name in found.variants)),
        *((gettext("Planned split"), _split(segment, shares)) for segment, shares in found.shares.items()),
        (gettext("Verdict rests on"), _metrics(found.primary)),
        (gettext("Also read"), _metrics(found.secondary)),
        (gettext("Must not get worse"), _metrics(found.guardrails)),
        (gettext("Covariates known before"), ", ".join(found.covariates)),
        (gettext("Error rate, two-sided"), percent(found.alpha)),
        (gettext("Smallest effect of interest"), _margin(readout)),
        (gettext("Expected take-up"), "" if found.take_up is None else percent(found.take_up)),
        (gettext("Planned units"), count(found.planned_units)),
        (gettext("When it is read"), methods[found.method]),
        (gettext("Day 0"), clock_words(found)),
        (gettext("Started"), found.started.isoformat()),
        (gettext("Enrolment ended"), "" if found.enrolment_ended is None else found.enrolment_ended.isoformat()),
    ]
    kept = tuple(row for row in rows if row[1])
    return Table(gettext("The plan"), (gettext("part"), gettext("registered")), kept)


def _variant(readout: Readout, name: str) -> str:
    if name == readout.plan.placebo:
        return gettext("{variant} (placebo)").format(variant=name)
    dose = readout.plan.doses.get(name)
    return name if dose is None else gettext("{variant} (dose {n})").format(variant=name, n=dose)


def _split(segment: str, shares: tuple[float, ...]) -> str:
    text = " / ".join(percent(share, 0) for share in shares)
    return f"{segment}: {text}" if segment else text


def _metrics(names: tuple[str, ...]) -> str:
    return " ".join(metric_sentence(name) for name in names)


def metric_sentence(name: str) -> str:
    """A metric as its definition reads; what can't be read keeps its text."""
    try:
        return sentence(parse_metric(name))
    except Refused:
        return display_name(name)


def _margin(readout: Readout) -> str:
    margin = readout.plan.smallest_effect
    if margin is None:
        return ""
    share = kind_of(readout.plan.primary[0]) is Kind.PROPORTION
    return effect_text(margin, share=share)


def amendments(readout: Readout) -> Table | None:
    """Logged changes of the plan after the start."""
    rows = tuple(
        (made.on.isoformat(), name, display_name(before), display_name(after), made.why, made.by)
        for made in readout.plan.amendments
        for name, (before, after) in made.changes.items()
    )
    columns = (
        gettext("day"), gettext("part"), gettext("before"), gettext("after"), gettext("reason"), gettext("by"),
    )  # fmt: skip
    return Table(gettext("Amendments after the start"), columns, rows) if rows else None


def flow(readout: Readout) -> Table:
    """From exposure to the units whose outcome is known."""
    found = readout.flow
    rows: list[Row] = []
    if found.several_variants:
        rows.append((gettext("left out: seen in several variants (units)"), count(found.several_variants)))
    for name, n in found.unknown_variants.items():
        rows.append((gettext("left out: variant {name} isn't in the plan").format(name=name), count(n)))
    if found.no_signup:
        rows.append((gettext("left out: no signup in the log"), count(found.no_signup)))
    for name, n in found.exposed.items():
        rows.append((gettext("exposed to {variant}").format(variant=name), count(n)))
    for outcome, arms in found.mature.items():
        if outcome not in readout.plan.primary and not any(arms.values()):
            continue
        for name, n in arms.items():
            text = gettext("of these in {variant}: {outcome} is known")
            rows.append((text.format(variant=name, outcome=metric_words(outcome)), count(n)))
    return Table(gettext("Flow of units"), (gettext("step"), gettext("n")), tuple(rows))


def split(readout: Readout) -> str:
    """The sample-ratio test in a sentence."""
    found = readout.sample_ratio
    if not computable(found):
        return reason_words(found)
    text = gettext("Planned split: {split}. Sample-ratio test: chi-square {statistic}, p {p}; it alarms below .001.")
    if found.any_look is not None:
        text = gettext(
            "Planned split: {split}. Sample-ratio test for any night: p {any_look}; it alarms below .001. (A single "
            "look would give chi-square {statistic}, p {p}; that decides at the final look alone.)"
        )
    shares = ", ".join(f"{label} {percent(share)}" for label, share in found.expected.items())
    return text.format(
        split=shares,
        statistic=decimal(found.statistic),
        p=p_value(found.p_value),
        any_look=p_value(found.any_look or 0.0),
    )


def by_day(readout: Readout) -> Table | None:
    """First exposures by day and variant."""
    names = readout.plan.variants
    days: dict[str, dict[str, int]] = {}
    for day, name, n in readout.flow.by_day:
        days.setdefault(day.isoformat(), {})[name] = n
    rows = tuple((day, *(count(found.get(name, 0)) for name in names)) for day, found in sorted(days.items()))
    return Table(gettext("First exposures by day"), (gettext("day"), *names), rows) if rows else None


def first_stage(readout: Readout) -> Table | None:
    """Take-up of each variant, overall and by segment."""
    rows: list[Row] = []
    for stage in readout.first_stage:
        named = ((gettext("all units"), stage.take_up), *stage.by_segment)
        for name, found in named:
            if not computable(found):
                rows.append((stage.variant, name or gettext("Everyone else"), reason_words(found), "", "", ""))
                continue
            around = between(points(found.low), points(found.high))
            strength = found.f_statistic
            force = decimal(strength, 1) if computable(strength) else reason_words(strength)
            rows.append(
                (stage.variant, name or gettext("Everyone else"), percent(found.control), percent(found.variant),
                 f"{points(found.difference)} ({around})", force)
            )  # fmt: skip
    columns = (
        gettext("variant"), gettext("units"), gettext("do it in control"), gettext("do it with the nudge"),
        gettext("moved, points"), gettext("robust F"),
    )  # fmt: skip
    note = gettext("A robust F below 104.7 makes the plain interval of the effect unreliable; the set holds anyway.")
    return Table(gettext("Take-up by variant and segment"), columns, tuple(rows), note) if rows else None


def health(readout: Readout) -> tuple[tuple[str, str, str], ...]:
    """Light, word and sentence of every finding, the gravest first."""
    lights = {"error": "bad", "warning": "warn", "info": ""}
    return tuple(
        (lights[str(found.severity)], severity_words(found.severity), health_sentence(found))
        for found in readout.health
    )


def looks(path: tuple[LookTaken, ...], share: bool, *, placebo: str | None = None) -> Table | None:
    """Every look at the first outcome; that of a placebo is a diagnostic and has no verdict."""
    rows = tuple(
        (
            look.on.isoformat(), look.variant, count(look.units), percent(look.fraction, 0),
            effect_text(look.estimate, share=share),
            effect_limits(look.low, look.high, share),
            decimal(look.z), decimal(look.critical), p_value(look.p_value),
            "" if look.variant == placebo else code_words(Code(look.verdict)),
            look_words(look),
        )
        for look in path
    )  # fmt: skip
    columns = (
        gettext("data up to"), gettext("variant"), gettext("n"), gettext("of the plan"), gettext("difference"),
        gettext("interval at this look"), gettext("z"), gettext("bound for |z|"), gettext("p over all looks"),
        gettext("verdict"), gettext("look"),
    )  # fmt: skip
    return Table(gettext("Every look at the outcome"), columns, rows) if rows else None


def beliefs(found: tuple[Belief, ...], shares: dict[str, bool]) -> Table | None:
    """Bayesian numbers of every comparison."""
    rows: list[Row] = []
    for row in found:
        name, belief, share = metric_words(row.outcome), row.posterior, shares[row.outcome]
        if not computable(belief):
            rows.append((name, row.variant, reason_words(belief), "", "", "", ""))
            continue
        values = (belief.estimate, belief.loss_variant, belief.loss_control)
        text = [effect_text(value, share=share) for value in values]
        around = effect_limits(belief.low, belief.high, share)
        rows.append((name, row.variant, percent(belief.chance_better), text[0], around, text[1], text[2]))
    columns = (
        gettext("outcome"), gettext("variant"), gettext("chance to beat control"), gettext("difference"),
        gettext("credible interval"), gettext("expected loss of the variant"), gettext("expected loss of control"),
    )  # fmt: skip
    return Table(gettext("Bayesian companion"), columns, tuple(rows)) if rows else None


def beliefs_caution() -> str:
    """What must be read with the Bayesian numbers. Source: METHODS 4.9."""
    return gettext(
        "These numbers never enter the verdict, and they don't make peeking harmless: whoever stops when the chance "
        "looks high will be wrong more often than it says."
    )


def segments(outcome: OutcomeReport, row: Comparison, shrunk: Shrunk | None, level: float) -> Table:
    """Raw and shrunk effect of each segment, and pooled."""
    base = effect_tables.segments(outcome, row, level)
    rest = gettext("Everyone else")
    if shrunk is None:
        return Table(base.title, base.columns, tuple((cells[0] or rest, *cells[1:]) for cells in base.rows), base.note)
    share = outcome.kind is Kind.PROPORTION
    pulled = {
        name: (effect_text(found.estimate, share=share), percent(kept, 0))
        for name, found, kept in zip(
            shrunk.segments, shrunk.shrinkage.effects, shrunk.shrinkage.kept, strict=True
        )
    }  # fmt: skip
    mean = effect_text(shrunk.shrinkage.mean.estimate, share=share)
    pooled = (mean, "")
    rows = tuple(
        (cells[0] or rest, *cells[1:], *(pulled.get(cells[0], ("", "")) if place < len(row.by_segment) else pooled))
        for place, cells in enumerate(base.rows)
    )
    columns = (*base.columns, gettext("shrunk towards the mean"), gettext("weight of its own data"))
    return Table(base.title, columns, rows, base.note)


def over_time(rows: tuple[OverTime, ...]) -> Table:
    """Log-rank, mean days before churn, crossing curves, and whether the effect fades."""
    found: list[Row] = []
    for row in rows:
        test, mean, cross = row.log_rank, row.restricted, row.crossing
        crossing = reason_words(cross) if not computable(cross) else _crossing(cross.crosses, cross.clearly)
        found.append(
            (
                row.variant,
                gettext("chi-square {statistic}, p {p}, {n} strata").format(
                    statistic=decimal(test.statistic), p=p_value(test.p_value), n=test.strata
                ) if computable(test) else reason_words(test),
                _days(mean), crossing,
            )
        )  # fmt: skip
    tau = f"{rows[0].tau:g}" if rows else ""
    columns = (
        gettext("variant"), gettext("log-rank test, stratified by segment"),
        gettext("days longer before churn, of the first {tau}").format(tau=tau), gettext("do the curves cross?"),
    )  # fmt: skip
    return Table(gettext("Time to churn"), columns, tuple(found))


def _days(found: Estimate | NotComputable) -> str:
    if not computable(found):
        return reason_words(found)
    return f"{decimal(found.estimate)} ({between(decimal(found.low), decimal(found.high))}), p {p_value(found.p_value)}"


def _crossing(crosses: bool, clearly: bool) -> str:
    if clearly:
        return gettext("yes, clearly: one number can't tell the whole story")
    return gettext("a little, as noise does") if crosses else gettext("no")


def daily(readout: Readout) -> Table:
    """Share active by day and variant, with the units for which the day is complete."""
    rows = tuple(
        (arm.variant, str(row.day), limits(row.share.estimate, row.share.low, row.share.high), count(row.eligible))
        for arm in readout.arms_over_time
        for row in arm.days
    )
    columns = (gettext("variant"), gettext("day"), gettext("active on that day"), gettext("n"))
    return Table(gettext("Share of units active by day"), columns, rows)


def daily_difference(found: Mapping[str, CurveDifference]) -> Table:
    """Difference by day with the limits of that day alone and of all days together."""
    rows = tuple(
        (
            name, str(day.day), points(day.difference.estimate),
            between(points(day.difference.low), points(day.difference.high)),
            between(points(day.band.low), points(day.band.high)),
            gettext("yes") if day.sign else gettext("no"),
        )
        for name, curve in found.items()
        for day in curve.days
    )  # fmt: skip
    columns = (
        gettext("variant"), gettext("day"), gettext("difference, points"), gettext("interval of that day alone"),
        gettext("band over all days"), gettext("differs, all days considered"),
    )  # fmt: skip
    return Table(gettext("Difference to control by day"), columns, rows)


def novelty(found: Mapping[str, Novelty], share: bool) -> Table | None:
    """Effect by week of enrolment; None where it waits for the final analysis."""
    rows: list[Row] = []
    for name, one in found.items():
        for week in one.weeks:
            effect = week.effect
            shown = (
                (reason_words(effect), "")
                if not computable(effect)
                else (
                    effect_text(effect.estimate, share=share),
                    effect_limits(effect.low, effect.high, share),
                )
            )
            rows.append((name, week.week.isoformat(), f"{count(week.control_n)} / {count(week.variant_n)}", *shown))
    columns = (
        gettext("variant"), gettext("week of enrolment (Monday)"), gettext("n, control and variant"),
        gettext("difference"), gettext("interval"),
    )  # fmt: skip
    return Table(gettext("Effect by week of enrolment"), columns, tuple(rows)) if rows else None
