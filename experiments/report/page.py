"""The report of a stored experiment: the order of its parts. Pure.

Each part has its own module, with sentence, table and chart.
"""

from experiments.analyse.effects import Report
from experiments.analyse.result import Readout
from experiments.report import flow, looks, plan
from experiments.report.behaviour import acts, direct_effect, take_up, validity
from experiments.report.for_whom import reach
from experiments.report.names import worded
from experiments.report.outcomes import beliefs, effects, registered_decision, saturation, segments
from experiments.report.over_time import daily_curve, daily_difference, novelty, survival
from experiments.report.promise_and_finding import promise
from reporting.charts import Drawing
from reporting.table import Part, Section, drawings
from reporting.words import gettext

OVER_TIME = (daily_curve.part_of, daily_difference.part_of, survival.part_of, novelty.part_of)


def _over_time(readout: Readout, _report: Report) -> Section:
    found = [make(readout) for make in OVER_TIME]
    return Section("time", gettext("Retention over time"), "", tuple(one for one in found if one is not None))


# The order of the page; empty sections are left out.
ALWAYS = (registered_decision.section, plan.section, flow.section)
WHILE_LOCKED = (take_up.locked,)
ONCE_OPEN = (
    direct_effect.section,
    _over_time,
    segments.section,
    validity.section,
    reach.section,
    acts.section,
    looks.section,
    effects.section,
    saturation.section,
    beliefs.section,
)


def sections(readout: Readout) -> tuple[Section, ...]:
    """All sections in the order of the page; those about the outcome are missing while it is locked."""
    found = [make(readout) for make in ALWAYS]
    if readout.report is None:
        found += [make(readout) for make in WHILE_LOCKED]
    else:
        report = worded(readout.report, readout.plan.claim)
        found += [make(readout, report) for make in ONCE_OPEN]
    return tuple(section for section in found if section.parts or section.lead)


# Tab of a section on the site, by its anchor; others belong to the results. A file has all of them.
TABS = {"units": "health", "plan": "plan", "path": "history"}


def of_tab(found: tuple[Section, ...], tab: str) -> tuple[Section, ...]:
    """The sections of one tab of the site's page, in order."""
    return tuple(one for one in found if TABS.get(one.slug, "results") == tab)


def parts(readout: Readout) -> tuple[Part, ...]:
    """Every part in the order of the page, the promise first."""
    first = promise(readout)
    rest = tuple(one for section in sections(readout) for one in section.parts)
    return rest if first is None else (first, *rest)


def draw(readout: Readout, slug: str = "") -> tuple[Drawing, ...]:
    """All charts of the page, or one; the app's kind of run refers to this function by name."""
    return drawings(parts(readout), slug)
