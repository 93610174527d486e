"""All pictures of a finished study, in the order of its pages; the app's kind of run names this function. Pure."""

from collections.abc import Callable

from aha.report import candidate_charts as one
from aha.report import charts
from aha.report.page import pictures, slug_of
from aha.report.series import splits
from aha.study.result import Candidate, Report
from reporting.charts import Drawing, Drawn, titled
from reporting.words import Gettext


def draw(report: Report, gettext: Gettext) -> tuple[Drawing, ...]:
    """Every picture of a finished study.

    Args:
        report: the study.
        gettext: decides the language of titles and axes.
    """
    makers: dict[str, Callable[[], Drawn]] = {
        "curve": lambda: charts.curve(report, gettext),
        "weeks": lambda: charts.weeks(report, gettext),
        "ranking": lambda: charts.ranking(report, gettext),
        "swarm": lambda: charts.swarm(report, gettext),
        "nulls": lambda: charts.nulls(report, gettext),
    }
    for place, candidate in enumerate(report.candidates):
        makers |= _of_candidate(report, candidate, place, gettext)
    return tuple(titled(slug, finding, makers[slug]()) for slug, finding in pictures(report, gettext).items())


def _of_candidate(report: Report, candidate: Candidate, place: int, gettext: Gettext) -> dict[str, Callable[[], Drawn]]:
    return {
        slug_of(place, "stack"): lambda: one.stack(splits(report, candidate), gettext),
        slug_of(place, "heat"): lambda: one.heat(report, candidate, gettext),
        slug_of(place, "pareto"): lambda: one.pareto(report, candidate, gettext),
        slug_of(place, "dose"): lambda: one.dose(report, candidate, gettext),
        slug_of(place, "ladder"): lambda: one.ladder(candidate, gettext),
        slug_of(place, "weeks"): lambda: one.by_week(candidate, gettext),
        slug_of(place, "segments"): lambda: one.by_segment(candidate, gettext),
    }
