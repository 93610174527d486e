"""All pictures of a stored analysis, in the order of its page; the app's kind of run names this function. Pure."""

from collections.abc import Callable

from experiments.analyse.effects import Report
from experiments.analyse.result import Readout
from experiments.plan.design import Kind
from experiments.report import charts, over_time_charts, page
from experiments.report.behaviour import direct_effect
from experiments.report.first_lines import worded
from experiments.report.promise_and_finding import contrasts
from reporting.charts import Drawing, Drawn, titled
from stats.results import computable

type Maker = Callable[[], Drawn]


def draw(readout: Readout) -> tuple[Drawing, ...]:
    """Every picture of the report.

    Args:
        readout: the analysis.
    """
    makers: dict[str, Maker] = {
        "inflow": lambda: charts.inflow(readout.flow.by_day, readout.plan.variants),
    }
    ready: dict[str, Drawing] = {}
    if readout.report is not None:
        makers |= _opened(readout, worded(readout.report))
        ready = _over_time(readout, worded(readout.report))
    found = []
    for slug, finding in page.pictures(readout).items():
        if slug in ready:
            found.append(ready[slug])
            continue
        found.append(titled(slug, finding, makers[slug]()))
    return tuple(found)


def _opened(readout: Readout, report: Report) -> dict[str, Maker]:
    outcome = report.outcomes[0]
    makers: dict[str, Maker] = {
        "promise": lambda: charts.promise(contrasts(readout), outcome.kind is Kind.PROPORTION),
        "path": lambda: charts.path(readout.path),
        "outcomes": lambda: charts.outcomes(report.outcomes),
    }
    for place, row in enumerate(page.compared(report)):
        shrunk = page.shrunk_of(readout, row.variant)
        makers[page.segment_slug(place)] = lambda row=row, shrunk=shrunk: charts.segments(  # type: ignore[misc]
            outcome, row, shrunk
        )
    for place, _row, found in direct_effect.shown(report):
        makers[direct_effect.slug(place)] = lambda found=found: charts.direct(  # type: ignore[misc]
            found, outcome.kind is Kind.PROPORTION
        )
    for place, acts in enumerate(readout.by_times):
        if computable(acts.weights):
            weights = acts.weights
            makers[page.weights_slug(place)] = lambda weights=weights: charts.weights(  # type: ignore[misc]
                weights, report.design.level
            )
    return makers


def _over_time(readout: Readout, report: Report) -> dict[str, Drawing]:
    """Pictures that bring their own title."""
    outcome = report.outcomes[0]
    arms = readout.arms_over_time
    found = [over_time_charts.draw_curve({arm.variant: arm.days for arm in arms})]
    found.append(over_time_charts.draw_curve_difference(page.curve_differences(readout)))
    if page.survival_named(readout):
        found.append(_survival(readout))
    novelty = {row.variant: row.novelty for row in readout.over_time}
    share = outcome.kind is Kind.PROPORTION
    found.append(over_time_charts.draw_novelty(novelty, share=share))
    return {one.slug: one for one in found if one is not None}


def _survival(readout: Readout) -> Drawing | None:
    arms = readout.arms_over_time
    at_risk = over_time_charts.AtRisk(
        tuple(float(day) for day, _units in arms[0].at_risk),
        {arm.variant: tuple(units for _day, units in arm.at_risk) for arm in arms},
    )
    differences = {row.variant: row.restricted for row in readout.over_time}
    curves = {arm.variant: arm.survival for arm in arms if computable(arm.survival)}
    return over_time_charts.draw_survival(curves, at_risk, differences, readout.over_time[0].tau)
