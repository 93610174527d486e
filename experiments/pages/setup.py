"""Form for an override: an arm for a tester, without a draw."""

import json
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from experiments.models import Experiment, Override
from experiments.pages import tabs
from experiments.plan.lab import set_key
from experiments.serve import overrides
from experiments.status import connection, overview
from experiments.status.connection import CLIENT, SERVER, snippets
from runs.refusals import Refused
from runs.web import may


class RuleField(forms.JSONField):
    """Optional JSON: empty instead of the word null."""

    def prepare_value(self, value: Any) -> Any:
        """The value as JSON, or empty."""
        return "" if value is None else super().prepare_value(value)


class OneTesterForm(forms.Form):
    """An arm for one tester, or by a rule on the context: exactly one of the two."""

    unit = forms.CharField(
        label=_("unit"),
        required=False,
        max_length=256,
        help_text=_("The id with which the service asks, for example that of a tester's account."),
    )
    rule = RuleField(
        label=_("rule on the context"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_('Instead of a user, as JSON: for example {"all": [{"trait": "qa", "is": true}]}.'),
    )
    variant = forms.ChoiceField(label=_("variant"))

    def __init__(self, *args: Any, experiment: Experiment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.experiment = experiment
        if experiment.is_lab:
            self.fields["variant"] = forms.MultipleChoiceField(
                label=_("nudges"),
                required=False,
                choices=[(row["key"], row["name"] or row["key"]) for row in experiment.nudges],
                widget=forms.CheckboxSelectMultiple,
                help_text=_("Those ticked are shown, the others aren't."),
            )
            return
        field: Any = self.fields["variant"]
        field.choices = [(arm.key, arm.title) for arm in experiment.variants.order_by("position")]

    def clean_variant(self) -> str:
        """Key of the group; of a lab that of the set of its ticked nudges."""
        given = self.cleaned_data["variant"]
        if not self.experiment.is_lab:
            return str(given)
        key = set_key([row["key"] for row in self.experiment.nudges if row["key"] in given])
        if not self.experiment.variants.filter(key=key).exists():
            raise forms.ValidationError(_("No user of this lab gets these nudges together: untick some."))
        return key


# Setup tab: code to request the flag, whether events arrive, and overrides for testers.


@login_required
@require_safe
def setup(request: HttpRequest, key: str) -> HttpResponse:
    """Show the tab."""
    experiment = tabs.find(key)
    return _page(request, experiment, None)


@login_required
@require_safe
def live(request: HttpRequest, key: str) -> HttpResponse:
    """The checklist of what has arrived: a fragment that the page polls."""
    experiment = tabs.find(key)
    at = overview.standing(experiment)
    context = {"experiment": experiment, "checks": connection.checks(experiment, at, ask=True)}
    return render(request, "experiments/page/checks.html", context)


@login_required
@may("experiments.add_override")
@require_POST
def testers(request: HttpRequest, key: str) -> HttpResponse:
    """Give a tester an arm, or remove the override."""
    experiment = tabs.find(key)
    if "remove" in request.POST:
        given = request.POST["remove"]
        row = get_object_or_404(Override, pk=given if given.isdecimal() else 0, experiment=experiment)
        overrides.remove_override(override=row)
        messages.success(request, gettext("The draw decides again."))
        return redirect("experiments:setup", key=key)
    form = OneTesterForm(request.POST, experiment=experiment)
    if form.is_valid():
        values = form.cleaned_data
        try:
            overrides.set_override(key=key, variant=values["variant"], unit=values["unit"] or None, rule=values["rule"])
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(request, gettext("The override is served within two seconds."))
            return redirect("experiments:setup", key=key)
    return _page(request, experiment, form)


def _page(request: HttpRequest, experiment: Experiment, form: OneTesterForm | None) -> HttpResponse:
    user = request.user
    site = request.build_absolute_uri("/").rstrip("/")
    at = overview.standing(experiment)
    context: dict[str, Any] = {
        "checks": connection.checks(experiment, at, ask=False),
        "first": True,
        "snippets": snippets(experiment, site=site, keys=_keys(request)),
        "arms": _served(experiment),
        "may_make_key": user.has_perm("insight_site.add_apikey") and bool(getattr(user, "is_staff", False)),
    }
    if user.has_perm("experiments.view_override"):  # overrides contain unit ids
        context["overrides"] = experiment.overrides.select_related("variant__experiment")
    if user.has_perm("experiments.add_override"):
        context["form"] = form or OneTesterForm(experiment=experiment)
    return tabs.page(request, experiment, "setup", context)


def _served(experiment: Experiment) -> list[tuple[str, str]]:
    """Each group with the value that it gets; of a lab each nudge with its flag."""
    if experiment.is_lab:
        names = [nudge["name"] or nudge["key"] for nudge in experiment.nudges]
        return list(zip(names, experiment.flags[1:], strict=True))
    return [(arm.title, json.dumps(arm.value, ensure_ascii=False)) for arm in experiment.variants.all()]


def _keys(request: HttpRequest) -> dict[str, str]:
    """Comment about the key in code snippets: the newest key's name for people who may see keys, never the key."""
    comments = {
        SERVER: gettext("INSIGHT_KEY holds a server key with the scope assign:read"),
        CLIENT: gettext("a client key with the scopes assign:read, config:read and events:write"),
    }
    if not request.user.has_perm("insight_site.view_apikey"):
        return comments
    rows: Any = apps.get_model("insight_site", "ApiKey").objects.filter(revoked_at=None).order_by("-created_at")
    for kind in (SERVER, CLIENT):
        row = next((key for key in rows if key.kind == kind and key.is_live and "assign:read" in key.scopes), None)
        if row is not None:
            comments[kind] = gettext("the key “{name}” ({prefix}…), scope assign:read").format(
                name=row.name, prefix=row.prefix
            )
    return comments
