"""Context for all pages that show the plan: sections with their comments, and export links."""

from typing import Any

from django.http import HttpRequest

from experiments.models import Experiment, PlanComment
from experiments.plan_page.document import document_title, facts_line, sections
from experiments.plan_page.known_numbers import known_of


def remarks(row: Experiment) -> list[tuple[PlanComment, str]]:
    """All comments on a plan, the newest first, each with its section's title: for the history of the experiment."""
    titles = {one.slug: one.title for one in sections(row, known_of(row, ask=False))}
    found = PlanComment.objects.filter(experiment=row).select_related("by", "resolved_by").order_by("-at", "-id")
    return [(one, titles.get(one.section, one.section)) for one in found]


def document_context(request: HttpRequest, row: Experiment) -> dict[str, Any]:
    """Context of `experiments/plan_document/document.html`.

    The number of users is shown if cached. Otherwise a draft's page requests it separately (`experiments:plan_numbers`)
    and reloads.

    Args:
        request: of the reader.
        row: the experiment with its moment, layer and holdout.
    """
    is_draft = row.status == Experiment.Status.DRAFT
    known = known_of(row, ask=is_draft and request.method == "POST")
    by_section: dict[str, list[PlanComment]] = {}
    for one in PlanComment.objects.filter(experiment=row).select_related("by", "resolved_by"):
        by_section.setdefault(one.section, []).append(one)
    return {
        "experiment": row,
        "document_title": document_title(row),
        "document_facts": facts_line(row),
        "document": [(one, by_section.get(one.slug, [])) for one in sections(row, known)],
        "open_comments": sum(one.is_open for group in by_section.values() for one in group),
        "may_comment": request.user.has_perm("experiments.add_plancomment"),
        "may_settle": request.user.has_perm("experiments.change_plancomment"),
        "may_change": is_draft and request.user.has_perm("experiments.change_experiment"),
        "known": known,
        "asks_numbers": is_draft and known.inflow is None and bool(row.primary_metrics),
    }
