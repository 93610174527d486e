"""The page that compares two studies, and its CSV file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from aha.evidence.aipw import Difference
from aha.models import Study
from aha.questions.asked_changes import compared
from aha.report.candidates_table import CandidateRow, rows
from aha.study.numbers import Number
from aha.study.payload_versions import STUDY
from aha.study.question import Inputs
from aha.study.result import Population, Report
from events.metrics import display_name
from reporting.document import load
from reporting.numbers import count, day_text, share
from reporting.table import csv_lines
from runs.payloads import Unreadable
from stats.results import NotComputable

# Candidates of two studies, matched by behaviour, and the studies' populations.

type Cells = tuple[str, ...]


@dataclass(frozen=True)
class Matched:
    """One behaviour in two studies; None where it isn't a candidate.

    Attributes:
        behaviour: its name.
        first, second: the candidate of each study.
        first_judged, second_judged: whether the study judged the behaviour at all.
    """

    behaviour: str
    first: CandidateRow | None
    second: CandidateRow | None
    first_judged: bool
    second_judged: bool

    @property
    def missing_words(self) -> str:
        """Why one side is empty; "" when both have it."""
        if self.first is not None and self.second is not None:
            return ""
        judged = self.second_judged if self.second is None else self.first_judged
        return _("counted, but no candidate") if judged else _("not counted")

    @property
    def moved(self) -> str:
        """The change of rank from the first to the second study, or the only study that has it."""
        if self.first is None:
            return _("only in the second")
        if self.second is None:
            return _("only in the first")
        by = self.first.place - self.second.place
        if not by:
            return _("same rank")
        return _("up %(n)s") % {"n": by} if by > 0 else _("down %(n)s") % {"n": -by}


def matched(first: Report, second: Report) -> list[Matched]:
    """Every behaviour that is a candidate of either study, in the first study's order, then the second's own."""
    sides = [{row.candidate.behaviour: row for row in rows(report)} for report in (first, second)]
    names = dict.fromkeys([*sides[0], *sides[1]])
    counted = [set(report.asked.behaviours) for report in (first, second)]
    return [
        Matched(display_name(name), sides[0].get(name), sides[1].get(name), name in counted[0], name in counted[1])
        for name in names
    ]


def populations(first: Report, second: Report) -> list[tuple[str, str, str]]:
    """The population of each study, line by line."""
    names = (
        _("Signed up"),
        _("Users who count"),
        _("Left out: too recent"),
        _("Left out: outside the segment"),
        _("Left out: at another level of activity"),
        _("Retained"),
        _("Signed up between"),
        _("Data up to"),
    )
    return list(zip(names, _population(first), _population(second), strict=True))


def _population(report: Report) -> Cells:
    population = report.population
    return (
        count(population.signups),
        count(population.eligible),
        count(population.excluded.get("too_young", 0)),
        count(population.excluded.get("outside_segment", 0)),
        count(population.excluded.get("other_level", 0)),
        share(population.rate),
        _dates(population),
        report.asked.data_end[:10],
    )


def numbers(first: Report, second: Report) -> Iterator[tuple[object, ...]]:
    """Rows of the CSV file of matched candidates: shares from 0 to 1, empty where there is none."""
    names = ("rank", "times", "days", "did", "other", "gap", "reach", "j", "adjusted")
    yield ("behaviour", *(f"{name}_{side}" for side in ("a", "b") for name in names))
    for row in matched(first, second):
        yield (row.behaviour, *_values(row.first), *_values(row.second))


def _values(row: CandidateRow | None) -> tuple[object, ...]:
    if row is None:
        return ("",) * 9
    one, did, other = row.candidate, _number(row.pair.did), _number(row.pair.other)
    gap = did - other if isinstance(did, float) and isinstance(other, float) else ""
    left = one.ladder.headline.difference
    return (
        row.place, one.times, one.days, did, other, gap, _number(one.cell.reach), _number(one.cell.j), _number(left)
    )  # fmt: skip


def _number(value: Number | Difference) -> float | str:
    return "" if isinstance(value, NotComputable) else float(value.estimate)


def _dates(population: Population) -> str:
    if population.first_signup is None or population.last_signup is None:
        return ""
    return _("%(first)s to %(last)s") % {
        "first": day_text(population.first_signup),
        "last": day_text(population.last_signup),
    }


MOST = 200


@login_required
@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Compare the studies `a` and `b`; with `csv` return their candidates as a file."""
    chosen = [_study(request.GET.get(name)) for name in ("a", "b")]
    context: dict[str, Any] = {"a": chosen[0], "b": chosen[1], "studies": _choices()}
    if chosen[0] is None or chosen[1] is None:
        return render(request, "aha/comparing/page.html", context)
    inputs = [load(Inputs, study.inputs) for study in chosen if study is not None]
    context["questions"] = compared(*inputs)
    context["same_retention"] = inputs[0].retention == inputs[1].retention
    reports = [_report(study) for study in chosen if study is not None]
    first, second = reports
    if first is not None and second is not None:
        if "csv" in request.GET:
            return _file(first, second, chosen[0].pk, chosen[1].pk)
        context |= {"populations": populations(first, second), "rows": matched(first, second)}
    else:
        context["unfinished"] = [str(study) for study, report in zip(chosen, reports, strict=True) if report is None]
    return render(request, "aha/comparing/page.html", context)


def _file(first: Report, second: Report, a: int, b: int) -> HttpResponse:
    response = HttpResponse("".join(csv_lines(numbers(first, second))), content_type="text/csv; charset=utf-8")
    name = f"insight-studies-{a}-{b}.{get_language()}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _report(study: Study) -> Report | None:
    report = STUDY.of(study)
    return None if isinstance(report, Unreadable) else report


def _study(number: str | None) -> Study | None:
    text = (number or "")[:18]
    return Study.objects.filter(pk=int(text)).first() if text.isascii() and text.isdigit() else None


def _choices() -> list[tuple[int, str]]:
    studies = Study.objects.light().filter(status=Study.Status.DONE, archived_at=None)[:MOST]
    return [(study.pk, _("%(study)s (no. %(number)s)") % {"study": study, "number": study.pk}) for study in studies]
