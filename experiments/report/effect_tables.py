"""The report as tables of text, for the terminal and for the page: the same rows stand behind each chart. Pure."""

from collections.abc import Callable

from experiments.analyse.codes import code_words
from experiments.analyse.effects import Comparison, Encouragement, OutcomeReport, Report
from experiments.plan.design import Kind
from experiments.report.comparison_tables import comparison_note, placebo_arms, placebo_serves, take_up_arms
from experiments.report.comparison_words import versus
from experiments.report.few_clusters import randomisation_sentence
from experiments.report.set_words import set_text
from experiments.report.words import breakdown_text
from reporting.numbers import GLUE, between, effect_text, level_text, p_relation, p_value, percent, points, significant
from reporting.table import Table
from reporting.words import gettext, reason_words
from stats.results import Estimate, Interval, NotComputable, Reason, computable


def flow(report: Report) -> Table:
    """From the rows of the file to the units of each variant."""
    reasons = {
        "missing_variant": gettext("left out: no variant"),
        "missing_unit": gettext("left out: no unit id"),
        "missing_cluster": gettext("left out: no cluster"),
        "several_variants": gettext("left out: seen in several variants (units)"),
        "unknown_variant": gettext("left out: variant not in the plan (units)"),
        "no_signup": gettext("left out: no signup in the log (units)"),
    }
    read = gettext("units exposed") if report.design.stored else gettext("rows read")
    rows = [(read, f"{report.rows:,}")]
    rows += [(reasons[reason], f"{n:,}") for reason, n in report.excluded.items()]
    rows += [(gettext("analysed in %(variant)s") % {"variant": label}, f"{n:,}") for label, n in report.units.items()]
    split = report.sample_ratio
    note = ""
    if any(finding.check == "sample_ratio_small" for finding in report.health):
        note = gettext("The split isn't tested: there are too few assigned units.")
    elif computable(split):
        planned = gettext("Planned split: %(split)s. Sample-ratio test: chi-square %(statistic)s, p %(p_value)s.")
        assumed = gettext(
            "Split, assumed equal: %(split)s. Sample-ratio test: chi-square %(statistic)s, p %(p_value)s."
        )
        note = (assumed if report.design.shares is None else planned) % {
            "split": ", ".join(f"{label} {percent(share)}" for label, share in split.expected.items()),
            "statistic": f"{split.statistic:.2f}",
            "p_value": p_relation(split.p_value),
        }
    return Table(gettext("Flow of units"), (gettext("step"), gettext("n")), tuple(rows), note)


def levels(report: Report) -> Table:
    """Each outcome's level in each variant."""
    rows = []
    for outcome in report.outcomes:
        for label, value in outcome.values.items():
            rows.append(
                (
                    outcome.name,
                    label,
                    f"{value.n:,}",
                    _level(value.mean, outcome.kind),
                    _level(value.standard_error, outcome.kind),
                    _level_interval(value.interval, outcome.kind),
                )
            )
    columns = (
        gettext("outcome"),
        gettext("variant"),
        gettext("n"),
        gettext("share or mean"),
        gettext("standard error"),
        _level_heading(report.design.level),
    )
    return Table(gettext("Level of each outcome"), columns, tuple(rows))


def comparisons(report: Report) -> Table:
    """Each variant against control on each outcome."""
    rows = tuple(
        (
            outcome.name,
            versus(row.variant, row.compared_with),
            _sizes(outcome, row, row.compared_with or report.design.control),
            *_effect(row.difference, outcome.kind),
            _p(row.difference),
            _family_p(report, row),
            _lift(row.lift),
            _needed(row.difference, outcome.kind),
            _code(report, row),
        )
        for outcome in report.outcomes
        for row in outcome.comparisons
    ) + _beside(report)
    columns = (
        gettext("outcome"),
        gettext("variant"),
        gettext("n, compared with and variant") if placebo_serves(report) else gettext("n, control and variant"),
        gettext("difference"),
        _level_heading(report.design.level),
        gettext("p"),
        gettext("adjusted p (Holm)"),
        gettext("relative lift"),
        gettext("units per one changed"),
        gettext("verdict"),
    )
    note = comparison_note(report)
    together = [_together(outcome, row) for outcome in report.outcomes for row in outcome.comparisons]
    if any(together):
        heading = gettext("Intervals that hold for all confirmatory comparisons together: %(intervals)s.")
        note += " " + heading % {"intervals": "; ".join(text for text in together if text)}
    note += randomisation_sentence(report)
    return Table(gettext("Effect of the nudge (intention to treat)"), columns, rows, note)


def _family_p(report: Report, row: Comparison) -> str:
    """A placebo against control is a diagnostic and in no family."""
    return "" if row.variant == report.design.placebo else _number(row.adjusted_p, p_value)


def _code(report: Report, row: Comparison) -> str:
    return "" if row.variant == report.design.placebo else code_words(row.verdict.code)


def _beside(report: Report) -> tuple[tuple[str, ...], ...]:
    """Each nudge that is compared with a placebo against control too: what giving it to everybody would do."""
    return tuple(
        (
            outcome.name,
            versus(row.variant, report.design.control),
            _sizes(outcome, row, report.design.control),
            *_effect(row.against_control, outcome.kind),
            _p(row.against_control),
            "",
            "",
            _needed(row.against_control, outcome.kind),
            "",
        )
        for outcome in report.outcomes
        for row in outcome.comparisons
        if row.against_control is not None
    )


def _together(outcome: OutcomeReport, row: Comparison) -> str:
    if row.simultaneous is None or not computable(row.simultaneous):
        return ""
    share = outcome.kind is Kind.PROPORTION
    low, high = (effect_text(v, share=share) for v in (row.simultaneous.low, row.simultaneous.high))
    return f"{outcome.name} · {versus(row.variant, row.compared_with)} {between(low, high)}"


def adjusted(report: Report) -> Table | None:
    """The covariate-adjusted comparison, when covariates were given."""
    rows = []
    for outcome in report.outcomes:
        for row in outcome.comparisons:
            value = row.covariate_adjusted
            if value is None:
                continue
            reduction = percent(value.variance_reduction) if computable(value) else ""
            named = versus(row.variant, row.compared_with)
            rows.append((outcome.name, named, *_effect(value, outcome.kind), _p(value), reduction))
    if not rows:
        return None
    columns = (
        gettext("outcome"),
        gettext("variant"),
        gettext("adjusted difference"),
        _level_heading(report.design.level),
        gettext("p"),
        gettext("variance removed"),
    )
    note = gettext("Covariates: %(names)s. A sensitivity check: the verdict rests on the unadjusted comparison.")
    names = ", ".join(row.name for row in report.design.covariates)
    return Table(gettext("Adjusted for covariates (Lin)"), columns, tuple(rows), note % {"names": names})


def segments(outcome: OutcomeReport, row: Comparison, level: float) -> Table:
    """One comparison inside each segment, and pooled."""
    rows = [
        (
            segment.segment,
            f"{segment.n:,}",
            *_effect(segment.difference, outcome.kind),
            _p(segment.difference),
            _number(segment.adjusted_p, p_value),
        )
        for segment in row.by_segment
    ]
    note = ""
    if row.stratified is not None:
        pooled = row.stratified.risk_difference
        total = f"{sum(segment.n for segment in row.by_segment):,}"
        effect = _effect(pooled, outcome.kind)
        rows.append((gettext("All segments, pooled"), total, *effect, _p(pooled), ""))
        note = _heterogeneity_note(row)
        weighted = row.stratified.population
        if computable(weighted):
            effect = _effect(weighted, outcome.kind)
            rows.append((gettext("All segments, by their size"), total, *effect, _p(weighted), ""))
    columns = (
        gettext("segment"),
        gettext("n"),
        gettext("difference"),
        _level_heading(level),
        gettext("p"),
        gettext("adjusted p (Benjamini-Hochberg)"),
    )
    named = versus(row.variant, row.compared_with)
    title = gettext("%(outcome)s, %(variant)s, by segment") % {"outcome": outcome.name, "variant": named}
    return Table(title, columns, tuple(rows), note)


def _heterogeneity_note(row: Comparison) -> str:
    if row.stratified is None:
        return ""
    parts = []
    test = row.stratified.heterogeneity
    if computable(test):
        differ = gettext("The segments differ in the effect (Cochran's Q, p %(p_value)s).")
        same = gettext("The segments don't differ detectably in the effect (Cochran's Q, p %(p_value)s).")
        parts.append((differ if test.p_value < 0.05 else same) % {"p_value": p_relation(test.p_value)})
    else:
        parts.append(reason_words(test))
    if row.stratified.pooled:
        parts.append(
            gettext("Too small to stand alone and pooled as “other”: %(segments)s.")
            % {"segments": ", ".join(row.stratified.pooled)}
        )
    return " ".join(parts)


def behaviour(report: Report, outcome: OutcomeReport, row: Comparison) -> Table | None:
    """Take-up, the effect of the behaviour, and the as-treated comparison that isn't one."""
    found = row.encouragement
    if found is None:
        return None
    named = {"behaviour": report.design.behaviour, "outcome": outcome.name, "placebo": row.compared_with}
    named["variant"] = row.variant
    placebo_itself = row.variant == report.design.placebo
    rows = _take_up_rows(found, row.compared_with, placebo_itself)
    if placebo_itself:
        title = gettext("Whether the placebo moves %(behaviour)s") % named
    else:
        rows += _effect_rows(found, outcome.kind)
        rows[-1:-1] = [] if row.compared_with else _direct_rows(found, outcome.kind is Kind.PROPORTION)
        title = gettext("Effect of %(behaviour)s on %(outcome)s, nudged by %(variant)s") % named
        if row.compared_with:
            title = gettext("Effect of %(behaviour)s on %(outcome)s, %(variant)s against %(placebo)s") % named
    columns = (gettext("quantity"), gettext("value"), _level_heading(report.design.level), gettext("p"))
    return Table(title, columns, tuple(rows))


def _take_up_rows(found: Encouragement, placebo: str, placebo_itself: bool) -> list[tuple[str, str, str, str]]:
    take_up = found.take_up
    heading = gettext("Take-up (share that did it)")
    if not computable(take_up):
        return [(heading, reason_words(take_up), "", "")]
    moved = _points(take_up.difference)
    interval = between(_points(take_up.low), _points(take_up.high))
    if placebo_itself:  # it is no nudge, and no effect is read from it: its strength means nothing
        return [
            (heading, placebo_arms(take_up), "", ""),
            (gettext("Moved by the placebo"), moved, interval, ""),
        ]
    arms = take_up_arms(take_up, placebo)
    strength = _number(take_up.f_statistic, lambda value: f"{value:,.1f}")
    return [
        (heading, arms, "", ""),
        (gettext("Moved by the nudge (first stage)"), moved, interval, ""),
        (gettext("Strength of the nudge (robust F)"), strength, "", ""),
    ]


def _effect_rows(found: Encouragement, kind: Kind) -> list[tuple[str, str, str, str]]:
    share = kind is Kind.PROPORTION
    rows = [
        (
            gettext("Effect among the moved (Wald)"),
            *_effect(found.effect, kind),
            _p(found.effect),
        )
    ]
    if found.adjusted_effect is not None:
        effect = _effect(found.adjusted_effect, kind)
        rows.append((gettext("The same with covariates (2SLS)"), *effect, _p(found.adjusted_effect)))
    rows.append((gettext("Anderson-Rubin set (decides)"), "", set_text(found.effect_set, share=share), ""))
    as_treated = _number(found.as_treated, lambda value: effect_text(value, share=share))
    rows.append((gettext("As treated (not causal, a warning)"), as_treated, "", ""))
    return rows


def _direct_rows(found: Encouragement, share: bool) -> list[tuple[str, str, str, str]]:
    """How large a direct effect of being nudged would undo the finding, and what shows of it."""
    value = found.breakdown
    if not computable(value) and value.reason is Reason.EARLIER_VERSION:
        return []
    shown = _number(value, lambda size: breakdown_text(size, share=share))
    rows = [(gettext("Direct effect of being nudged that would undo it (breakdown value)"), shown, "", "")]
    if found.zero_first_stage is not None:
        group = found.zero_first_stage
        kind = Kind.PROPORTION if share else Kind.MEAN
        label = gettext("Direct effect as %(group)s shows it, which the nudge can't move") % {"group": group.group}
        rows.append((label, *_effect(group.direct, kind), _p(group.direct)))
        effects = set_text(group.effect_set, share=share)
        rows.append((gettext("Anderson-Rubin set without that direct effect"), "", effects, ""))
    return rows


# ── Formatting ────────────────────────────────────────────────────────────────
def _level_heading(level: float) -> str:
    return gettext("%(level)s interval") % {"level": level_text(level)}


def _points(value: float) -> str:
    return effect_text(value, share=True)


def _number(value: float | NotComputable, write: Callable[[float], str]) -> str:
    return write(value) if computable(value) else reason_words(value)


def _level(value: float | NotComputable, kind: Kind) -> str:
    return _number(value, percent if kind is Kind.PROPORTION else significant)


def _level_interval(value: Interval | NotComputable, kind: Kind) -> str:
    if not computable(value):
        return ""
    return between(_level(value.low, kind), _level(value.high, kind))


def _effect(value: Estimate | NotComputable, kind: Kind) -> tuple[str, str]:
    if not computable(value):
        return reason_words(value), ""
    share = kind is Kind.PROPORTION
    low = effect_text(value.low, share=share)
    high = effect_text(value.high, share=share)
    return effect_text(value.estimate, share=share), between(low, high)


def _p(value: Estimate | NotComputable) -> str:
    return p_value(value.p_value) if computable(value) else ""


def _sizes(outcome: OutcomeReport, row: Comparison, control: str) -> str:
    return f"{outcome.values[control].n:,} / {outcome.values[row.variant].n:,}"


def _needed(value: Estimate | NotComputable, kind: Kind) -> str:
    """Number needed to treat, 1/difference: units given the variant for one whose outcome changes."""
    if kind is not Kind.PROPORTION or not computable(value) or value.estimate == 0:
        return ""
    return f"{abs(1 / value.estimate):,.0f}"


def _lift(value: Interval | NotComputable) -> str:
    if not computable(value):
        return reason_words(value)
    return f"{points(value.estimate)}{GLUE}% ({between(points(value.low), points(value.high))})"
