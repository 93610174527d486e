"""The last step: the complete plan on one page, its remaining problems, and the start."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from experiments.models import Experiment
from experiments.plan import moves
from experiments.plan.lifecycle import Action
from experiments.plan_page.page_context import document_context
from experiments.review_page.panel import panel
from experiments.steps import frame
from experiments.steps.needs import needs_of
from runs.refusals import Refused
from runs.web import person


def review(request: HttpRequest, row: Experiment) -> HttpResponse:
    """Show the page; POST starts the experiment. Warnings need an explicit confirmation."""
    context = document_context(request, row)
    needs = needs_of(row, context["known"])
    blocking, silly = [one for one in needs if one.blocks], [one for one in needs if not one.blocks]
    refusal = ""
    if request.method == "POST" and silly and not blocking and "sure" not in request.POST:
        refusal = _("Tick the box below first: it says that you mean the plan as it is.")
    elif request.method == "POST":
        try:
            moves.move(
                key=row.key,
                action=Action.START,
                by=person(request),
                why=request.POST.get("why", ""),
                without_review="without_review" in request.POST,
            )
        except Refused as refused:
            refusal = refused.sentence
            row.refresh_from_db()
        else:
            messages.success(request, _("{name} runs now.").format(name=row.title))
            return HttpResponseRedirect(reverse("experiments:report", args=[row.key]))
    context["review"] = panel(request, row, context["known"])
    context |= {"blocking": blocking, "silly": silly, "refusal": "" if blocking else refusal}
    return frame.page(request, row, "review", context, context["known"])
