"""First stage, validity of the instrument, and effect of the behaviour: parts of the page. Pure."""

from collections.abc import Iterator
from math import isclose

from experiments.analyse.codes import NOT_THE_BEHAVIOUR
from experiments.analyse.effects import Comparison, Encouragement, OutcomeReport, Report
from experiments.analyse.others import OtherRow
from experiments.analyse.result import AnalysisResult, Opened, Through
from experiments.analyse.verdict import WHOLE_CLUSTERS
from experiments.plan.design import OF_CONTROL, Kind
from experiments.report.estimates import WIDTH, effect_cells, level_heading, number_cell, p_cell, set_text
from experiments.report.names import other_words
from experiments.report.verdict import breakdown_text, toward_zero
from reporting.charts import BAR, INK, PALE, Drawn, Mark, alt, data
from reporting.numbers import (
    between,
    decimal,
    difference,
    effect_limits,
    effect_text,
    level_text,
    limits,
    p_value,
    percent,
    points,
    significant,
)
from reporting.table import Part, Row, Section, Table
from reporting.words import gettext, later, reason_words
from stats.instrument.bounds import Bounds
from stats.instrument.compliers import Level
from stats.instrument.encouragement import TakeUp
from stats.instrument.other_behaviours import Moved, UnderOthers
from stats.results import Interval, NotComputable, Reason, computable

# Does the nudge move the behaviour? Take-up of each variant, counted before the outcome is read. Pure.


def locked(readout: AnalysisResult) -> Section:
    """All that may be shown about the behaviour while the outcome is locked."""
    parts = (first_stage(readout),) if readout.first_stage else ()
    return Section("acts", gettext("Does the nudge change the behaviour?"), "", parts)


def first_stage(readout: AnalysisResult) -> Part:
    """The first stage, overall and by segment."""
    finding = gettext("How many more users do the behaviour with the nudge; counted before the outcome is read.")
    return Part("first-stage", gettext("Take-up: the first stage"), finding, first_stage_table(readout))


def first_stage_table(readout: AnalysisResult) -> Table | None:
    """Take-up of each variant, overall and by segment."""
    rows: list[Row] = []
    for stage in readout.first_stage:
        take_ups = ((gettext("all users"), stage.take_up), *stage.by_segment)
        for name, take_up in take_ups:
            if not computable(take_up):
                rows.append((stage.variant, name or gettext("Everyone else"), reason_words(take_up), "", "", ""))
                continue
            around = between(points(take_up.low), points(take_up.high))
            strength = take_up.f_statistic
            force = decimal(strength, 1) if computable(strength) else reason_words(strength)
            rows.append(
                (
                    stage.variant,
                    name or gettext("Everyone else"),
                    percent(take_up.control),
                    percent(take_up.variant),
                    f"{points(take_up.difference)} ({around})",
                    force,
                )
            )
    columns = (
        gettext("variant"),
        gettext("users"),
        gettext("do it in control"),
        gettext("do it with the nudge"),
        gettext("because of the nudge, points"),
        gettext("robust F"),
    )
    note = gettext("A robust F below 104.7 makes the plain interval of the effect unreliable; the set holds anyway.")
    return Table(gettext("Take-up by group and segment"), columns, tuple(rows), note) if rows else None


def take_up_sentences(readout: AnalysisResult) -> Iterator[str]:
    """How many units each variant moves to the behaviour, against its comparator."""
    rows = readout.report.outcomes[0].comparisons if isinstance(readout, Opened) else ()
    compared = {row.variant: row for row in rows}
    led = {nudge.key: other_words(nudge.behaviour, nudge.times) for nudge in readout.plan.nudges}
    for stage in readout.first_stage:
        row, take_up = compared.get(stage.variant), stage.take_up
        text = gettext("{variant} changed the share doing it from {without} to {with_nudge}, by {moved} ({limits}).")
        if stage.variant in led:
            text = gettext("{variant} → {behaviour}: from {without} to {with_nudge}, by {moved} ({limits}).")
            text = text.replace("{behaviour}", led[stage.variant].replace("{", "").replace("}", ""))
        if stage.variant == readout.plan.placebo_arm:
            text = gettext(
                "The placebo changed the share doing it from {without} to {with_nudge}, by {moved} ({limits})."
            )
        elif row is not None and row.compared_with and row.encouragement is not None:
            take_up = row.encouragement.take_up
            text = gettext(
                "{variant} changed the share doing it from {without} with the placebo to {with_nudge}, by {moved} "
                "({limits})."
            )
        yield _take_up(stage.variant, take_up, text)


def _take_up(variant: str, take_up: TakeUp | NotComputable, text: str) -> str:
    if not computable(take_up):
        return f"{variant}: {reason_words(take_up)}"
    return text.format(
        variant=variant,
        moved=effect_text(take_up.difference, share=True, plus=True),
        limits=effect_limits(take_up.low, take_up.high, share=True),
        with_nudge=percent(take_up.variant),
        without=percent(take_up.control),
    )


# What else did the nudge move? Other behaviours, and what they leave of the effect. Pure.


def other_behaviours(report: Report, row: Comparison) -> Part | None:
    """The table of other behaviours of a comparison on the first outcome; None in a test without a behaviour."""
    found = row.encouragement
    if found is None or row.variant == report.design.placebo:
        return None
    share = report.outcomes[0].kind is Kind.PROPORTION
    title = gettext("What else {variant} moved").format(variant=row.variant)
    columns = (
        gettext("behaviour"),
        gettext("because of the nudge, points"),
        gettext("moved"),
        gettext("largest effect it may have"),
        gettext("where that is from"),
        gettext("would explain it from"),
    )
    rows = tuple(_other_cells(other, share) for other in found.others)
    table = Table(title, columns, rows, _left(found, share)) if rows else None
    unknown = (
        gettext("Other behaviours were not measured: the plan lists none.")
        if report.design.stored
        else gettext("Other behaviours were not looked at: none was named.")
    )
    slug = f"others-{list(report.units).index(row.variant)}"
    return Part(slug, title, "" if rows else unknown, table)


def _other_cells(other: OtherRow, share: bool) -> Row:
    found, registered = other.found, other.registered
    low, high = registered.box
    most = found.most
    if not computable(most):
        needed = gettext("no effect would") if most.reason is Reason.NO_TAKE_UP else reason_words(most)
    elif share and abs(most) > 1:
        needed = gettext("no effect would")
    else:
        needed = effect_text(toward_zero(most, share=share) * (1 if most > 0 else -1), share=share)
    return (
        other_words(registered.name, registered.times),
        f"{points(found.take_up)} ({between(points(found.low), points(found.high))})",
        _state(other),
        effect_text(high, share=share)
        if low == 0
        else between(*(effect_text(end, share=share) for end in (low, high))),
        gettext(ORIGINS[registered.origin]),
        needed,
    )


ORIGINS = {
    "experiments": later("experiments on it"),
    "promise": later("gap in the study, adjusted"),
    "cohort": later("gap among earlier users"),
    "person": later("a person"),
    OF_CONTROL: later("gap in the control group"),
}


def _state(other: OtherRow) -> str:
    words = {
        Moved.MOVED: gettext("moved"),
        Moved.NOT_MOVED: gettext("not moved"),
        Moved.CANNOT_TELL: gettext("not clear"),
    }
    state = words[other.found.moved]
    if not other.registered.consequence:
        return state
    return gettext("{state}; counts as a consequence of the behaviour (assumed)").format(state=state)


def _left(found: Encouragement, share: bool) -> str:
    """What the moved ones leave of the behaviour's effect, whatever they do within their limits."""
    under = found.under_others
    if not isinstance(under, UnderOthers):
        return "" if under is None else reason_words(under)
    if not under.moved:
        return gettext("None that could be the cause instead was moved.")
    text = (
        gettext("Whatever the moved ones do within these limits, the behaviour's effect is {limits}.")
        if under.excludes_zero
        else gettext("Within these limits the moved ones may explain the whole effect; the behaviour's own: {limits}.")
    )
    return text.format(limits=set_text(under.effect_set, share=share))


# Does the nudge work only through the behaviour, and for whom? Kinds of units, levels, checks, traits. Pure.


def section(opened: Opened, report: Report) -> Section:
    """Folded section: who is moved, and evidence against the behaviour's effect."""
    share = report.outcomes[0].kind is Kind.PROPORTION
    parts = [first_stage(opened)] if opened.through else []
    for through in opened.through:
        tables = {
            "kinds": kinds(through),
            "levels": levels(through, share),
            "checks": checks(through, share),
            "traits": traits(through),
        }
        parts += [
            Part(f"{slug}-{through.variant}", table.title, "", table)
            for slug, table in tables.items()
            if table is not None
        ]
    others = (other_behaviours(report, row) for row in report.outcomes[0].comparisons)
    parts[1:1] = [part for part in others if part is not None] if opened.through else []
    title = gettext("Assumptions, and who it applies to")
    causal = report.verdict.code not in NOT_THE_BEHAVIOUR
    lead = " ".join(kinds_finding(through, of_behaviour=causal) for through in opened.through)
    return Section("validity", title, lead, tuple(parts), closed=True)


def kinds(through: Through) -> Table:
    """Shares of compliers, always-takers and never-takers."""
    columns = (gettext("kind of user"), gettext("share"), gettext("what they do"))
    title = gettext("Who did it because of {variant}").format(variant=through.variant)
    shares = through.shares
    if not computable(shares):
        return Table(title, columns, ((gettext("because of the nudge"), reason_words(shares), ""),))
    rows = (
        (gettext("because of the nudge"), _interval(shares.compliers), gettext("do it only if nudged (compliers)")),
        (gettext("do it anyway"), _interval(shares.always_takers), gettext("nudged or not (always-takers)")),
        (gettext("never do it"), _interval(shares.never_takers), gettext("not even if nudged (never-takers)")),
    )
    return Table(title, columns, rows, gettext("Nobody is known by name; only how many there are of each kind."))


def kinds_finding(through: Through, *, of_behaviour: bool = True) -> str:
    """Share of units that the effect holds for; where the verdict denies an effect, the share that is moved."""
    if not computable(through.shares):
        return reason_words(through.shares)
    text = (
        gettext(
            "The effect holds for the {share} of users who did it because of {variant}; it says nothing of the others."
        )
        if of_behaviour
        else gettext(
            "{share} of users did it because of {variant}, but the verdict says that this can't show what the "
            "behaviour does."
        )
    )
    return text.format(share=percent(through.shares.compliers.estimate), variant=through.variant)


def levels(through: Through, share: bool) -> Table:
    """The outcome among compliers with and without the nudge."""
    title = gettext("The outcome of users who did it because of {variant}").format(variant=through.variant)
    columns = (gettext("group"), gettext("level"), gettext("interval"))
    outcome_levels = through.levels
    if not computable(outcome_levels):
        return Table(title, columns, ((gettext("because of the nudge"), reason_words(outcome_levels), ""),))
    rows = (
        (gettext("without the nudge"), *_level(outcome_levels.control, share)),
        (gettext("with the nudge"), *_level(outcome_levels.nudged, share)),
    )
    flag = gettext(
        "A level below 0 or above 100%: that's impossible, so the nudge works on another path or prevents somebody "
        "from the behaviour."
    )
    return Table(title, columns, rows, flag if outcome_levels.impossible else "")


def traits(through: Through) -> Table | None:
    """Traits of compliers, beside those of everybody."""
    rows: list[Row] = []
    for name, trait in through.traits:
        if not computable(trait):
            rows.append((name, reason_words(trait), "", ""))
            continue
        ratio = decimal(trait.ratio) if computable(trait.ratio) else reason_words(trait.ratio)
        rows.append((name, percent(trait.everybody), _in_one(trait.compliers), ratio))
    columns = (
        gettext("known before"),
        gettext("of everybody"),
        gettext("of users who did it because of the nudge"),
        gettext("ratio"),
    )
    title = gettext("Traits of users who did it because of {variant}").format(variant=through.variant)
    return Table(title, columns, tuple(rows)) if rows else None


def checks(found: Through, share: bool) -> Table:
    """Bounds for everybody, instrument inequalities, the tF error, the placebo."""
    test = found.inequalities
    rows: list[Row] = [
        (gettext("effect on everybody, points (Balke-Pearl bounds)"), bounds_range(found.bounds), bounds_words(found)),
        (
            gettext("instrument inequalities, smallest adjusted p"),
            p_value(test.p_value) if computable(test) else reason_words(test),
            gettext("Rejected: the nudge works on another path, or prevents somebody from the behaviour.")
            if computable(test) and test.p_value < 0.05
            else gettext("Not rejected, which proves little: small direct effects go unseen."),
        ),
    ]
    if computable(found.tf):
        numbers = f"{effect_text(found.tf.estimate, share=share)} ({effect_limits(found.tf.low, found.tf.high, share)})"
        extra = gettext("An extra; the Anderson-Rubin set decides.")
        rows.append((gettext("effect with the tF-adjusted error"), numbers, extra))
    if found.placebo is not None:
        alone = gettext("What the nudge does by itself, against control.")
        still = gettext("About 0 where the placebo leaves the behaviour alone; the data quality says whether it does.")
        for name, effect, words in (
            (gettext("placebo nudge on the outcome"), found.placebo.outcome, alone),
            (gettext("placebo nudge on the behaviour"), found.placebo.behaviour, still),
        ):
            p = f", p {p_value(effect.p_value)}" if computable(effect) else ""
            rows.append((name, difference(effect) + p, words))
    columns = (gettext("check"), gettext("value"), gettext("how to read it"))
    return Table(gettext("Checks of {variant}").format(variant=found.variant), columns, tuple(rows))


def bounds_range(bounds: Bounds | NotComputable) -> str:
    """The bounds with their confidence limits, which are wider because shares vary by chance."""
    if not computable(bounds):
        return reason_words(bounds)
    text = between(points(bounds.low), points(bounds.high))
    if bounds.limit_low is None or bounds.limit_high is None:
        return text
    limits_text = gettext("{bounds}; with {level} limits {limits}")
    return limits_text.format(
        bounds=text, level=level_text(bounds.level), limits=between(points(bounds.limit_low), points(bounds.limit_high))
    )


def bounds_words(through: Through) -> str:
    """What the bounds imply for everybody."""
    if not computable(through.bounds):
        return ""
    direction = through.bounds.direction
    if direction == 0:
        return gettext("The sign of the effect on everybody isn't known.")
    return gettext("Also on everybody it is a gain.") if direction > 0 else gettext("Also on everybody it is a loss.")


def _in_one(value: Level) -> str:
    text, around = _level(value, True)
    if not computable(value.error):
        return f"{text} ({around})"
    return limits(value.value, value.error.low, value.error.high)


def _interval(value: Interval) -> str:
    return limits(value.estimate, value.low, value.high)


def _level(value: Level, share: bool) -> tuple[str, str]:
    write = percent if share else significant
    text = write(value.value)
    if not computable(value.error):
        return text, reason_words(value.error)
    return text, between(write(value.error.low), write(value.error.high))


# Effect of the behaviour in a file's report: take-up, sets, and comparisons that are no effect. Pure.

ROW = 34


def table(report: Report, outcome: OutcomeReport, row: Comparison) -> Table | None:
    """Take-up, the effect of the behaviour, and the as-treated comparison, which is no effect."""
    encouragement = row.encouragement
    if encouragement is None:
        return None
    names = {"behaviour": report.design.behaviour, "outcome": outcome.name, "placebo": row.compared_with}
    names["variant"] = row.variant
    placebo_itself = row.variant == report.design.placebo
    rows = _take_up_rows(encouragement, row.compared_with, placebo_itself)
    if placebo_itself:
        title = gettext("Whether the placebo changes %(behaviour)s") % names
    else:
        rows += _effect_rows(encouragement, outcome.kind, report.design.level)
        rows[-1:-1] = [] if row.compared_with else _direct_rows(encouragement, outcome.kind is Kind.PROPORTION)
        title = gettext("Effect of %(behaviour)s on %(outcome)s, group %(variant)s") % names
        if WHOLE_CLUSTERS in encouragement.warnings:
            title = (
                gettext("Effect of nudging whole clusters to %(behaviour)s on %(outcome)s, group %(variant)s") % names
            )
        elif row.compared_with:
            title = gettext("Effect of %(behaviour)s on %(outcome)s, %(variant)s against %(placebo)s") % names
    columns = (gettext("quantity"), gettext("value"), level_heading(report.design.level), gettext("p"))
    return Table(title, columns, tuple(rows))


def _take_up_rows(encouragement: Encouragement, placebo: str, placebo_itself: bool) -> list[tuple[str, str, str, str]]:
    take_up = encouragement.take_up
    heading = gettext("Take-up (share that did it)")
    if not computable(take_up):
        return [(heading, reason_words(take_up), "", "")]
    arms, moved = _arms(take_up, placebo, placebo_itself), effect_text(take_up.difference, share=True)
    interval = between(*(effect_text(end, share=True) for end in (take_up.low, take_up.high)))
    if placebo_itself:  # a placebo isn't a nudge, so the strength of its first stage is irrelevant
        return [(heading, arms, "", ""), (gettext("Did it because of the placebo"), moved, interval, "")]
    strength = number_cell(take_up.f_statistic, lambda value: decimal(value, 1))
    return [
        (heading, arms, "", ""),
        (gettext("Did it because of the nudge (first stage)"), moved, interval, ""),
        (gettext("Strength of the nudge (robust F)"), strength, "", ""),
    ]


def _effect_rows(encouragement: Encouragement, kind: Kind, level: float) -> list[tuple[str, str, str, str]]:
    share = kind is Kind.PROPORTION
    label = gettext("Effect on users who did it because of the nudge (Wald)")
    if WHOLE_CLUSTERS in encouragement.warnings:
        label = gettext("Effect per user who did it because of the nudge, including the friends in the cluster (Wald)")
    rows = [(label, *effect_cells(encouragement.effect, kind), p_cell(encouragement.effect))]
    if encouragement.adjusted_effect is not None:
        effect = effect_cells(encouragement.adjusted_effect, kind)
        rows.append((gettext("The same with covariates (2SLS)"), *effect, p_cell(encouragement.adjusted_effect)))
    label = gettext("Anderson-Rubin set (decides)")
    if computable(encouragement.effect_set) and not isclose(
        encouragement.effect_set.level, level
    ):  # several arms could lead
        label = gettext("Anderson-Rubin set (decides), %(level)s: holds for all nudges together") % {
            "level": level_text(encouragement.effect_set.level)
        }
    rows.append((label, "", set_text(encouragement.effect_set, share=share), ""))
    as_treated = number_cell(encouragement.as_treated, lambda value: effect_text(value, share=share))
    rows.append((gettext("As treated (not causal, a warning)"), as_treated, "", ""))
    return rows


def _direct_rows(encouragement: Encouragement, share: bool) -> list[tuple[str, str, str, str]]:
    """How large a direct effect of being nudged would invalidate the finding, and the evidence of one."""
    value = encouragement.breakdown
    if not computable(value) and value.reason is Reason.EARLIER_VERSION:
        return []
    cell = number_cell(value, lambda size: breakdown_text(size, share=share))
    rows = [(gettext("Direct effect of the nudge that would undo it (breakdown value)"), cell, "", "")]
    if encouragement.zero_first_stage is not None:
        group = encouragement.zero_first_stage
        kind = Kind.PROPORTION if share else Kind.MEAN
        label = gettext("Direct effect in %(group)s, where the nudge can't change the behaviour") % {
            "group": group.group
        }
        rows.append((label, *effect_cells(group.direct, kind), p_cell(group.direct)))
        effects = set_text(group.effect_set, share=share)
        rows.append((gettext("Anderson-Rubin set without that direct effect"), "", effects, ""))
    return rows


def _arms(take_up: TakeUp, placebo: str, placebo_itself: bool) -> str:
    """Both arms' shares that reached the behaviour."""
    text = gettext("%(control)s in control, %(variant)s with the nudge")
    if placebo_itself:
        text = gettext("%(control)s in control, %(variant)s with the placebo")
    elif placebo:
        text = gettext("%(control)s with the placebo, %(variant)s with the nudge")
    return text % {"control": percent(take_up.control), "variant": percent(take_up.variant)}


def drawable(comparison: Comparison) -> bool:
    """Whether both bars can be drawn: one without an interval would look certain where the effect is unbounded."""
    found = comparison.encouragement
    if found is None or not computable(found.as_treated) or not computable(found.effect):
        return False
    return not computable(found.effect_set) or found.effect_set.bounded


def draw(outcome: OutcomeReport, comparison: Comparison) -> Drawn | None:
    """Chart of the correlation's promise beside the experiment's finding, with the Anderson-Rubin set."""
    encouragement = comparison.encouragement
    if encouragement is None or not drawable(comparison):
        return None
    if not computable(encouragement.as_treated) or not computable(encouragement.effect):
        return None
    scale = 100.0 if outcome.kind is Kind.PROPORTION else 1.0
    promised = gettext("As treated (not causal)")
    caused = gettext("Causal effect")
    rows: list[Mark] = [
        {"label": promised, "estimate": encouragement.as_treated * scale, "causal": False, "low": None, "high": None},
        {"label": caused, "estimate": encouragement.effect.estimate * scale, "causal": True, "low": None, "high": None},
    ]
    effects = encouragement.effect_set
    if computable(effects) and effects.bounded and effects.low is not None and effects.high is not None:
        rows[1].update(low=effects.low * scale, high=effects.high * scale)
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False))
    )
    bars = base.mark_bar(height=20).encode(
        x=alt.X("estimate:Q", title=_effect_title(outcome)),
        color=alt.Color("causal:N", legend=None, scale=alt.Scale(domain=[False, True], range=[PALE, BAR])),
    )
    interval = (
        base.transform_filter("datum.low !== null").mark_rule(color=INK, strokeWidth=2).encode(x="low:Q", x2="high:Q")
    )
    return alt.layer(bars, interval).properties(width=WIDTH, height=2 * ROW), 2 * len(rows)


def _effect_title(outcome: OutcomeReport) -> str:
    if outcome.kind is Kind.PROPORTION:
        return gettext("Effect of the behaviour on %(outcome)s, points") % {"outcome": outcome.name}
    return gettext("Effect of the behaviour on %(outcome)s") % {"outcome": outcome.name}
