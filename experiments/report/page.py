"""The report of a stored experiment: the order of its parts. Pure.

Each part has its own module, with sentence, table and chart.
"""

from experiments.analyse.effects import Report
from experiments.analyse.result import AnalysisResult, Opened
from experiments.report import (
    acts,
    behaviour,
    direct_effect,
    flow,
    lab,
    looks,
    outcomes,
    over_time,
    plan,
    segments,
    targeting,
)
from experiments.report.names import worded
from experiments.report.promise_and_finding import promise
from reporting.charts import Drawing
from reporting.table import Part, Section, drawings
from reporting.words import gettext

OVER_TIME = (
    over_time.daily_curve_part_of,
    over_time.daily_difference_part_of,
    over_time.survival_part_of,
    over_time.novelty_part_of,
)


def _over_time(opened: Opened, _report: Report) -> Section:
    time_parts = [make(opened) for make in OVER_TIME]
    return Section("time", gettext("Retention over time"), "", tuple(part for part in time_parts if part is not None))


# The order of the page; empty sections are left out.
ALWAYS = (plan.registered_decision_section, plan.section, flow.section)
WHILE_LOCKED = (lab.section, behaviour.locked)
ONCE_OPEN = (
    lab.of_open,
    direct_effect.section,
    _over_time,
    segments.section,
    behaviour.section,
    targeting.section,
    acts.section,
    looks.section,
    outcomes.section,
    outcomes.saturation_section,
    outcomes.beliefs_section,
)


def sections(result: AnalysisResult) -> tuple[Section, ...]:
    """All sections in the order of the page; those about the outcome are missing while it is locked."""
    all_sections = [make(result) for make in ALWAYS]
    if isinstance(result, Opened):
        report = worded(lab.worded(result), result.plan.claim)
        all_sections += [make(result, report) for make in ONCE_OPEN]
    else:
        all_sections += [make(result) for make in WHILE_LOCKED]
    return tuple(section for section in all_sections if section.parts or section.lead)


# Tab of a section on the site, by its anchor; others are among all numbers. A file has all of them.
TABS = {
    "units": "health",
    "plan": "plan",
    "path": "history",
    "time": "time",
    "segments": "segments",
    "for-whom": "segments",
    "saturation": "segments",
    "direct": "assumptions",
    "lab": "assumptions",
    "validity": "assumptions",
    "acts": "assumptions",
}
RESULTS = ("time", "segments", "assumptions", "numbers")  # tabs of the result, after its summary


def of_tab(all_sections: tuple[Section, ...], *tabs: str) -> tuple[Section, ...]:
    """The sections of these tabs of the site's page, in order."""
    return tuple(section for section in all_sections if TABS.get(section.slug, "numbers") in tabs)


def parts(result: AnalysisResult) -> tuple[Part, ...]:
    """Every part in the order of the page, the promise first."""
    first = promise(result)
    rest = tuple(part for section in sections(result) for part in section.parts)
    return rest if first is None else (first, *rest)


def draw(result: AnalysisResult, slug: str = "") -> tuple[Drawing, ...]:
    """All charts of the page, or one; the app's kind of run refers to this function by name."""
    return drawings(parts(result), slug)
