"""The first step before a draft exists; `?moment=KEY`, `?segment=SLUG`, `?outcome=SPEC` prefill it."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from aha import made_names
from aha.models import AhaMoment
from experiments.models import Experiment, PlanTemplate
from experiments.plan import drafts
from experiments.plan.audience import choices
from experiments.plan.template_drafts import draft_from_template
from experiments.steps import frame, promised_words, step_forms
from experiments.steps.outcome_guess import can_be_read
from experiments.steps.views import go, mended
from runs.key_from_name import key_from
from runs.refusals import Refused
from runs.web import may, person


@login_required
@may("experiments.add_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def new_plan(request: HttpRequest) -> HttpResponse:
    """Show the form, and create the draft from it."""
    moment = AhaMoment.objects.filter(key=request.GET.get("moment", "").replace("\x00", "")).first()
    offered = list(PlanTemplate.objects.filter(archived_at=None))
    template = next((one for one in offered if one.key == request.GET.get("template", "")), None)
    initial: dict[str, Any] = {} if template is None else _of_template(template, moment)
    if moment is not None and template is None:
        initial = {
            "name": made_names.made_test_name(moment),
            "hypothesis": made_names.made_hypothesis(moment),
            "moment": moment,
        }
    form = step_forms.HypothesisForm(mended(request), initial=initial)
    if request.method == "POST" and form.is_valid() and "mend" not in request.POST:
        try:
            made = _create(form.kept(), person(request), request.GET.dict(), template)
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(
                request,
                _("{name} is a draft now. Nothing is shown to anybody until you start it.").format(name=made.title),
            )
            return go(request, made.key, "hypothesis")
    context = {
        "form": form,
        "from_moment": moment,
        "promise": promised_words.promise(moment),
        "templates": offered,
        "chosen": template,
    }
    return frame.page(request, None, "hypothesis", context)


def _of_template(template: PlanTemplate, moment: AhaMoment | None) -> dict[str, Any]:
    """Initial values of the first step: the template's texts, and its moment unless the link named another."""
    fields = template.content["fields"]
    found = moment or AhaMoment.objects.filter(key=fields.get("moment") or "").first()
    return {"hypothesis": fields.get("hypothesis", ""), "moment": found}


def _create(
    given: dict[str, Any], by: User | None, asked: Mapping[str, str], template: PlanTemplate | None
) -> Experiment:
    """Create a draft from the first step; with a moment, its evidence fills in size and effect.

    A template has its own values.
    """
    moment, key = given["moment"], given["key"]
    if template is not None:
        return draft_from_template(
            template=template,
            name=given["name"],
            key=key or drafts.free_key(key_from(given["name"], "experiment")),
            by=by,
            hypothesis=given["hypothesis"],
            moment=moment,
        )
    if moment is not None:
        made = drafts.draft_from_moment(moment=moment, by=by, key=key or None)
        texts: dict[str, Any] = {name: given[name] for name in ("name", "hypothesis") if given[name]}
    else:
        texts = {}
        made = drafts.create_draft(
            key=key or drafts.free_key(key_from(given["name"], "experiment")),
            by=by,
            name=given["name"],
            hypothesis=given["hypothesis"],
            variants=drafts.VARIANTS,
            value_type=Experiment.ValueType.BOOLEAN,
            default_value=False,
        )
    given_rows = [{"segment_key": one.slug} for one in choices() if one.slug == asked.get("segment")]
    if moment is None and can_be_read(asked.get("outcome", "")):
        texts["primary_metrics"] = [asked["outcome"]]
    return drafts.update_draft(
        key=made.key, by=by, audience=given_rows or None, why=f"{drafts.STEP_SAVED}hypothesis", **texts
    )
