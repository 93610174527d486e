"""The flow of units, from exposure to outcome: for a stored experiment and for a file. Pure."""

from collections.abc import Sequence
from datetime import date
from functools import partial

from experiments.analyse.effects import Report
from experiments.analyse.result import Flow, Readout
from experiments.report import senders
from experiments.report.chart_pieces import PANEL, WIDTH
from experiments.report.names import metric_words
from reporting.charts import INK, SERIES, Drawn, Mark, alt, data
from reporting.numbers import count, decimal, p_relation, p_value, percent
from reporting.table import Part, Row, Section, Table
from reporting.words import gettext, reason_words
from stats.results import computable


def section(readout: Readout) -> Section:
    """Counts of units, who reported them, and when they were enrolled."""
    total, mature = sum(readout.standing.exposed.values()), sum(readout.standing.mature.values())
    finding = gettext("{n} units in {groups} groups; the outcome of {mature} is known.").format(
        n=count(total), groups=len(readout.standing.exposed), mature=count(mature)
    )
    parts = [Part("units", gettext("From exposure to outcome"), finding, flow(readout)), *senders.parts(readout)]
    days = by_day(readout)
    if days is not None:
        last = readout.flow.by_day[-1][0].isoformat()
        finding = gettext("{n} users were exposed by {day}.").format(n=count(total), day=last)
        draw = partial(draw_inflow, readout.flow.by_day, readout.plan.variants)
        parts.append(Part("inflow", gettext("How units came in"), finding, days, draw=draw))
    return Section("units", gettext("Sample flow"), "", tuple(parts))


def flow(readout: Readout) -> Table:
    """Table from exposure to the units with a known outcome."""
    found = readout.flow
    left_out = found.no_first_arm is None  # by analyses up to 0.4
    rows: list[Row] = _several(found) if left_out else []
    if found.no_first_arm:
        rows.append((gettext("left out: met several variants at the same moment (units)"), count(found.no_first_arm)))
    for name, n in found.unknown_variants.items():
        rows.append((gettext("left out: variant {name} isn't in the plan").format(name=name), count(n)))
    if found.no_cluster:
        rows.append((gettext("left out: no cluster"), count(found.no_cluster)))
    if found.no_signup:
        rows.append((gettext("left out: no signup in the log"), count(found.no_signup)))
    for name, n in found.exposed.items():
        rows.append((gettext("exposed to {variant}").format(variant=name), count(n)))
    rows += [] if left_out else _several(found)
    rows += _clusters(readout)
    for outcome, arms in found.mature.items():
        if outcome not in readout.plan.primary and not any(arms.values()):
            continue
        for name, n in arms.items():
            text = gettext("of these in {variant}: {outcome} is known")
            rows.append((text.format(variant=name, outcome=metric_words(outcome)), count(n)))
    return Table(gettext("Flow of units"), (gettext("step"), gettext("n")), tuple(rows))


def _several(found: Flow) -> list[Row]:
    """Units with several variants: left out up to 0.4, since then counted in the first."""
    if found.no_first_arm is None:
        units = gettext("left out: seen in several variants (units)")
        persons = gettext("left out: joined ids that had met different variants (persons)")
    else:
        units = gettext("of these met a further variant later, and count in the first (units)")
        persons = gettext("of these joined ids that had met different variants, and count in the first (persons)")
    rows = ((units, found.several_variants), (persons, found.identity_conflicts))
    return [(text, count(n)) for text, n in rows if n]


def _clusters(readout: Readout) -> list[Row]:
    """Clusters of each variant, once the outcome is open."""
    found = None if readout.report is None else readout.report.clusters
    text = gettext("clusters of {name}, which tell as much as {effective} of equal size")
    return [
        (text.format(name=name, effective=decimal(row.effective, 1)), count(row.clusters))
        for name, row in (found or {}).items()
    ]


def split(readout: Readout) -> str:
    """Sentence on the sample-ratio test."""
    found = readout.sample_ratio
    if not computable(found):
        return reason_words(found)
    text = gettext("Planned split: {split}. Sample-ratio test: chi-square {statistic}, p {p}; it alarms below .001.")
    if found.any_look is not None:
        text = gettext(
            "Planned split: {split}. Sample-ratio test for any night: p {any_look}; it alarms below .001. (A single "
            "look would give chi-square {statistic}, p {p}; that decides at the final look alone.)"
        )
    shares = ", ".join(f"{label} {percent(share)}" for label, share in found.expected.items())
    return text.format(
        split=shares,
        statistic=decimal(found.statistic),
        p=p_value(found.p_value),
        any_look=p_value(found.any_look or 0.0),
    )


def by_day(readout: Readout) -> Table | None:
    """First exposures by day and variant."""
    names = readout.plan.variants
    days: dict[str, dict[str, int]] = {}
    for day, name, n in readout.flow.by_day:
        days.setdefault(day.isoformat(), {})[name] = n
    rows = tuple((day, *(count(found.get(name, 0)) for name in names)) for day, found in sorted(days.items()))
    return Table(gettext("First exposures by day"), (gettext("day"), *names), rows) if rows else None


def draw_inflow(by_day: Sequence[tuple[date, str, int]], names: Sequence[str]) -> Drawn:
    """Chart of cumulative exposed units, by variant."""
    totals = dict.fromkeys(names, 0)
    rows: list[Mark] = []
    for day in sorted({row[0] for row in by_day}):
        for _day, name, n in (row for row in by_day if row[0] == day):
            totals[name] = totals.get(name, 0) + n
        rows += [{"day": day.isoformat(), "name": name, "units": n} for name, n in totals.items()]
    colours = [INK, *(SERIES[n % len(SERIES)] for n in range(len(totals) - 1))]
    dashes = [[1, 0], *([6, 3] if n % 2 else [3, 2] for n in range(len(totals) - 1))]
    legend = alt.Legend(orient="top", symbolType="stroke", symbolStrokeWidth=2)
    domain = list(totals)
    chart = (
        alt.Chart(data(rows))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("day:T", title=gettext("day of first exposure"), axis=alt.Axis(format="%m-%d")),
            y=alt.Y("units:Q", title=gettext("units so far")),
            color=alt.Color("name:N", title=None, scale=alt.Scale(domain=domain, range=colours), legend=legend),
            strokeDash=alt.StrokeDash(
                "name:N", title=None, scale=alt.Scale(domain=domain, range=dashes), legend=legend
            ),
        )
    )
    return chart.properties(width=WIDTH, height=PANEL), len(rows)


def flow_of_file(report: Report) -> Table:
    """Table from the rows of the file to the units of each variant."""
    reasons = {
        "missing_variant": gettext("left out: no variant"),
        "missing_unit": gettext("left out: no unit id"),
        "missing_cluster": gettext("left out: no cluster"),
        "several_variants": gettext("left out: seen in several variants (units)"),
        "identity_conflicts": gettext("left out: joined ids that had met different variants (persons)"),
        "unknown_variant": gettext("left out: variant not in the plan (units)"),
        "no_signup": gettext("left out: no signup in the log (units)"),
    }
    read = gettext("units exposed") if report.design.stored else gettext("rows read")
    rows = [(read, count(report.rows))]
    rows += [(reasons[reason], count(n)) for reason, n in report.excluded.items()]
    rows += [(gettext("analysed in %(variant)s") % {"variant": label}, count(n)) for label, n in report.units.items()]
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
            "statistic": decimal(split.statistic),
            "p_value": p_relation(split.p_value),
        }
    return Table(gettext("Flow of units"), (gettext("step"), gettext("n")), tuple(rows), note)
