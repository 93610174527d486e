"""The plan as one page, for every page that shows it: sections with their comments, and where it is exported."""

from typing import Any

from django.http import HttpRequest

from experiments.models import Experiment, PlanComment
from experiments.plan_page.document import document_title, facts_line, sections
from experiments.plan_page.known import known_of


def document_context(request: HttpRequest, row: Experiment) -> dict[str, Any]:
    """What `experiments/plan_document/document.html` needs.

    A draft asks the warehouse how many users come (at most every ten minutes); a started plan shows what it holds.

    Args:
        request: of the reader.
        row: the experiment with its moment, layer and holdout.
    """
    is_draft = row.status == Experiment.Status.DRAFT
    known = known_of(row, ask=is_draft)
    remarks: dict[str, list[PlanComment]] = {}
    for one in PlanComment.objects.filter(experiment=row).select_related("by", "resolved_by"):
        remarks.setdefault(one.section, []).append(one)
    return {
        "experiment": row,
        "document_title": document_title(row),
        "document_facts": facts_line(row),
        "document": [(one, remarks.get(one.slug, [])) for one in sections(row, known)],
        "open_comments": sum(one.is_open for group in remarks.values() for one in group),
        "may_comment": request.user.has_perm("experiments.add_plancomment"),
        "may_settle": request.user.has_perm("experiments.change_plancomment"),
        "may_change": is_draft and request.user.has_perm("experiments.change_experiment"),
        "known": known,
    }
