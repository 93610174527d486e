"""Does the nudge work only through the behaviour, for whom, and does the threshold matter? Tables of text. Pure."""

from experiments.analyse.result import ByTimes, Through
from reporting.numbers import (
    between,
    decimal,
    effect_limits,
    effect_text,
    limits,
    p_value,
    percent,
    points,
    significant,
)
from reporting.table import Row, Table
from reporting.words import gettext, reason_words
from stats.instrument.arms import ArmsFit, Dose, DoseTest
from stats.instrument.bounds import Bounds
from stats.instrument.compliers import Level
from stats.instrument.dose import DoseWeights
from stats.results import Estimate, Interval, NotComputable, computable


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
    """For how many the effect holds; or, where the verdict denies an effect of the behaviour, how many are moved."""
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
        "A level below 0 or above 100 %: that can't be, so the nudge works on another path, or keeps somebody from it."
    )
    return Table(title, columns, rows, flag if both.impossible else "")


def traits(found: Through) -> Table | None:
    """Who the compliers are, beside everybody."""
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
    """Bounds for everybody, instrument inequalities, the tF error, placebo."""

    def text(value: float) -> str:
        return effect_text(value, share=share)

    bounds, test = found.bounds, found.inequalities
    range_ = bounds_range(bounds)
    rows: list[Row] = [
        (gettext("effect on everybody, points (Balke-Pearl bounds)"), range_, bounds_words(found)),
        (
            gettext("instrument inequalities, smallest adjusted p"),
            p_value(test.p_value) if computable(test) else reason_words(test),
            gettext("Rejected: the nudge works on another path, or keeps somebody from it.")
            if computable(test) and test.p_value < 0.05
            else gettext("Not rejected, which proves little: small direct effects go unseen."),
        ),
    ]
    if computable(found.tf):
        numbers = f"{text(found.tf.estimate)} ({effect_limits(found.tf.low, found.tf.high, share)})"
        rows.append(
            (
                gettext("effect with the tF-adjusted error"),
                numbers,
                gettext("An extra; the Anderson-Rubin set decides."),
            )
        )
    if found.placebo is not None:
        alone = gettext("What being nudged does by itself, against control.")
        still = gettext("About 0 where the placebo may stand in for control: the health of the data says which it is.")
        for name, effect, words in (
            (gettext("placebo nudge on the outcome"), found.placebo.outcome, alone),
            (gettext("placebo nudge on the behaviour"), found.placebo.behaviour, still),
        ):
            rows.append((name, placebo_text(effect), words))
    columns = (gettext("check"), gettext("value"), gettext("how to read it"))
    return Table(gettext("Checks of {variant}").format(variant=found.variant), columns, tuple(rows))


def placebo_text(found: Estimate | NotComputable) -> str:
    """The placebo's effect with its interval and p."""
    if not computable(found):
        return reason_words(found)
    return f"{points(found.estimate)} ({between(points(found.low), points(found.high))}), p {p_value(found.p_value)}"


def dose(found: DoseTest) -> Table:
    """Which reading of the behaviour the dose arms support: the step at the number, or each act."""
    rows = tuple(
        (name, *_fit(fit))
        for name, fit in (
            (gettext("it takes the moment's number"), found.step),
            (gettext("each act counts"), found.dose),
        )
    )
    columns = (gettext("reading"), gettext("effect"), gettext("interval"), gettext("p of the misfit"))
    note = gettext("A small p says that no single effect of this kind fits all arms. Power is low.")
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


def dose_finding(found: DoseTest) -> str:
    """The answer of the dose arms in one sentence."""
    return {
        Dose.STEP: gettext("The dose arms fit a step at the moment's number, and not an effect of each act."),
        Dose.DOSE: gettext("The dose arms fit an effect of each act, and not a step at the moment's number."),
        Dose.UNCLEAR: gettext("The dose arms don't tell a step from an effect of each act."),
    }[found.answer]


def bounds_range(bounds: Bounds | NotComputable) -> str:
    """The bounds with their confidence limits, which are wider: chance moves the shares."""
    if not computable(bounds):
        return reason_words(bounds)
    text = between(points(bounds.low), points(bounds.high))
    if bounds.limit_low is None or bounds.limit_high is None:
        return text
    limits_text = gettext("{bounds}; with {level} limits {limits}")
    return limits_text.format(
        bounds=text, level=percent(bounds.level, 0), limits=between(points(bounds.limit_low), points(bounds.limit_high))
    )


def bounds_words(found: Through) -> str:
    """What the bounds say about everybody."""
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


# ── Acts ──────────────────────────────────────────────────────────────────────
def weights(found: DoseWeights) -> Table:
    """Which acts the nudge added."""
    rows = tuple(
        (_times(n, found), points(raised), decimal(100 * error, 1), percent(weight),
         gettext("the moment's own number") if n == found.threshold else "")
        for n, raised, error, weight in zip(found.times, found.raised, found.errors, found.weights, strict=True)
    )  # fmt: skip
    columns = (
        gettext("number of times"), gettext("reach it more with the nudge, points"), gettext("standard error, points"),
        gettext("weight"), "",
    )  # fmt: skip
    return Table(gettext("Which acts the nudge added"), columns, rows)


def _times(n: int, found: DoseWeights) -> str:
    return gettext("{n} or more").format(n=n) if n == found.times[-1] else str(n)


def acts_finding(row: ByTimes) -> str:
    """How many of the added acts cross the moment's number."""
    found = row.weights
    if not computable(found):
        return reason_words(found)
    text = gettext(
        "{share} of the acts that {variant} added cross the number {times}; the rest lie on one side of it, and if "
        "each act matters, they work around the threshold."
    )
    sentence = text.format(share=percent(found.share_at_threshold, 0), variant=row.variant, times=found.threshold)
    if found.negative:
        caution = gettext(
            "At {times} times the nudge lowered the behaviour, which contradicts the method's assumption."
        )
        sentence += " " + caution.format(times=", ".join(map(str, found.negative)))
    return sentence


def response(row: ByTimes, share: bool) -> Table:
    """The effect of one act more."""
    found = row.response
    columns = (gettext("quantity"), gettext("value"), gettext("interval or set"))
    title = gettext("Effect of one act more, nudged by {variant}").format(variant=row.variant)
    if isinstance(found, NotComputable):
        return Table(title, columns, ((gettext("effect of one act more"), reason_words(found), ""),))
    effect = found.effect

    def text(value: float) -> str:
        return effect_text(value, share=share)

    shown = text(effect.estimate) if computable(effect) else reason_words(effect)
    around = effect_limits(effect.low, effect.high, share) if computable(effect) else ""
    standard_error = gettext("standard error {error}").format(error=decimal(found.acts_error))
    whole = found.effect_set
    ends = (whole.low, whole.high)
    bounded = effect_limits(ends[0], ends[1], share) if ends[0] is not None and ends[1] is not None else ""
    rows = (
        (gettext("acts that the nudge added per unit"), decimal(found.acts), standard_error),
        (gettext("effect of one act more"), shown, around),
        (gettext("Anderson-Rubin set"), "", bounded if whole.bounded else gettext("unbounded")),
    )
    return Table(title, columns, rows)
