"""All outcomes and guardrails: levels, effects, spillover, Bayesian estimates. Pure."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from experiments.analyse.effects import Comparison, OutcomeReport, Report
from experiments.analyse.result import AnalysisResult, Belief, Opened
from experiments.plan.design import Kind
from experiments.report.estimates import (
    ROW,
    WIDTH,
    difference_title,
    effect_cells,
    effect_with_limits,
    label_axis,
    level_heading,
    limit_marks,
    number_cell,
    p_cell,
    set_text,
)
from experiments.report.names import metric_words, versus
from reporting.charts import Drawn, Mark, alt, data, forest
from reporting.numbers import (
    between,
    count,
    decimal,
    effect_limits,
    effect_text,
    p_relation,
    p_value,
    percent,
    points,
    signed_percent,
    significant,
)
from reporting.table import Part, Row, Section, Table
from reporting.words import gettext, reason_words
from stats.results import Estimate, Interval, NotComputable, computable
from stats.saturation import SaturationEffects

# Effects on nudged units and on other units of their clusters: direct and spillover, with saturations. Pure.


def saturation_section(opened: Opened, report: Report) -> Section:
    """Section, empty where clusters drew no saturations."""
    title = gettext("Those who were nudged, and those beside them")
    if not opened.saturation:
        return Section("saturation", title, "", ())
    shares = {row.name: row.kind is Kind.PROPORTION for row in opened.report.outcomes}
    lead = gettext(
        "Clusters drew the share of their users who are nudged. These effects are outside the verdict's family of "
        "tests, and hold if users of different clusters don't affect each other."
    )
    effects = opened.saturation
    parts = [
        Part("saturation", gettext("Direct and spillover effects"), finding(effects, shares), table(effects, shares))
    ]
    if any(row.own is not None for row in effects):
        name = gettext("One's own behaviour, and that of friends")
        sentence = gettext(
            "The verdict rests on one's own behaviour: nudged users against the others of the same clusters, where "
            "friends behave alike on both sides."
        )
        parts.append(Part("own-and-peers", name, sentence, behaviour_table(effects, shares)))
    return Section("saturation", title, lead, tuple(parts))


def behaviour_table(effects: tuple[SaturationEffects, ...], shares: dict[str, bool]) -> Table:
    """Own and peers' effect at each share of nudged members, with their Anderson-Rubin sets."""
    rows: list[Row] = []
    for row in effects:
        share = shares[row.outcome]
        for name, effect in (
            (gettext("own: of one's own behaviour"), row.own),
            (gettext("peers': of all friends' behaviour, on those beside them"), row.peers),
        ):
            if effect is None:
                continue
            if not computable(effect):
                cells: tuple[str, ...] = (reason_words(effect), "", "")
            else:
                moved = " ".join(effect_with_limits(effect.moved, share=True))
                cells = (moved, effect_with_limits(effect.effect, share)[0], set_text(effect.effect_set, share=share))
            rows.append((metric_words(row.outcome), percent(row.share), name, *cells))
        if row.beside_moved is not None:
            moved = " ".join(effect_with_limits(row.beside_moved, share=True))
            rows.append(
                (
                    metric_words(row.outcome),
                    percent(row.share),
                    gettext("did it because friends were nudged"),
                    moved,
                    "",
                    "",
                )
            )
    columns = (
        gettext("outcome"),
        gettext("share nudged"),
        gettext("effect"),
        gettext("did it more (own: users; peers': friends)"),
        gettext("effect on the outcome"),
        gettext("Anderson-Rubin set"),
    )
    note = gettext(
        "The peers' effect is what friends do when all of them do it because of the nudge. It assumes that friends' "
        "behaviour doesn't change one's own. “did it because friends were nudged” shows whether it does; then the "
        "effect holds both."
    )
    return Table(gettext("One's own behaviour, and that of friends"), columns, tuple(rows), note)


def finding(effects: tuple[SaturationEffects, ...], shares: dict[str, bool]) -> str:
    """The spillover of the largest share that has one."""
    known = [row for row in effects if computable(row.spillover)]
    if not known:
        return gettext("There is no share of nudged users with which two clusters or more have others beside them.")
    row = max(known, key=lambda row: row.share)
    effect, share = row.spillover, shares[row.outcome]
    if not computable(effect):
        return ""
    text = gettext(
        "Where {share} of a cluster are nudged, its other users differ by {estimate} ({limits}) from users of "
        "clusters without any nudge. No spillover is shown."
    )
    if not effect.low <= 0 <= effect.high:
        text = gettext(
            "Where {share} of a cluster are nudged, its other users differ by {estimate} ({limits}) from users of "
            "clusters without any nudge. The nudge also affects users who didn't get it."
        )
    return text.format(
        share=percent(row.share),
        estimate=effect_text(effect.estimate, share=share, plus=True),
        limits=effect_limits(effect.low, effect.high, share),
    )


def table(found: tuple[SaturationEffects, ...], shares: dict[str, bool]) -> Table:
    """Direct, spillover, total and overall effect at each share of nudged members."""
    rows: list[Row] = []
    for row in found:
        effects = (
            (gettext("direct: nudged against not nudged, beside each other"), row.direct, row.units[1] + row.units[2]),
            (gettext("spillover: beside nudged ones, against no nudge"), row.spillover, row.units[0] + row.units[1]),
            (gettext("total: nudged, against no nudge"), row.total, row.units[0] + row.units[2]),
            (gettext("overall: the whole cluster, against no nudge"), row.overall, sum(row.units)),
        )
        for name, effect, units in effects:
            cells = effect_with_limits(effect, shares[row.outcome])
            clusters = f"{count(row.clusters)} / {count(row.control_clusters)}"
            rows.append((metric_words(row.outcome), percent(row.share), name, *cells, count(units), clusters))
    columns = (
        gettext("outcome"),
        gettext("share nudged"),
        gettext("effect"),
        gettext("difference"),
        gettext("interval"),
        gettext("users"),
        gettext("clusters with this share / without nudge"),
    )
    return Table(gettext("Direct and spillover effects"), columns, tuple(rows))


# Bayesian figures of every comparison. Pure.


def beliefs_section(opened: Opened, report: Report) -> Section:
    """Folded section, since it never enters the verdict."""
    title = gettext("Bayesian companion")
    if not opened.beliefs:
        return Section("bayes", title, "", (), closed=True)
    kinds = {row.name: row.kind is Kind.PROPORTION for row in opened.report.outcomes}
    part = Part("beliefs", gettext("What a Bayesian would say"), "", beliefs(opened.beliefs, kinds))
    # Source: docs/methods/comparison.md, "Beta binomial and normal posterior".
    lead = gettext(
        "These numbers never enter the verdict, and they don't make early reading harmless: whoever stops when the "
        "chance seems high will be wrong more often than it says."
    )
    return Section("bayes", title, lead, (part,), closed=True)


def beliefs(figures: tuple[Belief, ...], shares: dict[str, bool]) -> Table | None:
    """Table of Bayesian figures by comparison."""
    rows: list[Row] = []
    for row in figures:
        name, belief, share = metric_words(row.outcome), row.posterior, shares[row.outcome]
        if not computable(belief):
            rows.append((name, row.variant, reason_words(belief), "", "", "", ""))
            continue
        values = (belief.estimate, belief.loss_variant, belief.loss_control)
        text = [effect_text(value, share=share) for value in values]
        around = effect_limits(belief.low, belief.high, share)
        rows.append((name, row.variant, percent(belief.chance_better), text[0], around, text[1], text[2]))
    columns = (
        gettext("outcome"),
        gettext("variant"),
        gettext("chance to beat control"),
        gettext("difference"),
        gettext("credible interval"),
        gettext("expected loss of the nudge"),
        gettext("expected loss of control"),
    )
    return Table(gettext("Bayesian companion"), columns, tuple(rows)) if rows else None


# All outcomes and guardrails: their levels, and the effect of the nudge on each. Pure.


def section(opened: Opened, report: Report) -> Section:
    """Every outcome of the plan, as a file's report has them."""
    several = len(report.outcomes) > 1 and any(outcome.kind is Kind.PROPORTION for outcome in report.outcomes)
    against = any(row.compared_with for row in report.outcomes[0].comparisons)
    title = gettext("Every outcome against the placebo") if against else gettext("Every outcome against control")
    draw = partial(draw_shares, report.outcomes) if several else None
    parts = [
        Part("outcomes", title, outcomes_finding(opened), comparisons(report), draw=draw),
        Part("levels", gettext("Levels in each group"), "", levels(report)),
    ]
    covariates = adjusted(report)
    if covariates is not None:
        parts.append(Part("adjusted", covariates.title, "", covariates))
    return Section("outcomes", gettext("All outcomes and guardrails"), "", tuple(parts))


def outcomes_finding(result: AnalysisResult) -> str:
    """Number of outcomes of each role."""
    plan = result.plan
    text = gettext("Outcomes that decide: {primary}. Also read: {secondary}. Guardrails: {guardrails}.")
    return text.format(primary=len(plan.primary), secondary=len(plan.secondary), guardrails=len(plan.guardrails))


def levels(report: Report) -> Table:
    """Each outcome's level in each variant."""
    rows = []
    for outcome in report.outcomes:
        for label, value in outcome.values.items():
            rows.append(
                (
                    outcome.name,
                    label,
                    count(value.n),
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
        level_heading(report.design.level),
    )
    return Table(gettext("Level of each outcome"), columns, tuple(rows))


def _level(value: float | NotComputable, kind: Kind) -> str:
    return number_cell(value, percent if kind is Kind.PROPORTION else significant)


def _level_interval(value: Interval | NotComputable, kind: Kind) -> str:
    if not computable(value):
        return ""
    return between(_level(value.low, kind), _level(value.high, kind))


def comparisons(report: Report) -> Table:
    """Each variant against its comparator, on each outcome; with a placebo comparator also against control."""
    control, placebo = report.design.control, report.design.placebo
    pairs = [(outcome, row) for outcome in report.outcomes for row in outcome.comparisons]
    rows = []
    for outcome, row in pairs:
        judged = ("", _lift(row.lift), "")  # a placebo against control is a diagnostic outside the family
        if row.variant != placebo:
            judged = (number_cell(row.adjusted_p, p_value), _lift(row.lift), row.verdict.heading)
        rows.append(_compared(outcome, row, row.difference, row.compared_with, row.compared_with or control, judged))
    for outcome, row in pairs:
        if row.against_control is not None:  # the effect of giving it to everybody
            rows.append(_compared(outcome, row, row.against_control, control, control, ("", "", "")))
    columns = (
        gettext("outcome"),
        gettext("variant"),
        gettext("n, comparison and treatment") if _placebo_serves(report) else gettext("n, control and treatment"),
        gettext("difference"),
        level_heading(report.design.level),
        gettext("p"),
        gettext("adjusted p (Holm)"),
        gettext("relative lift"),
        gettext("users per extra retained user (NNT)"),
        gettext("verdict"),
    )
    note = _comparison_note(report)
    together = [_together(outcome, row) for outcome, row in pairs]
    if any(together):
        heading = gettext("Intervals that hold for all confirmatory comparisons together: %(intervals)s.")
        note += " " + heading % {"intervals": "; ".join(text for text in together if text)}
    note += _randomisation_sentence(report)
    return Table(gettext("Effect of the nudge (intention to treat)"), columns, tuple(rows), note)


def _compared(
    outcome: OutcomeReport,
    row: Comparison,
    difference: Estimate | NotComputable,
    named: str,
    comparator: str,
    judged: tuple[str, str, str],
) -> Row:
    # A lab's nudges have no one control group: each has all others.
    both = [outcome.values[arm].n for arm in (comparator, row.variant) if arm in outcome.values]
    sizes = " / ".join(count(n) for n in both)
    family_p, lift, verdict = judged
    return (
        outcome.name,
        versus(row.variant, named),
        sizes,
        *effect_cells(difference, outcome.kind),
        p_cell(difference),
        family_p,
        lift,
        _needed(difference, outcome.kind),
        verdict,
    )


def _together(outcome: OutcomeReport, row: Comparison) -> str:
    if row.simultaneous is None or not computable(row.simultaneous):
        return ""
    share = outcome.kind is Kind.PROPORTION
    low, high = (effect_text(v, share=share) for v in (row.simultaneous.low, row.simultaneous.high))
    return f"{outcome.name} · {versus(row.variant, row.compared_with)} {between(low, high)}"


def _needed(value: Estimate | NotComputable, kind: Kind) -> str:
    """Number needed to treat, 1/difference: units given the variant for one whose outcome changes."""
    if kind is not Kind.PROPORTION or not computable(value) or value.estimate == 0:
        return ""
    return decimal(abs(1 / value.estimate), 0)


def _lift(value: Interval | NotComputable) -> str:
    if not computable(value):
        return reason_words(value)
    return f"{signed_percent(value.estimate)} ({between(points(value.low), points(value.high))})"


def _placebo_serves(report: Report) -> bool:
    """True when some comparison is with the placebo."""
    return any(row.compared_with for outcome in report.outcomes for row in outcome.comparisons)


def _comparison_note(report: Report) -> str:
    """Note on the direction of subtraction."""
    note = gettext("Differences are treatment minus control (%(control)s); p belongs to the absolute difference.")
    note = note % {"control": report.design.control}
    if _placebo_serves(report):
        note = gettext(
            "Differences are treatment minus what it is compared with: the placebo (%(placebo)s), which is as "
            "visible as the nudge, and control (%(control)s) where nothing else is named. Rows without a verdict "
            "decide nothing: that of the placebo shows what the nudge does by itself, and the nudge against control "
            "holds both. p belongs to the absolute difference."
        ) % {"control": report.design.control, "placebo": report.design.placebo}
    return note


def _randomisation_sentence(report: Report) -> str:
    """Sentence on the randomisation tests for few clusters; empty without any."""
    all_tests = [
        (outcome, row, row.randomisation)
        for outcome in report.outcomes
        for row in outcome.comparisons
        if row.randomisation is not None
    ]
    tests = [(outcome, row, test) for outcome, row, test in all_tests if computable(test)]
    if not tests:
        return ""
    sentence = gettext(
        "Few clusters: a randomisation test of the cluster means (%(draws)s other assignments, seed %(seed)s) gives p "
        "%(tests)s."
    )
    texts = [f"{p_relation(test.p_value)} ({outcome.name} · {row.variant})" for outcome, row, test in tests]
    first = tests[0][2]
    return " " + sentence % {"draws": count(first.draws), "seed": first.seed, "tests": ", ".join(texts)}


def adjusted(report: Report) -> Table | None:
    """The comparison adjusted for covariates, if any; where it is the registered one, the plain one too."""
    rows: list[Row] = []
    for outcome in report.outcomes:
        for row in outcome.comparisons:
            value, plain = row.covariate_adjusted, row.unadjusted
            comparison = versus(row.variant, row.compared_with)
            if value is not None:
                reduction = percent(value.variance_reduction) if computable(value) else ""
                rows.append((outcome.name, comparison, *effect_cells(value, outcome.kind), p_cell(value), reduction))
            if plain is not None:
                without = gettext("{comparison}, without covariates").format(comparison=comparison)
                rows.append((outcome.name, without, *effect_cells(plain, outcome.kind), p_cell(plain), ""))
    if not rows:
        return None
    columns = (
        gettext("outcome"),
        gettext("variant"),
        gettext("adjusted difference"),
        level_heading(report.design.level),
        gettext("p"),
        gettext("variance removed"),
    )
    note = gettext("Covariates: %(names)s. A sensitivity check: the verdict rests on the unadjusted comparison.")
    if report.design.adjusted:
        note = gettext(
            "Covariates: %(names)s. The plan registered the adjusted comparison: verdict, interim analyses and the "
            "set of the behaviour's effects rest on it. The one without covariates is a sensitivity check."
        )
    names = ", ".join(row.name for row in report.design.covariates)
    return Table(gettext("Adjusted for covariates (Lin)"), columns, tuple(rows), note % {"names": names})


def draw_shares(outcomes: Sequence[OutcomeReport]) -> Drawn:
    """Chart of every share's difference in points, the primary outcome first."""
    rows = _rows(outcome for outcome in outcomes if outcome.kind is Kind.PROPORTION)
    return _panel(rows, difference_title(True)), 2 * len(rows)


def draw_all(report: Report) -> Drawn | None:
    """The chart in a file's report, where every mean has its own panel, since units can't share an axis."""
    # Against a placebo, each row names its comparator.
    against = _placebo_serves(report)
    shares = gettext("Difference, points") if against else gettext("Difference to control, points")
    mean = gettext("Difference, %(outcome)s") if against else gettext("Difference to control, %(outcome)s")
    panels = {shares: _rows(outcome for outcome in report.outcomes if outcome.kind is Kind.PROPORTION)}
    panels |= {
        mean % {"outcome": outcome.name}: _rows([outcome]) for outcome in report.outcomes if outcome.kind is Kind.MEAN
    }
    drawn = [_panel(rows, title) for title, rows in panels.items() if rows]
    return (alt.vconcat(*drawn, spacing=18), 2 * sum(map(len, panels.values()))) if drawn else None


def _rows(outcomes: Iterable[OutcomeReport]) -> list[Mark]:
    return [
        {
            "label": f"{outcome.name} · {versus(row.variant, row.compared_with)}",
            **limit_marks(row.difference, 100.0 if outcome.kind is Kind.PROPORTION else 1.0),
        }
        for outcome in outcomes
        for row in outcome.comparisons
        if computable(row.difference)
    ]


def _panel(rows: Sequence[Mark], title: str) -> Any:
    layers = forest(alt.Chart(data(rows)).encode(y=label_axis([row["label"] for row in rows])), title)
    return alt.layer(*layers).properties(width=WIDTH - 80, height=ROW * len(rows))
