"""Every look at the outcome, and its cost in alpha. Pure."""

from collections.abc import Sequence
from functools import partial

from experiments.analyse.codes import Code, code_words
from experiments.analyse.corrected import of_variant
from experiments.analyse.effects import Report
from experiments.analyse.result import LookTaken, Opened
from experiments.plan.design import Kind
from experiments.report.estimates import PANEL, WIDTH
from reporting.charts import BLUE, INK, ORANGE, Drawn, alt, data
from reporting.numbers import count, day_text, decimal, effect_limits, effect_text, level_text, p_value, percent
from reporting.table import Part, Section, Table
from reporting.words import gettext
from stats.results import computable

# How far to trust an estimate after a plan that could have stopped early, in sentences. Pure.


def stopping_sentence(opened: Opened) -> str:
    """How far the estimate may be trusted after the looks; "" for a fixed plan.

    The factors are those of docs/audit.md and of the audit of version 0.3.
    """
    report = opened.report
    if opened.plan.method == "always_valid":
        return gettext(
            "The interval holds at any time, but its centre is optimistic if the plan ends because results seem "
            "good: 1.4 to 2.2 times too large in simulations. Read the interval."
        )
    row = of_variant(opened, report.leading)
    if row is None or not computable(row.difference):
        return ""
    share, difference = report.outcomes[0].kind is Kind.PROPORTION, row.difference
    text = gettext(
        "A plan that may stop early finds too large an effect. Corrected for its {n} analyses the nudge's effect on "
        "everyone is {effect} ({limits}). In simulations of five analyses the mean of such corrections over all "
        "experiments was within 8 percent of the truth; after an early stop they stayed 1.1 to 1.3 times too large."
    )
    return text.format(
        n=difference.looks,
        effect=effect_text(difference.estimate, share=share),
        limits=effect_limits(difference.low, difference.high, share),
    )


def hidden_sentence(opened: Opened) -> str:
    """Which parts wait for the final analysis; "" where all are shown."""
    if not opened.hidden:
        return ""
    names = {
        "bounds": gettext("bounds of the effect on everybody"),
        "dose": gettext("the comparison of the dose groups"),
        "novelty": gettext("whether the effect fades"),
        "beliefs": gettext("Bayesian numbers"),
    }
    text = gettext(
        "This is an interim analysis: intervals and p of the outcome hold over all analyses together. These parts "
        "come with the final analysis only, since no level is known for them before: {parts}."
    )
    return text.format(parts=", ".join(names[code] for code in opened.hidden))


def section(opened: Opened, report: Report) -> Section:
    """The looks with their bounds, and the parts that wait for the last."""
    parts = (_path(opened, report),) if opened.path else ()
    return Section("path", gettext("Interim analyses"), hidden_sentence(opened) if parts else "", parts)


def _path(opened: Opened, report: Report) -> Part:
    several = len({look.on for look in opened.path}) > 1
    note = gettext("Dashed: the bound that |z| must cross at each analysis; a dot above it is a finding.")
    share = report.outcomes[0].kind is Kind.PROPORTION
    return Part(
        "path",
        gettext("Every time the outcome was read"),
        path_finding(opened),
        looks(opened.path, share, placebo=opened.plan.placebo_arm, whole_clusters=bool(opened.whole_clusters)),
        note=note if several else "",
        draw=partial(draw, opened.path) if several else None,
    )


def path_finding(opened: Opened) -> str:
    """Number of looks, and whether the plan allows each."""
    days = {(look.on, look.peeked) for look in opened.path}
    n, peeks = len(days), sum(peeked for _on, peeked in days)
    if peeks:
        text = gettext("Analyses: {n}. Unplanned early readings among them: {peeks}.")
        return text.format(n=n, peeks=peeks)
    if opened.plan.method == "fixed":
        return gettext("One planned analysis at the end; all of alpha was used on it.")
    single = gettext("One analysis, as planned. All analyses of the plan together have an error rate of {alpha}.")
    text = single if n == 1 else gettext("{n} analyses, all as planned. Together they have an error rate of {alpha}.")
    finding = text.format(n=n, alpha=level_text(opened.plan.alpha))
    return f"{finding} {rule_words(opened.maturity.rule)}".strip()


def rule_words(rule: str) -> str:
    """How much alpha the last of several planned looks could spend, and why; "" for any other look."""
    rest = gettext("The last analysis spends all of the error rate that is left: {why}.")
    return {
        "complete": rest.format(why=gettext("the planned users are in")),
        "planned_end": rest.format(why=gettext("enrolment ran to its planned end")),
        "blind": rest.format(why=gettext("enrolment was closed before any outcome was shown")),
        "early": gettext(
            "Enrolment was closed early, after an outcome had been shown. So the last analysis spends only what the "
            "plan allows at its share of the planned users; all that was left would give false alarms."
        ),
    }.get(rule, "")


def looks(
    path: tuple[LookTaken, ...], share: bool, *, placebo: str | None = None, whole_clusters: bool = False
) -> Table | None:
    """Every look at the first outcome; looks at a placebo are diagnostics without a verdict."""
    rows = tuple(
        (
            day_text(look.on),
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
        gettext("interval at this analysis"),
        gettext("z"),
        gettext("bound for |z|"),
        gettext("p over all analyses"),
        gettext("verdict"),
        gettext("analysis"),
    )
    return Table(gettext("Every time the outcome was read"), columns, rows) if rows else None


def look_words(look: LookTaken) -> str:
    """Kind of a look, in a few words."""
    if look.peeked:
        return gettext("opened early")
    return {
        "complete": gettext("the last: planned users in"),
        "planned_end": gettext("the last: planned end"),
        "blind": gettext("the last: closed unseen"),
        "early": gettext("the last: closed early, after the outcome was read"),
    }.get(look.rule, gettext("as planned"))


def draw(looks: Sequence[LookTaken]) -> Drawn:
    """Chart of absolute z at every look below its critical value; one panel per variant."""
    names = list(dict.fromkeys(look.variant for look in looks))
    words = {True: gettext("opened early"), False: gettext("as planned")}
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
