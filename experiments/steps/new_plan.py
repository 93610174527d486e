"""The first step before there is a draft: `?moment=KEY`, `?segment=SLUG`, `?outcome=SPEC` are taken over."""

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
from experiments.models import Experiment
from experiments.plan import drafts
from experiments.plan.audience import choices
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
    """The page, and the draft that it makes."""
    moment = AhaMoment.objects.filter(key=request.GET.get("moment", "").replace("\x00", "")).first()
    initial: dict[str, Any] = {}
    if moment is not None:
        initial = {
            "name": made_names.made_test_name(moment),
            "hypothesis": made_names.made_hypothesis(moment),
            "moment": moment,
        }
    form = step_forms.HypothesisForm(mended(request), initial=initial)
    if request.method == "POST" and form.is_valid() and "mend" not in request.POST:
        try:
            made = _create(form.kept(), person(request), request.GET.dict())
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(
                request,
                _("{name} is a draft now. Nothing is shown to anybody until you start it.").format(name=made.title),
            )
            return go(request, made.key, "hypothesis")
    context = {"form": form, "from_moment": moment, "promise": promised_words.promise(moment)}
    return frame.page(request, None, "hypothesis", context)


def _create(given: dict[str, Any], by: User | None, asked: Mapping[str, str]) -> Experiment:
    """A draft from the first step: with a moment, what its evidence says of size and effect is filled in."""
    moment, key = given["moment"], given["key"]
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
