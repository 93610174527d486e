"""Whom to nudge: a rule with its value on held-out units, or that no rule beats nudging everybody. Pure."""

from functools import partial

from experiments.analyse.effects import Comparison, OutcomeReport
from experiments.plan.design import Kind
from experiments.report.chart_pieces import ROW, WIDTH, difference_title, label_axis, limit_marks
from experiments.report.estimates import level_heading
from experiments.report.for_whom.trait_names import rule_words
from reporting.charts import Drawn, alt, data, forest
from reporting.numbers import effect_limits, effect_text, percent
from reporting.table import Part, Row, Table
from reporting.words import gettext, reason_words
from stats.policy import Policy
from stats.results import Interval, NotComputable, computable


def part_of(outcome: OutcomeReport, row: Comparison, place: int) -> Part | None:
    """Sentence, chart and table of one variant."""
    found, share = row.policy, outcome.kind is Kind.PROPORTION
    if found is None:
        return None
    heading = gettext("Whom to give {variant}").format(variant=row.variant)
    slug = f"policy-{place}"
    if not computable(found):
        return Part(slug, heading, reason_words(found), None)
    shown = table(row.variant, found, share)
    return Part(slug, heading, finding(found, share), shown, note=note(found, share), draw=partial(draw, found, share))


def finding(found: Policy, share: bool) -> str:
    """The rule in words, or why there is none."""
    if found.rule is None:
        if found.everybody:
            return gettext("No rule beats everybody: what was known before gives no reason to leave anybody out.")
        return gettext("No rule beats everybody or nobody: nobody was found whom the nudge helps enough.")
    fields = {
        "rule": rule_words(found.rule),
        "share": percent(found.share),
        "over_all": effect_text(found.over_all.estimate, share=share, plus=True),
        "all_limits": effect_limits(found.over_all.low, found.over_all.high, share),
        "over_none": effect_text(found.over_none.estimate, share=share, plus=True),
        "none_limits": effect_limits(found.over_none.low, found.over_none.high, share),
    }
    if found.beats:
        text = gettext(
            "Nudge only where {rule}, {share} of users: {over_all} ({all_limits}) beside nudging everybody and "
            "{over_none} ({none_limits}) beside nudging nobody, on users who had no part in the choice."
        )
        return text.format(**fields)
    text = gettext(
        "No rule beats everybody: the best one found, {rule}, gains {over_all} ({all_limits}) beside nudging everybody "
        "and {over_none} ({none_limits}) beside nudging nobody, and both would have to lie above 0."
    )
    return text.format(**fields)


def note(found: Policy, share: bool) -> str:
    """Meaning of a gain, and how much the choice depends on random splits."""
    free = gettext(
        "Gains are an average over all users, nudged or not. Nudging counts as free, so a rule that does as well as "
        "everybody with fewer nudges isn't better."
    )
    paid = gettext("Gains are an average over all users, nudged or not, and pay {cost} for each user who is nudged.")
    text = paid.format(cost=effect_text(found.cost, share=share)) if found.cost else free
    if found.rule is None:
        return text
    again = gettext("{agreement} of the training samples chose this very rule.")
    return f"{text} {again.format(agreement=percent(found.agreement, 0))}"


def table(variant: str, found: Policy, share: bool) -> Table:
    """Gains of the three policies over each other, and the effect on both sides of the rule."""
    rows: list[Row] = [(label, *_cells(value, share)) for label, value in _rows(found)]
    columns = (gettext("compared"), gettext("gain"), level_heading(found.over_all.level))
    note = gettext("{splits} random splits in {folds} parts: {judging} judged what the others chose; seed {seed}.")
    if found.judging == 1:  # in versions up to 0.4
        note = gettext(
            "{splits} random splits in {folds} parts, each of which judged what the others chose; seed {seed}."
        )
    title = gettext("Whom to give {variant}: gains").format(variant=variant)
    told = note.format(splits=found.splits, folds=found.folds, judging=found.judging, seed=found.seed)
    return Table(title, columns, tuple(rows), told)


def draw(found: Policy, share: bool) -> Drawn:
    """Chart of the table's rows as intervals."""
    factor = 100.0 if share else 1.0
    marks = [{"label": label, **limit_marks(value, factor)} for label, value in _rows(found) if computable(value)]
    base = alt.Chart(data(marks)).encode(y=label_axis([str(mark["label"]) for mark in marks]))
    layers = forest(base, difference_title(share))
    return alt.layer(*layers).properties(width=WIDTH - 60, height=ROW * len(marks)), 2 * len(marks)


def _rows(found: Policy) -> list[tuple[str, Interval | NotComputable]]:
    plain: list[tuple[str, Interval | NotComputable]] = [(gettext("everybody against nobody"), found.all_over_none)]
    if found.rule is None:
        return plain
    return [
        (gettext("the rule against everybody"), found.over_all),
        (gettext("the rule against nobody"), found.over_none),
        *plain,
        (gettext("effect on those whom the rule takes"), found.inside),
        (gettext("effect on the others"), found.outside),
    ]


def _cells(value: Interval | NotComputable, share: bool) -> tuple[str, str]:
    if not computable(value):
        return reason_words(value), ""
    return effect_text(value.estimate, share=share, plus=True), effect_limits(value.low, value.high, share)
