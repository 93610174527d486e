"""The page of environments: this environment's name, imported definitions, and a form to import one."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from experiments.models import Experiment
from experiments.plan.lifecycle import Status
from experiments.serve.http_body import BadBodyError, parse
from insight_site.exports.copy_definition import bring
from insight_site.exports.definition import definition_of
from insight_site.models import Promotion
from runs.refusals import Refused
from runs.web import may, person

MOST_BYTES = 1024 * 1024
SHOWN = 100


class DefinitionForm(forms.Form):
    """One definition file from another site."""

    file = forms.FileField(label=_("Definition"), help_text=_("The JSON file that another environment gave you."))

    def document(self) -> Any:
        """The parsed file.

        Raises:
            Refused: it is no JSON, or too large.
        """
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise Refused("This is no definition of an experiment.")
        try:
            return parse(file.read())
        except BadBodyError:
            raise Refused("This is no definition of an experiment.") from None


@login_required
@may("experiments.view_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: HttpRequest) -> HttpResponse:
    """Imported definitions; people who may plan can import another."""
    allowed = request.user.has_perm("experiments.add_experiment")
    form = DefinitionForm(request.POST or None, request.FILES or None) if request.method == "POST" else DefinitionForm()
    if request.method == "POST" and allowed and form.is_valid():
        try:
            made = bring(form.document(), by=person(request))
        except Refused as refusal:
            form.add_error("file", refusal.sentence)
        else:
            return redirect("experiments:report", made.key)
    context = {
        "environment": settings.ENVIRONMENT,
        "form": form,
        "may_bring": allowed,
        "rows": Promotion.objects.select_related("experiment", "brought_by").defer("history")[:SHOWN],
        "plans": Experiment.objects.exclude(status=Status.ARCHIVED)
        .order_by("-pk")
        .only("key", "name", "status")[:SHOWN],
    }
    status = 403 if request.method == "POST" and not allowed else 200
    return render(request, "environments/overview.html", context, status=status)


@login_required
@may("experiments.view_experiment")
@require_safe
def download(request: HttpRequest, key: str) -> HttpResponse:
    """Download the definition of an experiment."""
    document = definition_of(get_object_or_404(Experiment, key=key))
    name = f"{key}.{settings.ENVIRONMENT}.json"
    response = JsonResponse(document, json_dumps_params={"indent": 1, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
