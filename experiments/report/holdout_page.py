"""The parts of a holdout report: the answer, the difference beside the sums, both sides, readings, changes. Pure."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from experiments.analyse.across.holdout_question import HELD, REST, WAITING, HoldoutQuestion, Population
from experiments.analyse.across.holdout_result import HoldoutReport, Shipment
from experiments.plan.design import Kind
from experiments.report.estimates import ROW, WIDTH, difference_title, label_axis, limit_marks
from experiments.report.names import metric_sentence, metric_words
from reporting.charts import Drawing, Drawn, alt, data, forest
from reporting.document import dump, outward
from reporting.numbers import (
    Absent,
    Limited,
    between,
    count,
    day_text,
    decimal,
    effect_limits,
    effect_text,
    level_text,
    limits,
    p_relation,
    p_value,
    percent,
    significant,
)
from reporting.table import Part, Table, drawings
from reporting.words import gettext, reason_words
from stats.results import NotComputable, computable

# The plan of a holdout report, and why its outcome is open or locked, in words. Pure.


def plan_sentences(question: HoldoutQuestion) -> list[str]:
    """Compared groups, outcome and days of the plan, which can't be changed any more."""
    compared = gettext("The {share} of users in the holdout “{holdout}”, against all others. {who}")
    return [
        compared.format(
            share=percent(question.share / 10_000), holdout=question.holdout, who=population_sentence(question)
        ),
        gettext("Outcome: {outcome}").format(outcome=metric_sentence(question.outcome)),
        readings_sentence(question),
    ]


def population_sentence(question: HoldoutQuestion) -> str:
    """Which units count, by the same rule on both sides."""
    since = day_text(question.since)
    texts = {
        Population.SIGNUP: gettext("Everybody counts who did “{event}” for the first time since {since}."),
        Population.FIRST_SEEN: gettext("Everybody counts whose first event came since {since}."),
        Population.KNOWN_BEFORE: gettext(
            "Everybody counts who was seen before {since}; days are counted from that date."
        ),
    }
    return texts[question.population].format(event=question.signup_event, since=since)


def readings_sentence(question: HoldoutQuestion) -> str:
    """On which days the outcome may be read, and at which level."""
    alpha, end = level_text(question.alpha), day_text(question.end)
    if question.method == "fixed":
        text = gettext("Planned: one reading, on {end}, with the data up to that day. Alpha is {alpha}.")
        return text.format(end=end, alpha=alpha)
    units = count(question.planned_units or 0)
    if question.method == "group_sequential":
        text = gettext("Planned: readings on {dates}. They share an alpha of {alpha}; {units} users are expected.")
        return text.format(dates=", ".join(day_text(day) for day in question.readings), alpha=alpha, units=units)
    text = gettext(
        "Planned: it may be read on any day until {end}. The intervals hold on all these days together, at an alpha of "
        "{alpha}; {units} users are expected."
    )
    return text.format(end=end, alpha=alpha, units=units)


def state_sentence(report: HoldoutReport) -> str:
    """Why there is no answer now, and when one is expected."""
    if report.why == "too_few":
        return gettext("Fewer than 100 users on one side have a known outcome so far.")
    if report.why == "done" or report.next_on is None:
        return gettext("The last planned reading is over.")
    if report.why == "between":
        text = gettext("The next planned reading is on {day}. In between the outcome stays locked.")
    else:
        text = gettext(
            "The outcome stays locked until {day}, as planned: reading it earlier would raise the false-positive rate."
        )
    return text.format(day=day_text(report.next_on))


def side_words(side: str) -> str:
    """Name of a side."""
    return gettext("holdout") if side == HELD else gettext("rest")


def alarms(report: HoldoutReport) -> list[str]:
    """Warnings to be read before any number."""
    sentences = []
    if report.broken:
        sentences.append(_broken(report))
    reaching = [row.name or row.experiment for row in report.shipped if not row.keeps_out]
    if reaching:
        text = gettext(
            "The holdout has these changes too, since their plans include it: {names}. This report can't see them."
        )
        sentences.append(text.format(names=", ".join(reaching)))
    return sentences


def lead(report: HoldoutReport) -> str:
    """The answer in one sentence, or why there is none yet."""
    if report.state == WAITING or report.difference is None:
        return state_sentence(report)
    difference = report.difference
    if not computable(difference):
        return reason_words(difference)
    text = gettext(
        "What was shipped since {since}, taken together, changed “{outcome}” by {effect} ({limits} at {level}; "
        "p {p}; {n} users, {held} of them held out)."
    )
    return text.format(
        since=day_text(report.asked.since),
        outcome=metric_words(report.asked.outcome),
        effect=effect_text(difference.estimate, share=_share(report), plus=True),
        limits=effect_limits(difference.low, difference.high, _share(report)),
        level=level_text(difference.level),
        p=p_relation(difference.p_value),
        n=count(sum(report.mature.values())),
        held=count(report.mature[HELD]),
    )


def light(report: HoldoutReport) -> str:
    """Colour of the answer: good or bad where the interval excludes 0."""
    difference = report.difference
    if report.broken:
        return "bad"
    if difference is None or not computable(difference) or difference.low <= 0 <= difference.high:
        return "warn"
    return "good" if difference.low > 0 else "bad"


def parts(report: HoldoutReport) -> tuple[Part, ...]:
    """All parts, in order."""
    rows = _sum_rows(report)
    # While the outcome is locked there is nothing to compare the sums with.
    known = report.difference is not None and any(value is not None for _, value in rows)
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
    sections = [compared, Part("sides", gettext("Both sides"), _split(report), sides_table(report))]
    if len(report.asked.readings) > 1 or len(report.looks) > 1:
        sections.append(Part("readings", gettext("Readings"), "", readings_table(report)))
    sections.append(Part("shipped", gettext("What was shipped"), _shipped_finding(report), shipped_table(report)))
    return tuple(sections)


def draw(report: HoldoutReport, slug: str = "") -> tuple[Drawing, ...]:
    """All charts of a reading, or one of them."""
    return drawings(parts(report), slug)


def draw_sums(rows: Sequence[tuple[str, Limited | None]], share: bool) -> Drawn:
    """Chart of the difference and the sum with their intervals."""
    marks = [{"label": label, **limit_marks(value, 100 if share else 1)} for label, value in rows if value is not None]
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
    rows = [(label, *_cells(value, share), basis) for label, value, basis in _sum_values(report)]
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
            day_text(look.on),
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
            day_text(row.on),
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
    test = report.sample_ratio
    if not computable(test):
        return reason_words(test)
    text = gettext("Do both sides have the planned shares? p {p} over all users; below 0.001 at any time is an alarm.")
    return text.format(p=p_relation(test.p_value))


def _compared(report: HoldoutReport) -> str:
    difference, sums = report.difference, report.sums
    if not computable(sums):
        return gettext("No change since then has a final finding on this outcome, so there is no sum beside it.")
    if not computable(sums.shrunk):
        return reason_words(sums.shrunk)
    total = effect_text(sums.shrunk.estimate, share=_share(report), plus=True)
    if difference is None:
        text = gettext(
            "By their own experiments, without the winners' luck, the {n} changes add up to {total}. What they did "
            "together is locked."
        )
        return text.format(n=sums.selected, total=total)
    if not computable(difference):
        return reason_words(difference)
    text = gettext(
        "By their own experiments, without the winners' luck, the {n} changes add up to {total}; together they made "
        "{effect}."
    )
    return text.format(
        n=sums.selected, total=total, effect=effect_text(difference.estimate, share=_share(report), plus=True)
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
    return [(label, None if isinstance(value, NotComputable) else value) for label, value, _ in _sum_values(report)]


def _cells(interval: Limited | NotComputable | None, share: bool) -> tuple[str, str]:
    if interval is None:
        return gettext("locked"), ""
    if isinstance(interval, NotComputable):
        return Absent(reason_words(interval)), ""
    return effect_text(interval.estimate, share=share, plus=True), effect_limits(interval.low, interval.high, share)


def _level(interval: Limited | NotComputable, report: HoldoutReport) -> str:
    if isinstance(interval, NotComputable):
        return Absent(reason_words(interval))
    if _share(report):
        return limits(interval.estimate, interval.low, interval.high)
    return f"{significant(interval.estimate)} ({between(significant(interval.low), significant(interval.high))})"


def _share(report: HoldoutReport) -> bool:
    return report.kind == Kind.PROPORTION
