"""What a direct effect of being nudged would leave of the behaviour's effect: sentences and table. Pure."""

from math import copysign

from experiments.analyse.codes import Code
from experiments.analyse.effects import Comparison, Encouragement, OutcomeReport, Report
from experiments.plan.design import Kind
from experiments.report.behaviour.breakdown import toward_zero
from experiments.report.set_words import set_text
from experiments.report.words import breakdown_text, undone
from reporting.numbers import between, effect_text, level_text, percent
from reporting.table import Row, Table
from reporting.words import gettext, reason_words
from stats.instrument.anderson_rubin import AndersonRubin, Shape
from stats.instrument.exclusion import ZeroFirstStage
from stats.results import Reason, computable

# With these verdicts no set is read as the behaviour's effect, whatever the direct effect.
SILENT = (Code.INVALID, Code.NUDGE_NOT_BEHAVIOUR, Code.NUDGE_FAILED)


def shown(report: Report) -> tuple[tuple[int, Comparison, Encouragement], ...]:
    """Comparisons of the first outcome with control that say something of the behaviour, counted from 1.

    Against a placebo both arms have the direct effect, so it cancels and there is nothing to assume.
    """
    return tuple(
        (place, row, row.encouragement)
        for place, row in enumerate(report.outcomes[0].comparisons, start=1)
        if row.encouragement is not None
        and row.variant != report.design.placebo
        and row.verdict.code not in SILENT
        and "comparator" not in row.verdict.details
        and (computable(row.encouragement.breakdown) or row.encouragement.breakdown.reason is Reason.NUDGE_NOT_PROVED)
    )


def slug(place: int) -> str:
    """The picture of one variant; variants are counted from 1."""
    return f"direct-{place}"


def drawable(found: Encouragement) -> bool:
    """Every set is bounded: whether it is doesn't depend on the direct effect."""
    return bool(found.sensitivity) and all(row.shape is Shape.INTERVAL for row in found.sensitivity)


def lead() -> str:
    """Why the section is there."""
    return gettext(
        "The effect of the behaviour is read from the nudge on one condition: that being nudged does nothing by "
        "itself. No test can see a small direct effect, so this is what the data say for each size of it."
    )


def finding(outcome: OutcomeReport, found: Encouragement) -> str:
    """From which direct effect on nothing is shown."""
    if not computable(found.breakdown):
        return reason_words(found.breakdown)
    return undone(found.breakdown, outcome.name, share=outcome.kind is Kind.PROPORTION)


def note(outcome: OutcomeReport, found: Encouragement) -> str:
    """What the inequalities can't see, and what a group without first stage shows."""
    parts = []
    if drawable(found):
        parts.append(
            gettext(
                "Band: the effects of the behaviour that fit the data. Grey: from the breakdown value on, no effect at "
                "all fits too."
            )
        )
    if found.direct_range is not None:
        share = outcome.kind is Kind.PROPORTION
        ends = (effect_text(v, share=share) for v in (found.direct_range.low, found.direct_range.high))
        text = gettext(
            "If being nudged by itself changes the outcome by {direct}, the behaviour's effect is {effects}."
        )
        effects = set_text(found.direct_range.effect_set, share=share)
        parts.append(text.format(direct=between(*ends), effects=effects))
    if computable(found.blind_spot):
        text = gettext(
            "The instrument inequalities can't see a direct effect of up to {limit} here, however many units there are."
        )
        parts.append(text.format(limit=effect_text(found.blind_spot, share=True)))
    if found.zero_first_stage is not None:
        parts.append(unmoved(found.zero_first_stage, found, share=outcome.kind is Kind.PROPORTION))
    return " ".join(parts)


def unmoved(group: ZeroFirstStage, found: Encouragement, *, share: bool) -> str:
    """The direct effect that shows in a group whose behaviour the nudge can't move, beside the breakdown value."""

    def text(value: float) -> str:
        return effect_text(value, share=share)

    sentence = gettext(
        "In {group} ({n} units) the nudge hardly moves the behaviour ({take_up} of them), so its effect there is a "
        "direct one: {direct} ({limits}), beside a breakdown value of {breakdown}. If it is the same for the others, "
        "the behaviour's effect on them is {effects}."
    )
    moved = between(percent(group.take_up.low), percent(group.take_up.high))
    return sentence.format(
        group=group.group, n=f"{group.units:,}", take_up=moved,
        direct=text(group.direct.estimate), limits=between(text(group.direct.low), text(group.direct.high)),
        breakdown=breakdown_text(found.breakdown, share=share) if computable(found.breakdown) else "–",
        effects=set_text(group.effect_set, share=share),
    )  # fmt: skip


def table(outcome: OutcomeReport, variant: str, found: Encouragement) -> Table | None:
    """The rows behind the picture: the set of effects for each assumed direct effect."""
    if not found.sensitivity:
        return None
    share = outcome.kind is Kind.PROPORTION
    level = 1.0
    if computable(found.effect_set):
        level = found.effect_set.level
    rows: list[Row] = []
    for row in found.sensitivity:
        whole = AndersonRubin(row.shape, row.low, row.high, level)
        at = computable(found.breakdown) and row.direct == found.breakdown
        # As the sentence has it: rounded up it would claim too much.
        direct = copysign(toward_zero(row.direct, share=share), row.direct) if at else row.direct
        rows.append(
            (
                effect_text(direct, share=share),
                set_text(whole, share=share),
                gettext("breakdown value: from here on no effect at all fits too") if at else "",
            )
        )
    columns = (
        gettext("being nudged by itself changes the outcome by"),
        gettext("effect of the behaviour then ({level} set)").format(level=level_text(level)),
        "",
    )
    title = gettext("Effect of the behaviour under a direct effect of {variant}").format(variant=variant)
    return Table(title, columns, tuple(rows))
