"""Every look at the outcome, and its cost in alpha. Pure."""

from collections.abc import Sequence
from functools import partial

from experiments.analyse.codes import Code, code_words
from experiments.analyse.effects import Report
from experiments.analyse.result import LookTaken, Readout
from experiments.plan.design import Kind
from experiments.report.chart_pieces import PANEL, WIDTH
from experiments.report.stopping import hidden_sentence
from reporting.charts import BLUE, INK, ORANGE, Drawn, alt, data
from reporting.numbers import count, decimal, effect_limits, effect_text, level_text, p_value, percent
from reporting.table import Part, Section, Table
from reporting.words import gettext


def section(readout: Readout, report: Report) -> Section:
    """The looks with their bounds, and the parts that wait for the last."""
    parts = (_path(readout, report),) if readout.path else ()
    return Section("path", gettext("Interim looks"), hidden_sentence(readout) if parts else "", parts)


def _path(readout: Readout, report: Report) -> Part:
    several = len({look.on for look in readout.path}) > 1
    note = gettext("Dashed: the bound that |z| must reach at each look; a dot above it is a finding.")
    share = report.outcomes[0].kind is Kind.PROPORTION
    return Part(
        "path",
        gettext("Every look at the outcome"),
        path_finding(readout),
        looks(readout.path, share, placebo=readout.plan.placebo, whole_clusters=bool(readout.whole_clusters)),
        note=note if several else "",
        draw=partial(draw, readout.path) if several else None,
    )


def path_finding(readout: Readout) -> str:
    """Number of looks, and whether the plan allows each."""
    days = {(look.on, look.peeked) for look in readout.path}
    n, peeks = len(days), sum(peeked for _on, peeked in days)
    if peeks:
        text = gettext("Looks: {n}. Peeks among them, for which the plan didn't pay: {peeks}.")
        return text.format(n=n, peeks=peeks)
    if readout.plan.method == "fixed":
        return gettext("One planned analysis at the end; all of alpha was used on it.")
    one = gettext("One look, as planned; all looks of the plan together keep the error rate of {alpha}.")
    text = one if n == 1 else gettext("{n} looks, all as planned: together they keep the error rate of {alpha}.")
    found = text.format(n=n, alpha=level_text(readout.plan.alpha))
    return f"{found} {rule_words(readout.standing.rule)}".strip()


def rule_words(rule: str) -> str:
    """How much alpha the last of several planned looks could spend, and why; "" for any other look."""
    rest = gettext("The last look spends all of the error rate that is left: {why}.")
    return {
        "complete": rest.format(why=gettext("the planned units are in")),
        "planned_end": rest.format(why=gettext("enrolment ran to its planned end")),
        "blind": rest.format(why=gettext("enrolment was closed before any outcome was shown")),
        "early": gettext(
            "Enrolment was closed early, after an outcome had been shown. So the last look spends only what the plan "
            "allows at its share of the planned units; all that was left would give false alarms."
        ),
    }.get(rule, "")


def looks(
    path: tuple[LookTaken, ...], share: bool, *, placebo: str | None = None, whole_clusters: bool = False
) -> Table | None:
    """Every look at the first outcome; looks at a placebo are diagnostics without a verdict."""
    rows = tuple(
        (
            look.on.isoformat(),
            look.variant,
            count(look.units),
            percent(look.fraction, 0),
            effect_text(look.estimate, share=share),
            effect_limits(look.low, look.high, share),
            decimal(look.z),
            decimal(look.critical),
            p_value(look.p_value),
            "" if look.variant == placebo else code_words(Code(look.verdict), whole_clusters=whole_clusters),
            look_words(look),
        )
        for look in path
    )
    columns = (
        gettext("data up to"),
        gettext("variant"),
        gettext("n"),
        gettext("of the plan"),
        gettext("difference"),
        gettext("interval at this look"),
        gettext("z"),
        gettext("bound for |z|"),
        gettext("p over all looks"),
        gettext("verdict"),
        gettext("look"),
    )
    return Table(gettext("Every look at the outcome"), columns, rows) if rows else None


def look_words(look: LookTaken) -> str:
    """Kind of a look, in a few words."""
    if look.peeked:
        return gettext("peeked")
    return {
        "complete": gettext("the last: planned units in"),
        "planned_end": gettext("the last: planned end"),
        "blind": gettext("the last: closed unseen"),
        "early": gettext("the last: closed early, after a look"),
    }.get(look.rule, gettext("as planned"))


def draw(looks: Sequence[LookTaken]) -> Drawn:
    """Chart of absolute z at every look below its critical value; one panel per variant."""
    names = list(dict.fromkeys(look.variant for look in looks))
    words = {True: gettext("peeked"), False: gettext("as planned")}
    rows = [
        {
            "variant": look.variant,
            "share": look.fraction,
            "z": abs(look.z),
            "bound": min(look.critical, 8.0),
            "look": words[look.peeked],
        }
        for look in looks
    ]
    panels = []
    domain = [words[False], words[True]]
    legend = alt.Legend(orient="bottom", title=None) if any(look.peeked for look in looks) else None
    for name in names:
        base = alt.Chart(data([row for row in rows if row["variant"] == name])).encode(
            x=alt.X(
                "share:Q",
                title=gettext("users with a final outcome, share of plan"),
                axis=alt.Axis(format=".0%"),
                scale=alt.Scale(zero=True),
            )
        )
        y = alt.Y("z:Q", title=gettext("|z|, and its bound"), scale=alt.Scale(zero=True))
        colour = alt.Color("look:N", scale=alt.Scale(domain=domain, range=[BLUE, ORANGE]), legend=legend)
        shape = alt.Shape("look:N", scale=alt.Scale(domain=domain, range=["circle", "cross"]), legend=legend)
        layers = [
            base.mark_line(
                color=INK, strokeDash=[5, 3], point=alt.OverlayMarkDef(color=INK, shape="stroke", size=160)
            ).encode(y=alt.Y("bound:Q")),
            base.mark_line(color=BLUE).encode(y=y),
            base.mark_point(filled=True, size=90, opacity=1).encode(y="z:Q", color=colour, shape=shape),
        ]
        panels.append(alt.layer(*layers).properties(width=WIDTH, height=PANEL, title=name))
    return alt.vconcat(*panels, spacing=14), 3 * len(rows)
