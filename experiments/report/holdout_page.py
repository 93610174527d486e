"""The parts of a holdout report: the answer, the difference beside the sums, both sides, readings, changes. Pure."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from experiments.analyse.holdout_report.holdout_lock import WAITING
from experiments.analyse.holdout_report.holdout_question import HELD, REST
from experiments.analyse.holdout_report.holdout_result import HoldoutReport, Shipment
from experiments.plan.design import Kind
from experiments.report.chart_pieces import ROW, WIDTH, difference_title, label_axis, limit_marks
from experiments.report.holdout_words import plan_sentences, side_words, state_sentence
from experiments.report.names import metric_words
from reporting.charts import Drawing, Drawn, alt, data, forest
from reporting.document import dump, outward
from reporting.numbers import (
    Absent,
    Limited,
    between,
    count,
    decimal,
    effect_limits,
    effect_text,
    level_text,
    p_relation,
    p_value,
    percent,
    significant,
)
from reporting.table import Part, Table, drawings
from reporting.words import gettext, reason_words
from stats.results import NotComputable, computable


def alarms(report: HoldoutReport) -> list[str]:
    """Warnings to be read before any number."""
    found = []
    if report.broken:
        found.append(_broken(report))
    reaching = [row.name or row.experiment for row in report.shipped if not row.keeps_out]
    if reaching:
        text = gettext(
            "The holdout has these changes too, since their plans don't keep it out: {names}. This report can't see "
            "them."
        )
        found.append(text.format(names=", ".join(reaching)))
    return found


def lead(report: HoldoutReport) -> str:
    """The answer in one sentence, or why there is none yet."""
    if report.state == WAITING or report.difference is None:
        return state_sentence(report)
    found = report.difference
    if not computable(found):
        return reason_words(found)
    text = gettext(
        "What was shipped since {since}, taken together, changed “{outcome}” by {effect} ({limits} at {level}; "
        "p {p}; {n} users, {held} of them held out)."
    )
    return text.format(
        since=report.asked.since.isoformat(),
        outcome=metric_words(report.asked.outcome),
        effect=effect_text(found.estimate, share=_share(report), plus=True),
        limits=effect_limits(found.low, found.high, _share(report)),
        level=level_text(found.level),
        p=p_relation(found.p_value),
        n=count(sum(report.mature.values())),
        held=count(report.mature[HELD]),
    )


def light(report: HoldoutReport) -> str:
    """Colour of the answer: good or bad where the interval excludes 0."""
    found = report.difference
    if report.broken:
        return "bad"
    if found is None or not computable(found) or found.low <= 0 <= found.high:
        return "warn"
    return "good" if found.low > 0 else "bad"


def parts(report: HoldoutReport) -> tuple[Part, ...]:
    """All parts, in order."""
    rows = _sum_rows(report)
    # While the outcome is locked there is nothing to compare the sums with.
    known = report.difference is not None and any(found is not None for _, found in rows)
    draw = partial(draw_sums, rows, _share(report)) if known else None
    compared = Part(
        "together",
        gettext("Together, and one by one"),
        _compared(report),
        sums_table(report),
        gettext(
            "The plain sum is too large on average: what is shipped is what luck helped over the line. It also adds up "
            "findings among users who met each experiment, while the holdout report counts everybody, also those who "
            "came before a change was shipped."
        ),
        draw=draw,
    )
    found = [compared, Part("sides", gettext("Both sides"), _split(report), sides_table(report))]
    if len(report.asked.readings) > 1 or len(report.looks) > 1:
        found.append(Part("readings", gettext("Readings"), "", readings_table(report)))
    found.append(Part("shipped", gettext("What was shipped"), _shipped_finding(report), shipped_table(report)))
    return tuple(found)


def draw(report: HoldoutReport, slug: str = "") -> tuple[Drawing, ...]:
    """All charts of a reading, or one of them."""
    return drawings(parts(report), slug)


def draw_sums(rows: Sequence[tuple[str, Limited | None]], share: bool) -> Drawn:
    """Chart of the difference and the sum with their intervals."""
    marks = [{"label": label, **limit_marks(found, 100 if share else 1)} for label, found in rows if found is not None]
    base = alt.Chart(data(marks)).encode(y=label_axis([str(row["label"]) for row in marks]))
    chart = alt.layer(*forest(base, difference_title(share))).properties(width=WIDTH - 180, height=ROW * len(marks))
    return chart, 2 * len(marks) + 1


def document(report: HoldoutReport) -> dict[str, Any]:
    """The reading as JSON values: alarms and sentences first, then every number."""
    whole: dict[str, Any] = outward(dump(report))
    return {"alarms": alarms(report), "sentence": lead(report), "planned": plan_sentences(report.asked), **whole}


# ── Tables ────────────────────────────────────────────────────────────────────
def sums_table(report: HoldoutReport) -> Table:
    """Table of the difference beside the sums of single findings."""
    share, sums = _share(report), report.sums
    rows = [(label, *_cells(found, share), basis) for label, found, basis in _sum_values(report)]
    if computable(sums) and computable(sums.shrunk):
        plain = effect_text(sums.naive.estimate, share=share, plus=True)
        basis = gettext("{n} shipped changes").format(n=sums.selected)
        rows.insert(1, (gettext("Plain sum of single findings"), plain, gettext("none: too large on average"), basis))
    columns = (gettext("what"), gettext("effect"), gettext("interval"), gettext("from"))
    return Table(gettext("Together, and as a sum of single findings"), columns, tuple(rows), _presumed(report))


def _presumed(report: HoldoutReport) -> str:
    """Assumptions of the sum's interval; "" without one."""
    sums = report.sums
    if not computable(sums):
        return ""
    if sums.tau_squared is not None:
        text = gettext(
            "Drawn towards the mean: each effect keeps as much of its own distance as the spread of true effects "
            "between experiments (standard deviation {sd}) explains."
        )
        presumed = gettext(
            "This reading of an earlier version presumes that effects follow one normal law: where most changes do "
            "nothing, its interval is too short."
        )
        return f"{text.format(sd=effect_text(sums.tau_squared**0.5, share=_share(report)))} {presumed}"
    if sums.nothing is None:
        return ""
    text = gettext(
        "The sum without the winners' luck presumes that some changes do nothing and that the effects of the others "
        "follow one normal law, both learnt from all experiments on this outcome, shipped or not. By these about "
        "{share} of the changes do nothing."
    )
    return text.format(share=percent(sums.nothing, 0))


def sides_table(report: HoldoutReport) -> Table:
    """Units, mature units and level of both sides."""
    rows = []
    for side in (HELD, REST):
        level = report.levels.get(side)
        text: str = gettext("locked") if level is None else _level(level.mean, report)
        planned = report.asked.shares[side]
        rows.append((side_words(side), percent(planned), count(report.units[side]), count(report.mature[side]), text))
    columns = (
        gettext("side"),
        gettext("planned share"),
        gettext("users"),
        gettext("users with a known outcome"),
        gettext("level and interval (95%)"),
    )
    return Table(gettext("Holdout and rest"), columns, tuple(rows))


def readings_table(report: HoldoutReport) -> Table:
    """All readings of the outcome so far."""
    share = _share(report)
    rows = tuple(
        (
            look.on.isoformat(),
            count(look.units),
            "" if look.fraction is None else percent(look.fraction),
            effect_text(look.estimate, share=share, plus=True),
            effect_limits(look.low, look.high, share),
            decimal(look.z),
            decimal(look.critical),
            p_value(look.p_value),
        )
        for look in report.looks
    )
    columns = (
        gettext("date"),
        gettext("users"),
        gettext("of the planned"),
        gettext("effect"),
        gettext("interval"),
        gettext("z"),
        gettext("z needed"),
        gettext("p over all readings"),
    )
    return Table(gettext("Readings of the outcome"), columns, rows)


def shipped_table(report: HoldoutReport) -> Table:
    """Each change with its own experiment's finding."""
    share = _share(report)
    rows = tuple(
        (
            row.name or row.experiment,
            row.variant,
            row.on.isoformat(),
            "" if row.effect is None else effect_text(row.effect.estimate, share=share, plus=True),
            "" if row.effect is None else effect_limits(row.effect.low, row.effect.high, share),
            _counted(row),
        )
        for row in report.shipped
    )
    columns = (
        gettext("experiment"),
        gettext("variant"),
        gettext("shipped on"),
        gettext("effect of the nudge on everyone"),
        gettext("interval"),
        gettext("in the sums"),
    )
    return Table(gettext("Changes shipped since then"), columns, rows)


# ── Words ─────────────────────────────────────────────────────────────────────
def _broken(report: HoldoutReport) -> str:
    everybody = sum(report.units.values())
    text = gettext(
        "Both sides don't hold the planned shares: {held} of {all} users are held out ({share}), where {planned} were "
        "planned. Something puts users on one side, or takes them away, so nothing below can be trusted."
    )
    return text.format(
        held=count(report.units[HELD]),
        all=count(everybody),
        share=percent(report.units[HELD] / max(everybody, 1), 2),
        planned=percent(report.asked.shares[HELD], 2),
    )


def _split(report: HoldoutReport) -> str:
    found = report.sample_ratio
    if not computable(found):
        return reason_words(found)
    text = gettext("Do both sides hold the planned shares? p {p} over all users; below 0.001 at any look is an alarm.")
    return text.format(p=p_relation(found.p_value))


def _compared(report: HoldoutReport) -> str:
    found, sums = report.difference, report.sums
    if not computable(sums):
        return gettext("No change since then has a final finding on this outcome, so there is no sum beside it.")
    if not computable(sums.shrunk):
        return reason_words(sums.shrunk)
    total = effect_text(sums.shrunk.estimate, share=_share(report), plus=True)
    if found is None:
        text = gettext(
            "By their own experiments, without the winners' luck, the {n} changes add up to {total}. What they did "
            "together is locked."
        )
        return text.format(n=sums.selected, total=total)
    if not computable(found):
        return reason_words(found)
    text = gettext(
        "By their own experiments, without the winners' luck, the {n} changes add up to {total}; together they made "
        "{effect}."
    )
    return text.format(
        n=sums.selected, total=total, effect=effect_text(found.estimate, share=_share(report), plus=True)
    )


def _shipped_finding(report: HoldoutReport) -> str:
    if not report.shipped:
        return gettext("Nothing was rolled out here since then, and no experiment that ended says “ship it”.")
    return gettext(
        "What was rolled out here since then; of experiments that never were, those whose decision is to ship."
    )


def _counted(row: Shipment) -> str:
    words = {
        "": gettext("yes"),
        "other_outcome": gettext("no: it judged another outcome"),
        "reaches_both": gettext("no: the holdout has it too"),
        "not_computable": gettext("no: its effect can't be computed"),
    }
    return words[row.why]


def _sum_values(report: HoldoutReport) -> list[tuple[str, Limited | NotComputable | None, str]]:
    """Rows with an interval: the difference, and the sum of true effects; each with its basis."""
    sums, users = report.sums, gettext("{n} users").format(n=count(sum(report.mature.values())))
    rows: list[tuple[str, Limited | NotComputable | None, str]] = [
        (gettext("Holdout report"), report.difference, users)
    ]
    if not computable(sums):
        return [*rows, (gettext("Sum of single findings"), sums, "")]
    learnt = gettext("{n} shipped changes, {all} experiments").format(n=sums.selected, all=sums.experiments)
    earlier = sums.tau_squared is not None
    label = gettext("Sum, drawn towards the mean") if earlier else gettext("Sum, without the winners' luck")
    return [*rows, (label, sums.shrunk, learnt)]


def _sum_rows(report: HoldoutReport) -> list[tuple[str, Limited | None]]:
    return [(label, None if isinstance(found, NotComputable) else found) for label, found, _ in _sum_values(report)]


def _cells(found: Limited | NotComputable | None, share: bool) -> tuple[str, str]:
    if found is None:
        return gettext("locked"), ""
    if isinstance(found, NotComputable):
        return Absent(reason_words(found)), ""
    return effect_text(found.estimate, share=share, plus=True), effect_limits(found.low, found.high, share)


def _level(found: Limited | NotComputable, report: HoldoutReport) -> str:
    if isinstance(found, NotComputable):
        return Absent(reason_words(found))
    if _share(report):
        return f"{percent(found.estimate)} ({between(decimal(100 * found.low, 1), decimal(100 * found.high, 1))})"
    return f"{significant(found.estimate)} ({between(significant(found.low), significant(found.high))})"


def _share(report: HoldoutReport) -> bool:
    return report.kind == Kind.PROPORTION
