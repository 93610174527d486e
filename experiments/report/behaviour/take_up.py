"""Does the nudge move the behaviour? Take-up of each variant, counted before the outcome is read. Pure."""

from collections.abc import Iterator

from experiments.analyse.result import Readout
from reporting.numbers import between, decimal, effect_limits, effect_text, percent, points
from reporting.table import Part, Row, Section, Table
from reporting.words import gettext, reason_words
from stats.instrument.encouragement import TakeUp
from stats.results import NotComputable, computable


def locked(readout: Readout) -> Section:
    """All that may be shown about the behaviour while the outcome is locked."""
    parts = (first_stage(readout),) if readout.first_stage else ()
    return Section("acts", gettext("Does the nudge move the behaviour?"), "", parts)


def first_stage(readout: Readout) -> Part:
    """The first stage, overall and by segment."""
    finding = gettext("How many more units reach the behaviour with the nudge; counted before the outcome is read.")
    return Part("first-stage", gettext("Take-up: the first stage"), finding, first_stage_table(readout))


def first_stage_table(readout: Readout) -> Table | None:
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
                (
                    stage.variant,
                    name or gettext("Everyone else"),
                    percent(found.control),
                    percent(found.variant),
                    f"{points(found.difference)} ({around})",
                    force,
                )
            )
    columns = (
        gettext("variant"),
        gettext("units"),
        gettext("do it in control"),
        gettext("do it with the nudge"),
        gettext("moved, points"),
        gettext("robust F"),
    )
    note = gettext("A robust F below 104.7 makes the plain interval of the effect unreliable; the set holds anyway.")
    return Table(gettext("Take-up by variant and segment"), columns, tuple(rows), note) if rows else None


def take_up_sentences(readout: Readout) -> Iterator[str]:
    """How many units each variant moves to the behaviour, against its comparator."""
    compared = {} if readout.report is None else {row.variant: row for row in readout.report.outcomes[0].comparisons}
    for stage in readout.first_stage:
        row, found = compared.get(stage.variant), stage.take_up
        text = gettext("{variant} changed the share doing it from {without} to {with_nudge} ({moved}; {limits}).")
        if stage.variant == readout.plan.placebo:
            text = gettext("The placebo changed the share doing it from {without} to {with_nudge} ({moved}; {limits}).")
        elif row is not None and row.compared_with and row.encouragement is not None:
            found = row.encouragement.take_up
            text = gettext(
                "{variant} changed the share doing it from {without} with the placebo to {with_nudge} ({moved}; "
                "{limits})."
            )
        yield _take_up(stage.variant, found, text)


def _take_up(variant: str, found: TakeUp | NotComputable, text: str) -> str:
    if not computable(found):
        return f"{variant}: {reason_words(found)}"
    return text.format(
        variant=variant,
        moved=effect_text(found.difference, share=True, plus=True),
        limits=effect_limits(found.low, found.high, share=True),
        with_nudge=percent(found.variant),
        without=percent(found.control),
    )
