"""The flow of units, from exposure to outcome: for a stored experiment and for a file. Pure."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import partial

from experiments.analyse.effects import Report
from experiments.analyse.gather.admission import MANY_NEW_IDS, NO_CLUSTER, OTHER_SOURCE, UNKNOWN_BEFORE, WRONG_ARM
from experiments.analyse.result import AnalysisResult, Beside, Flow, Opened
from experiments.plan.design import Kind
from experiments.plan.lab import with_and_without
from experiments.report.estimates import PANEL, WIDTH
from experiments.report.names import metric_words, versus
from reporting.charts import INK, SERIES, Drawn, Mark, alt, by_place, data, date_axis, reading, readings
from reporting.numbers import count, day_text, decimal, effect_text, level_text, p_relation, p_value, percent
from reporting.table import Part, Row, Section, Table
from reporting.words import gettext, reason_words
from stats.results import Estimate, NotComputable, computable

# Senders of exposures in the report: excluded exposures, and the result without doubtful units. Pure.


def senders_parts(readout: AnalysisResult) -> Iterator[Part]:
    """Up to three parts of the flow of units."""
    if readout.flow.not_admitted:
        heading = gettext("Exposures that were not admitted")
        text = gettext("They entered no count and no test above or below.")
        yield Part("not-admitted", heading, text, not_admitted(readout))
    beside = readout.with_unverified
    if beside is not None:
        heading = gettext("The same analysis with unverified users")
        text = gettext("With the {n} users that only client keys have reported. It decides nothing.")
        columns = (gettext("quantity"), gettext("users that decide"), gettext("with the unverified"))
        table = _two(readout, beside, heading, columns)
        yield Part("with-unverified", heading, text.format(n=count(beside.left_out)), table)
    beside = readout.without_unverified
    if beside is not None:
        heading = gettext("The same analysis without unverified users")
        text = gettext("Without the {n} users that only a client key has reported.").format(n=count(beside.left_out))
        columns = (gettext("quantity"), gettext("all admitted users"), gettext("without the unverified"))
        yield Part("without-unverified", heading, text, _two(readout, beside, heading, columns))


def not_admitted(readout: AnalysisResult) -> Table:
    """Excluded exposures by sender and reason."""
    reasons = {
        OTHER_SOURCE: gettext("the experiment isn't shown there"),
        WRONG_ARM: gettext("another group than the user's own"),
        NO_CLUSTER: gettext("no cluster is named, and clusters are drawn"),
        UNKNOWN_BEFORE: gettext("the user was unknown before"),
        MANY_NEW_IDS: gettext("the id came in with too many new ids of one address"),
    }
    rows = tuple(
        (row.sender or gettext("our evaluation door"), reasons[row.reason], count(row.exposures), count(row.units))
        for row in readout.flow.not_admitted
    )
    columns = (gettext("client key of"), gettext("reason"), gettext("exposures"), gettext("users"))
    return Table(gettext("Exposures that were not admitted"), columns, rows)


def _two(readout: AnalysisResult, beside: Beside, title: str, columns: tuple[str, ...]) -> Table:
    """Table of the analysis beside the one with or without unverified units: units, split, verdict, first outcome."""
    whole = readout.maturity.exposed
    rows: list[Row] = [
        (gettext("exposed to {variant}").format(variant=name), count(whole.get(name, 0)), count(n))
        for name, n in beside.exposed.items()
    ]
    if computable(readout.sample_ratio) and computable(beside.sample_ratio):
        tests = (readout.sample_ratio.p_value, beside.sample_ratio.p_value)
        rows.append((gettext("split against the plan (p)"), *(p_value(p) for p in tests)))
    if readout.verdict is not None and beside.verdict is not None:
        verdicts = (readout.verdict, beside.verdict)
        rows.append((gettext("verdict"), *(verdict.heading for verdict in verdicts)))
    outcome = readout.report.outcomes[0] if isinstance(readout, Opened) else None
    share = outcome is not None and outcome.kind is Kind.PROPORTION
    every = {} if outcome is None else {row.variant: row for row in outcome.comparisons}
    for variant, difference in beside.differences:
        against = beside.compared_with.get(variant, "")
        row = every.get(variant)
        same = row is not None and row.compared_with == against
        rows.append(
            (
                gettext("first outcome, {comparison}").format(
                    comparison=versus(variant, against or readout.plan.arms[0])
                ),
                _difference(row.difference, share) if row is not None and same else "",
                _difference(difference, share),
            )
        )
    return Table(title, columns, tuple(rows))


def _difference(difference: Estimate | NotComputable, share: bool) -> str:
    if not computable(difference):
        return reason_words(difference)
    return gettext("{estimate} ({level} interval {low} to {high})").format(
        estimate=effect_text(difference.estimate, share=share),
        level=level_text(difference.level),
        low=effect_text(difference.low, share=share),
        high=effect_text(difference.high, share=share),
    )


def section(readout: AnalysisResult) -> Section:
    """Counts of units, who reported them, and when they were enrolled."""
    total, mature = sum(readout.maturity.exposed.values()), sum(readout.maturity.mature.values())
    text = gettext("{n} users in {groups} groups; the outcome of {mature} is known.")
    if readout.plan.is_lab:
        text = gettext("{n} users in {groups} sets of nudges; the outcome of {mature} is known.")
    finding = text.format(n=count(total), groups=len(readout.maturity.exposed), mature=count(mature))
    parts = [Part("units", gettext("From exposure to outcome"), finding, flow(readout)), *senders_parts(readout)]
    days = by_day(readout)
    if days is not None:
        last = day_text(readout.flow.by_day[-1][0])
        finding = gettext("{n} users were exposed by {day}.").format(n=count(total), day=last)
        draw = partial(draw_inflow, *_by_day(readout))
        parts.append(Part("inflow", gettext("Cumulative exposures"), finding, days, draw=draw))
    return Section("units", gettext("Sample flow"), "", tuple(parts))


def flow(readout: AnalysisResult) -> Table:
    """Table from exposure to the units with a known outcome."""
    counts = readout.flow
    left_out = counts.no_first_arm is None  # by analyses up to 0.4
    rows: list[Row] = _several(counts) if left_out else []
    if counts.no_first_arm:
        rows.append(
            (gettext("left out: exposed to several groups at the same moment (users)"), count(counts.no_first_arm))
        )
    for name, n in counts.unknown_variants.items():
        rows.append((gettext("left out: group {name} isn't in the plan").format(name=name), count(n)))
    if counts.no_cluster:
        rows.append((gettext("left out: no cluster"), count(counts.no_cluster)))
    if counts.no_signup:
        rows.append((gettext("left out: no signup in the log"), count(counts.no_signup)))
    rows += _exposed(readout)
    rows += [] if left_out else _several(counts)
    rows += _clusters(readout)
    for outcome, arms in counts.mature.items():
        if outcome not in readout.plan.primary and not any(arms.values()):
            continue
        if readout.plan.is_lab:
            text = gettext("of these with a known outcome: {outcome}")
            rows.append((text.format(outcome=metric_words(outcome)), count(sum(arms.values()))))
            continue
        for name, n in arms.items():
            text = gettext("of these with a known outcome, {variant}: {outcome}")
            rows.append((text.format(variant=name, outcome=metric_words(outcome)), count(n)))
    return Table(gettext("Flow of users"), (gettext("step"), gettext("n")), tuple(rows))


def _exposed(readout: AnalysisResult) -> list[Row]:
    """Exposed users by arm; of a lab with and without each nudge, as it has up to 256 sets of them."""
    plan, exposed = readout.analysed.plan, readout.flow.exposed  # whose arms are the sets
    if not plan.is_lab:
        text = gettext("exposed to {variant}")
        return [(text.format(variant=name), count(n)) for name, n in exposed.items()]
    rows: list[Row] = []
    for nudge in plan.nudges:
        name, found = nudge.name or nudge.key, with_and_without(exposed, plan.arms, nudge.key)
        words = gettext("exposed with {nudge}"), gettext("exposed without {nudge}, which they could have had")
        rows += [(text.format(nudge=name), count(n)) for text, n in zip(words, found, strict=True)]
    return rows


def _several(counts: Flow) -> list[Row]:
    """Units with several variants: left out up to 0.4, since then counted in the first."""
    if counts.no_first_arm is None:
        units = gettext("left out: seen in several groups (users)")
        persons = gettext("left out: joined ids that had been in different groups (people)")
    else:
        units = gettext("of these exposed to a further group later, counted in the first (users)")
        persons = gettext("of these joined ids that had been in different groups, counted in the first (people)")
    rows = ((units, counts.several_variants), (persons, counts.identity_conflicts))
    return [(text, count(n)) for text, n in rows if n]


def _clusters(readout: AnalysisResult) -> list[Row]:
    """Clusters of each variant, once the outcome is open."""
    clusters = readout.report.clusters if isinstance(readout, Opened) else None
    text = gettext("clusters of {name}, with the information of {effective} of equal size")
    return [
        (text.format(name=name, effective=decimal(row.effective, 1)), count(row.clusters))
        for name, row in (clusters or {}).items()
    ]


def split(readout: AnalysisResult) -> str:
    """Sentence on the sample-ratio test."""
    test = readout.sample_ratio
    if not computable(test):
        return reason_words(test)
    text = gettext("Planned split: {split}. Sample-ratio test: chi-square {statistic}, p {p}; it alarms below .001.")
    if test.any_look is not None:
        text = gettext(
            "Planned split: {split}. Sequential sample-ratio test: p {any_look} (alarm below .001). A single test "
            "gives chi-square {statistic}, p {p}; it decides at the final analysis only."
        )
    shares = ", ".join(f"{label} {percent(share)}" for label, share in test.expected.items())
    if readout.plan.is_lab:
        shares = gettext("{n} sets of {nudges} nudges").format(n=len(test.expected), nudges=len(readout.plan.nudges))
    return text.format(
        split=shares, statistic=decimal(test.statistic), p=p_value(test.p_value), any_look=p_value(test.any_look or 0.0)
    )


def by_day(readout: AnalysisResult) -> Table | None:
    """First exposures by day and variant."""
    counted, names = _by_day(readout)
    days: dict[str, dict[str, int]] = {}
    for day, name, n in counted:
        days.setdefault(day.isoformat(), {})[name] = n
    rows = tuple((day, *(count(counts.get(name, 0)) for name in names)) for day, counts in sorted(days.items()))
    return Table(gettext("First exposures by day"), (gettext("day"), *names), rows) if rows else None


def _by_day(readout: AnalysisResult) -> tuple[tuple[tuple[date, str, int], ...], tuple[str, ...]]:
    """Exposures by day and arm, and the arms; of a lab all sets of nudges together."""
    if not readout.plan.is_lab:
        return readout.flow.by_day, readout.plan.arms
    everybody = gettext("all users")
    return tuple((day, everybody, n) for day, _arm, n in readout.flow.by_day), (everybody,)


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
    first, last = (end(day for day, _name, _n in by_day) for end in (min, max))
    days = [first + timedelta(days=place) for place in range((last - first).days + 1)]
    x = date_axis(days, gettext("day of first exposure"), width=WIDTH)
    said = by_place(rows, "day", lambda row: count(row["units"]))
    line = (
        alt.Chart(data(rows))
        .mark_line(strokeWidth=2)
        .encode(
            x=x,
            y=alt.Y("units:Q", title=gettext("users so far")),
            color=alt.Color("name:N", title=None, scale=alt.Scale(domain=domain, range=colours), legend=legend),
            strokeDash=alt.StrokeDash(
                "name:N", title=None, scale=alt.Scale(domain=domain, range=dashes), legend=legend
            ),
            description="name:N",
        )
    )
    chart = alt.layer(line, readings(x, "day", {day: reading(day, values) for day, values in said.items()}))
    return chart.properties(width=WIDTH, height=PANEL), len(days) + len(domain)


def flow_of_file(report: Report) -> Table:
    """Table from the rows of the file to the units of each variant."""
    reasons = {
        "missing_variant": gettext("left out: no group"),
        "missing_unit": gettext("left out: no user id"),
        "missing_cluster": gettext("left out: no cluster"),
        "several_variants": gettext("left out: seen in several groups (users)"),
        "identity_conflicts": gettext("left out: joined ids that had been in different groups (people)"),
        "unknown_variant": gettext("left out: group not in the plan (users)"),
        "no_signup": gettext("left out: no signup in the log (users)"),
    }
    read = gettext("users exposed") if report.design.stored else gettext("rows read")
    rows = [(read, count(report.rows))]
    rows += [(reasons[reason], count(n)) for reason, n in report.excluded.items()]
    rows += [(gettext("analysed in %(variant)s") % {"variant": label}, count(n)) for label, n in report.units.items()]
    split = report.sample_ratio
    note = ""
    if any(finding.check == "sample_ratio_small" for finding in report.health):
        note = gettext("The split isn't tested: there are too few assigned users.")
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
    return Table(gettext("Flow of users"), (gettext("step"), gettext("n")), tuple(rows), note)
