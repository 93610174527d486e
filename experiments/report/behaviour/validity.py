"""Does the nudge work only through the behaviour, and for whom? Kinds of units, levels, checks, traits. Pure."""

from experiments.analyse.codes import NOT_THE_BEHAVIOUR
from experiments.analyse.effects import Report
from experiments.analyse.result import Readout, Through
from experiments.plan.design import Kind
from experiments.report.behaviour.take_up import first_stage
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
from reporting.words import gettext, reason_words
from stats.instrument.bounds import Bounds
from stats.instrument.compliers import Level
from stats.results import Interval, NotComputable, computable


def section(readout: Readout, report: Report) -> Section:
    """Folded section: who is moved, and evidence against the behaviour's effect."""
    share = report.outcomes[0].kind is Kind.PROPORTION
    parts = [first_stage(readout)] if readout.through else []
    for found in readout.through:
        named = {
            "kinds": kinds(found),
            "levels": levels(found, share),
            "checks": checks(found, share),
            "traits": traits(found),
        }
        parts += [
            Part(f"{slug}-{found.variant}", table.title, "", table)
            for slug, table in named.items()
            if table is not None
        ]
    title = gettext("Assumptions, and who it applies to")
    causal = report.verdict.code not in NOT_THE_BEHAVIOUR
    lead = " ".join(kinds_finding(found, of_behaviour=causal) for found in readout.through)
    return Section("validity", title, lead, tuple(parts), closed=True)


def kinds(found: Through) -> Table:
    """Shares of compliers, always-takers and never-takers."""
    columns = (gettext("kind of unit"), gettext("share"), gettext("what they do"))
    title = gettext("Who is moved by {variant}").format(variant=found.variant)
    shares = found.shares
    if not computable(shares):
        return Table(title, columns, ((gettext("moved by the nudge"), reason_words(shares), ""),))
    rows = (
        (gettext("moved by the nudge"), _interval(shares.compliers), gettext("reach it only if nudged (compliers)")),
        (gettext("reach it anyway"), _interval(shares.always_takers), gettext("nudged or not (always-takers)")),
        (gettext("never reach it"), _interval(shares.never_takers), gettext("not even if nudged (never-takers)")),
    )
    return Table(title, columns, rows, gettext("Nobody is known by name; only how many there are of each kind."))


def kinds_finding(found: Through, *, of_behaviour: bool = True) -> str:
    """Share of units that the effect holds for; where the verdict denies an effect, the share that is moved."""
    if not computable(found.shares):
        return reason_words(found.shares)
    text = (
        gettext("The effect holds for the {share} of units that {variant} moves; it says nothing of the others.")
        if of_behaviour
        else gettext(
            "{variant} moves {share} of the units, but the verdict keeps this from telling what the behaviour does."
        )
    )
    return text.format(share=percent(found.shares.compliers.estimate), variant=found.variant)


def levels(found: Through, share: bool) -> Table:
    """The outcome among compliers with and without the nudge."""
    title = gettext("The outcome of those moved by {variant}").format(variant=found.variant)
    columns = (gettext("group"), gettext("level"), gettext("interval"))
    both = found.levels
    if not computable(both):
        return Table(title, columns, ((gettext("moved by the nudge"), reason_words(both), ""),))
    rows = (
        (gettext("without the nudge"), *_level(both.control, share)),
        (gettext("with the nudge"), *_level(both.nudged, share)),
    )
    flag = gettext(
        "A level below 0 or above 100%: that can't be, so the nudge works on another path, or keeps somebody from it."
    )
    return Table(title, columns, rows, flag if both.impossible else "")


def traits(found: Through) -> Table | None:
    """Traits of compliers, beside those of everybody."""
    rows: list[Row] = []
    for name, trait in found.traits:
        if not computable(trait):
            rows.append((name, reason_words(trait), "", ""))
            continue
        ratio = decimal(trait.ratio) if computable(trait.ratio) else reason_words(trait.ratio)
        rows.append((name, percent(trait.everybody), _in_one(trait.compliers), ratio))
    columns = (gettext("known before"), gettext("of everybody"), gettext("of those moved"), gettext("ratio"))
    title = gettext("Who those moved by {variant} are").format(variant=found.variant)
    return Table(title, columns, tuple(rows)) if rows else None


def checks(found: Through, share: bool) -> Table:
    """Bounds for everybody, instrument inequalities, the tF error, the placebo."""
    test = found.inequalities
    rows: list[Row] = [
        (gettext("effect on everybody, points (Balke-Pearl bounds)"), bounds_range(found.bounds), bounds_words(found)),
        (
            gettext("instrument inequalities, smallest adjusted p"),
            p_value(test.p_value) if computable(test) else reason_words(test),
            gettext("Rejected: the nudge works on another path, or keeps somebody from it.")
            if computable(test) and test.p_value < 0.05
            else gettext("Not rejected, which proves little: small direct effects go unseen."),
        ),
    ]
    if computable(found.tf):
        numbers = f"{effect_text(found.tf.estimate, share=share)} ({effect_limits(found.tf.low, found.tf.high, share)})"
        extra = gettext("An extra; the Anderson-Rubin set decides.")
        rows.append((gettext("effect with the tF-adjusted error"), numbers, extra))
    if found.placebo is not None:
        alone = gettext("What being nudged does by itself, against control.")
        still = gettext("About 0 where the placebo leaves the behaviour alone: the health of the data says if it does.")
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


def bounds_words(found: Through) -> str:
    """What the bounds imply for everybody."""
    if not computable(found.bounds):
        return ""
    direction = found.bounds.direction
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
