"""The effect by segment: for a stored experiment, with shrinkage, and for a file. Pure."""

from functools import partial

from experiments.analyse.effects import Comparison, OutcomeReport, Report, leading
from experiments.analyse.result import Opened, Shrunk
from experiments.plan.design import Kind
from experiments.report.estimates import (
    WIDTH,
    difference_title,
    effect_cells,
    label_axis,
    level_heading,
    limit_marks,
    number_cell,
    p_cell,
)
from experiments.report.names import versus
from reporting.charts import BLUE, GREY, ORANGE, Drawn, Mark, alt, data, forest
from reporting.numbers import count, effect_limits, effect_text, p_relation, p_value, percent
from reporting.table import Part, Section, Table
from reporting.words import gettext, reason_words
from stats.results import computable

ALARM = 0.05


def section(opened: Opened, report: Report) -> Section:
    """The interaction test first, then each comparison of the first outcome; variants are numbered from 1."""
    outcome, title = report.outcomes[0], gettext("By segment")
    parts = [
        _part(f"segments-{place}", outcome, row, _shrunk(opened, row.variant), report.design.level)
        for place, row in enumerate(outcome.comparisons, start=1)
        if row.by_segment
    ]
    if not parts:
        lead = gettext("All users belong to one segment, so there is nothing to compare.")
        return Section("segments", title, lead, ())
    return Section("segments", title, interaction(leading(report)), tuple(parts))


def _part(slug: str, outcome: OutcomeReport, row: Comparison, shrunk: Shrunk | None, level: float) -> Part:
    return Part(
        slug,
        f"{outcome.name} · {versus(row.variant, row.compared_with)}",
        pooled_finding(row, outcome.kind is Kind.PROPORTION),
        shrunk_table(outcome, row, shrunk, level),
        note=gettext(
            "Single segments mislead: the largest is partly luck. Shrinkage pulls each towards the mean by how "
            "uncertain it is; read segments apart only where the test says that they differ."
        ),
        draw=partial(draw, outcome, row, shrunk) if drawable(row) else None,
    )


def _shrunk(opened: Opened, variant: str) -> Shrunk | None:
    return next((row for row in opened.shrunk if row.variant == variant), None)


def pooled_finding(row: Comparison, share: bool) -> str:
    """The effect over all segments together."""
    pooled = None if row.stratified is None else row.stratified.risk_difference
    if pooled is None or not computable(pooled):
        return gettext("{variant}: the effect of each segment, its own and shrunk.").format(variant=row.variant)
    text = gettext("{variant}: pooled over segments the effect is {effect} ({limits}).")
    return text.format(
        variant=versus(row.variant, row.compared_with),
        effect=effect_text(pooled.estimate, share=share),
        limits=effect_limits(pooled.low, pooled.high, share),
    )


def interaction(row: Comparison) -> str:
    """Sentence on the interaction test, which is read before any segment."""
    test = row.stratified.heterogeneity if row.stratified is not None else None
    if test is None:
        return gettext("Whether segments differ couldn't be tested.")
    if not computable(test):
        return reason_words(test)
    differ = gettext("{variant}: the segments differ in the effect (interaction test p {p}, degrees of freedom: {n}).")
    same = gettext(
        "{variant}: no difference between segments was shown (interaction test p {p}, degrees of freedom: {n}); read "
        "the pooled effect."
    )
    text = differ if test.p_value < ALARM else same
    return text.format(variant=row.variant, p=p_value(test.p_value), n=test.degrees_of_freedom)


def table(outcome: OutcomeReport, row: Comparison, level: float) -> Table:
    """One comparison inside each segment, and pooled."""
    rows = [
        (
            segment.segment,
            count(segment.n),
            *effect_cells(segment.difference, outcome.kind),
            p_cell(segment.difference),
            number_cell(segment.adjusted_p, p_value),
        )
        for segment in row.by_segment
    ]
    note = ""
    if row.stratified is not None:
        pooled = row.stratified.risk_difference
        total = count(sum(segment.n for segment in row.by_segment))
        effect = effect_cells(pooled, outcome.kind)
        rows.append((gettext("All segments, pooled"), total, *effect, p_cell(pooled), ""))
        note = _heterogeneity_note(row)
        weighted = row.stratified.population
        if computable(weighted):
            effect = effect_cells(weighted, outcome.kind)
            rows.append((gettext("All segments, by their size"), total, *effect, p_cell(weighted), ""))
    columns = (
        gettext("segment"),
        gettext("n"),
        gettext("difference"),
        level_heading(level),
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
        parts.append((differ if test.p_value < ALARM else same) % {"p_value": p_relation(test.p_value)})
    else:
        parts.append(reason_words(test))
    if row.stratified.pooled:
        parts.append(
            gettext("Too small to stand alone and pooled as “other”: %(segments)s.")
            % {"segments": ", ".join(row.stratified.pooled)}
        )
    return " ".join(parts)


def shrunk_table(outcome: OutcomeReport, row: Comparison, shrunk: Shrunk | None, level: float) -> Table:
    """Raw and shrunk effect of each segment, and pooled."""
    base = table(outcome, row, level)
    rest = gettext("Everyone else")
    if shrunk is None:
        return Table(base.title, base.columns, tuple((cells[0] or rest, *cells[1:]) for cells in base.rows), base.note)
    share = outcome.kind is Kind.PROPORTION
    pulled = {
        name: (effect_text(effect.estimate, share=share), percent(weight, 0))
        for name, effect, weight in zip(shrunk.segments, shrunk.shrinkage.effects, shrunk.shrinkage.kept, strict=True)
    }
    mean = effect_text(shrunk.shrinkage.mean.estimate, share=share)
    pooled = (mean, "")
    rows = tuple(
        (cells[0] or rest, *cells[1:], *(pulled.get(cells[0], ("", "")) if place < len(row.by_segment) else pooled))
        for place, cells in enumerate(base.rows)
    )
    columns = (*base.columns, gettext("shrunk towards the mean"), gettext("weight of its own data"))
    return Table(base.title, columns, rows, base.note)


def drawable(row: Comparison) -> bool:
    """True when some segment has an effect."""
    return any(computable(segment.difference) for segment in row.by_segment)


def draw(outcome: OutcomeReport, row: Comparison, shrunk: Shrunk | None = None) -> Drawn:
    """Chart of each segment's raw effect (blue), its shrunk effect (grey diamond) if given, and the pooled one."""
    share = outcome.kind is Kind.PROPORTION
    factor = 100.0 if share else 1.0
    raw, pulled = gettext("its own data"), gettext("shrunk towards the mean")
    all_units, rest = gettext("All segments, pooled"), gettext("Everyone else")
    marks: list[Mark] = []
    for segment in row.by_segment:
        if computable(segment.difference):
            label = f"{segment.segment or rest} (n {count(segment.n)})"
            marks.append({"label": label, "kind": raw, **limit_marks(segment.difference, factor)})
            if shrunk is not None and segment.segment in shrunk.segments:
                effect = shrunk.shrinkage.effects[shrunk.segments.index(segment.segment)]
                marks.append({"label": label, "kind": pulled, **limit_marks(effect, factor)})
    pooled = None if row.stratified is None else row.stratified.risk_difference
    if pooled is not None and computable(pooled):
        marks.append({"label": all_units, "kind": all_units, **limit_marks(pooled, factor)})
    labels = list(dict.fromkeys(mark["label"] for mark in marks))
    looks = {raw: (BLUE, "circle"), pulled: (GREY, "diamond"), all_units: (ORANGE, "square")}
    domain = [kind for kind in looks if kind != pulled or shrunk is not None]
    colours, shapes = zip(*(looks[kind] for kind in domain), strict=True)
    legend = alt.Legend(orient="bottom", title=None)
    colour = alt.Color("kind:N", scale=alt.Scale(domain=domain, range=colours), legend=legend)
    base = alt.Chart(data(marks)).encode(
        y=label_axis(labels), yOffset=alt.YOffset("kind:N", sort=domain, scale=alt.Scale(domain=domain))
    )
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=domain, range=shapes), legend=legend)
    layers = forest(base, difference_title(share), colour=colour, shape=shape)
    return alt.layer(*layers).properties(width=WIDTH - 60, height=46 * len(labels)), 2 * len(marks)
