"""All pictures of a finished study, in the order of its pages; the app's kind of run names this function. Pure."""

from collections.abc import Callable

from aha.report import candidate_charts as one
from aha.report import charts
from aha.report.page import pictures, slug_of
from aha.report.series import splits
from aha.study.result import Candidate, Report
from reporting.charts import Drawing, Drawn, titled


def draw(report: Report) -> tuple[Drawing, ...]:
    """Every picture of a finished study.

    Args:
        report: the study.
    """
    makers: dict[str, Callable[[], Drawn]] = {
        "curve": lambda: charts.curve(report),
        "weeks": lambda: charts.weeks(report),
        "ranking": lambda: charts.ranking(report),
        "swarm": lambda: charts.swarm(report),
        "nulls": lambda: charts.nulls(report),
    }
    for place, candidate in enumerate(report.candidates):
        makers |= _of_candidate(report, candidate, place)
    return tuple(titled(slug, finding, makers[slug]()) for slug, finding in pictures(report).items())


def _of_candidate(report: Report, candidate: Candidate, place: int) -> dict[str, Callable[[], Drawn]]:
    return {
        slug_of(place, "stack"): lambda: one.stack(splits(report, candidate)),
        slug_of(place, "heat"): lambda: one.heat(report, candidate),
        slug_of(place, "pareto"): lambda: one.pareto(report, candidate),
        slug_of(place, "dose"): lambda: one.dose(report, candidate),
        slug_of(place, "ladder"): lambda: one.ladder(candidate),
        slug_of(place, "weeks"): lambda: one.by_week(candidate),
        slug_of(place, "segments"): lambda: one.by_segment(candidate),
    }
