"""List of experiments, and the same as a board by state."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from events.upkeep.tags_and_owners import narrowed
from events.upkeep.thing_kinds import kind_of
from experiments.analyse.codes import LIGHTS, SIGNS, Code, code_words
from experiments.models import Analysis, Experiment
from experiments.status import overview
from experiments.status.overview import Progress, health
from runs.web import is_htmx, listing

LOCKED = "PENDING"
NONE_YET = "NONE"
BOARD = [status for status in Experiment.Status if status != Experiment.Status.ARCHIVED]
BOARD_MOST = 200  # the newest experiments on the board


@login_required
@require_safe
def experiment_list(request: HttpRequest) -> HttpResponse:
    """Experiments by state, verdict and text, the newest first; htmx gets only the rows."""
    verdicts = [(str(code), code_words(code)) for code in Code]
    choices = [*verdicts, (LOCKED, gettext("No verdict yet")), (NONE_YET, gettext("not analysed yet"))]
    rows, chosen = _by_verdict(request.GET.get("verdict", ""), dict(verdicts))
    narrow = narrowed(request, kind_of(Experiment), rows)
    rows = narrow.rows
    states = [row for row in Experiment.Status.choices if row[0] != Experiment.Status.ARCHIVED]
    matches = listing(request, rows, text_in=("name", "key", "hypothesis"), state_in="status", states=states)
    board = request.GET.get("view") == "board" and not narrow.archived
    shown = list(rows[:BOARD_MOST]) if board else list(matches.page)
    lines = _lines(shown)
    context = {
        "rows": lines,
        "board": _board(lines) if board else None,
        "listing": matches,
        "narrow": narrow,
        "verdicts": choices,
        "verdict": chosen,
        "any_at_all": bool(matches.total or chosen) or narrow.any_at_all,
    }
    template = "experiments/rows.html" if is_htmx(request) else "experiments/list.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _by_verdict(chosen: str, verdicts: dict[str, Any]) -> tuple[Any, str]:
    """Experiments by the verdict of their last analysis; all for an invalid choice."""
    rows: Any = _with_findings()  # annotated columns have no type
    rows = rows.prefetch_related("variants", "audience")
    if chosen in verdicts:
        return rows.filter(found_verdict=chosen), chosen
    if chosen == LOCKED:
        return rows.filter(found_verdict=""), chosen
    if chosen == NONE_YET:
        return rows.filter(found_pk__isnull=True), chosen
    return rows, ""


def _with_findings() -> QuerySet[Experiment]:
    """Experiments, also archived ones, the latest first, each with `found_pk`, `found_verdict`, `found_final`,
    `found_as_of` and `found_fraction` of its latest successful analysis.
    """
    done = Analysis.objects.filter(experiment=OuterRef("pk"), status=Analysis.Status.DONE).order_by("-pk")

    def latest(name: str) -> Subquery:
        return Subquery(done.values(name)[:1])

    return (
        Experiment.objects.select_related("moment")
        .defer("moment__evidence")
        .annotate(
            found_pk=latest("pk"),
            found_verdict=latest("verdict"),
            found_final=latest("final"),
            found_peek=latest("peek"),
            found_as_of=latest("as_of"),
            found_fraction=latest("fraction"),
        )
        .order_by("-started_at", "-pk")
    )


def _lines(rows: list[Any]) -> list[dict[str, Any]]:
    return [
        {"experiment": row, "at": at, "verdict": verdict(at), "light": health(at) if at.days is not None else None}
        for row, at in zip(rows, overview.standings(rows), strict=True)
    ]


def verdict(at: Progress) -> dict[str, str] | None:
    """The last verdict as a tag; None without one."""
    if not at.verdict:
        return None
    code = Code(at.verdict)
    return {
        "heading": code_words(code, whole_clusters=at.experiment.moves_whole_clusters),
        "light": LIGHTS[code],
        "sign": SIGNS[code],
    }


def _board(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"state": state.label, "lines": [line for line in lines if line["experiment"].status == state]}
        for state in BOARD
    ]
