"""Effects on nudged units and on other units of their clusters: direct and spillover, with saturations. Pure."""

from experiments.analyse.effects import Report
from experiments.analyse.result import Readout
from experiments.plan.design import Kind
from experiments.report.estimates import effect_with_limits, set_text
from experiments.report.names import metric_words
from reporting.numbers import count, effect_limits, effect_text, percent
from reporting.table import Part, Row, Section, Table
from reporting.words import gettext, reason_words
from stats.results import computable
from stats.saturation import SaturationEffects


def section(readout: Readout, report: Report) -> Section:
    """Section, empty where clusters drew no saturations."""
    title = gettext("Those who were nudged, and those beside them")
    if not readout.saturation:
        return Section("saturation", title, "", ())
    shares = {row.name: row.kind is Kind.PROPORTION for row in (readout.report or report).outcomes}
    lead = gettext(
        "Clusters drew the share of their units that is nudged. These effects are outside the family of the verdict, "
        "and hold if units of different clusters don't reach each other."
    )
    found = readout.saturation
    parts = [Part("saturation", gettext("Direct and spillover effects"), finding(found, shares), table(found, shares))]
    if any(row.own is not None for row in found):
        name = gettext("One's own behaviour, and that of friends")
        told = gettext(
            "The verdict rests on one's own behaviour: nudged units against the others of the same clusters, where "
            "friends act alike on both sides."
        )
        parts.append(Part("own-and-peers", name, told, behaviour_table(found, shares)))
    return Section("saturation", title, lead, tuple(parts))


def behaviour_table(found: tuple[SaturationEffects, ...], shares: dict[str, bool]) -> Table:
    """Own and peers' effect of each share, with their sets."""
    rows: list[Row] = []
    for row in found:
        share = shares[row.outcome]
        for name, effect in (
            (gettext("own: of one's own behaviour"), row.own),
            (gettext("peers': of all friends' behaviour, on those beside them"), row.peers),
        ):
            if effect is None:
                continue
            if not computable(effect):
                shown: tuple[str, ...] = (reason_words(effect), "", "")
            else:
                moved = " ".join(effect_with_limits(effect.moved, share=True))
                shown = (moved, effect_with_limits(effect.effect, share)[0], set_text(effect.effect_set, share=share))
            rows.append((metric_words(row.outcome), percent(row.share), name, *shown))
        if row.beside_moved is not None:
            moved = " ".join(effect_with_limits(row.beside_moved, share=True))
            rows.append(
                (metric_words(row.outcome), percent(row.share), gettext("moved beside nudged ones"), moved, "", "")
            )
    columns = (
        gettext("outcome"),
        gettext("share nudged"),
        gettext("effect"),
        gettext("did it more (own: units; peers': friends)"),
        gettext("effect on the outcome"),
        gettext("Anderson-Rubin set"),
    )
    note = gettext(
        "The peers' effect is what friends do when all of them are moved. It takes for granted that friends' acts "
        "don't change one's own act: “moved beside nudged ones” shows whether they do; then it holds both."
    )
    return Table(gettext("One's own behaviour, and that of friends"), columns, tuple(rows), note)


def finding(found: tuple[SaturationEffects, ...], shares: dict[str, bool]) -> str:
    """The spillover of the largest share that has one."""
    known = [row for row in found if computable(row.spillover)]
    if not known:
        return gettext("No share of nudged units leaves units beside them in two clusters or more.")
    row = max(known, key=lambda one: one.share)
    effect, share = row.spillover, shares[row.outcome]
    if not computable(effect):
        return ""
    text = gettext(
        "Where {share} of a cluster are nudged, its other units differ by {estimate} ({limits}) from units of clusters "
        "without any nudge: no spillover is shown."
    )
    if not effect.low <= 0 <= effect.high:
        text = gettext(
            "Where {share} of a cluster are nudged, its other units differ by {estimate} ({limits}) from units of "
            "clusters without any nudge: the nudge reaches those who didn't get it."
        )
    return text.format(
        share=percent(row.share),
        estimate=effect_text(effect.estimate, share=share, plus=True),
        limits=effect_limits(effect.low, effect.high, share),
    )


def table(found: tuple[SaturationEffects, ...], shares: dict[str, bool]) -> Table:
    """Four effects of each share."""
    rows: list[Row] = []
    for row in found:
        effects = (
            (gettext("direct: nudged against not nudged, beside each other"), row.direct, row.units[1] + row.units[2]),
            (gettext("spillover: beside nudged ones, against no nudge"), row.spillover, row.units[0] + row.units[1]),
            (gettext("total: nudged, against no nudge"), row.total, row.units[0] + row.units[2]),
            (gettext("overall: the whole cluster, against no nudge"), row.overall, sum(row.units)),
        )
        for name, effect, units in effects:
            shown = effect_with_limits(effect, shares[row.outcome])
            clusters = f"{count(row.clusters)} / {count(row.control_clusters)}"
            rows.append((metric_words(row.outcome), percent(row.share), name, *shown, count(units), clusters))
    columns = (
        gettext("outcome"),
        gettext("share nudged"),
        gettext("effect"),
        gettext("difference"),
        gettext("interval"),
        gettext("units"),
        gettext("clusters with this share / without nudge"),
    )
    return Table(gettext("Direct and spillover effects"), columns, tuple(rows))
