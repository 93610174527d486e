"""All other tables in the admin: layers and holdouts, reviews and templates, rollouts, webhooks."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from experiments import webhooks
from experiments.forms import PercentField, PercentsField, ValueField
from experiments.models import (
    AudienceRow,
    Holdout,
    Layer,
    Override,
    PlanTemplate,
    ReviewItem,
    ReviewPolicy,
    Rollout,
    RolloutMove,
    Variant,
    WebhookDelivery,
    WebhookEndpoint,
)
from experiments.plan.record import WHOLE
from experiments.plan.review import choose_mode
from experiments.plan.templates import archive_template, change_template
from experiments.status.rollout_state import state_words
from experiments.webhook_messages import check_url
from runs.refusals import Refused
from runs.web import person
from segments.models import Segment

# Forms of the admin's own pages: arms, audience and overrides of a draft, layers, copies.

if TYPE_CHECKING:
    VariantForm = forms.ModelForm[Variant]
    RowForm = forms.ModelForm[AudienceRow]
    OneOverrideForm = forms.ModelForm[Override]
    OneHoldoutForm = forms.ModelForm[Holdout]
else:
    VariantForm = RowForm = OneOverrideForm = OneHoldoutForm = forms.ModelForm


class ArmForm(VariantForm):
    """One arm."""

    value = ValueField(label=_("value"), required=False)
    weight = PercentField(label=_("weight (%)"))

    class Meta:
        model = Variant
        fields = ("key", "name", "value", "weight", "role", "dose")


class AudienceForm(RowForm):
    """One row of the audience."""

    segment_key = forms.ChoiceField(label=_("segment"), required=False, widget=UnfoldAdminSelectWidget)
    coverage = PercentField(label=_("coverage (%)"), initial=WHOLE)
    weights = PercentsField(label=_("weights of its own (%)"), required=False)

    class Meta:
        model = AudienceRow
        fields = ("segment_key", "coverage", "weights")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["segment_key"]
        field.choices = [("", _("everyone")), *segment_choices(self.instance.segment_key)]

    def clean_segment_key(self) -> str | None:
        """No segment means everyone."""
        return self.cleaned_data["segment_key"] or None


class OverrideForm(OneOverrideForm):
    """An arm for one unit, or by a rule."""

    class Meta:
        model = Override
        fields = ("unit", "rule", "variant")


class HoldoutForm(OneHoldoutForm):
    """Form with the share in per cent."""

    share = PercentField(label=_("share (%)"))

    class Meta:
        model = Holdout
        fields = ("key", "share", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:  # read-only then, and not sent by the browser
            del self.fields["share"]


class CloneForm(forms.Form):
    """The key of the copy."""

    key = forms.CharField(label=_("Key"), max_length=128, widget=UnfoldAdminTextInputWidget)


def segment_choices(chosen: str | None) -> list[tuple[str, str]]:
    """Published, targetable segments by the key that services use, and the chosen one if it is no longer among them."""
    rows = Segment.objects.published().filter(targetable=True, version__model__archived_at=None)
    rows = rows.order_by("version", "number")
    choices = {row.slug: f"{row.slug} · {row}" for row in rows}
    if chosen and chosen not in choices:
        choices[chosen] = chosen
    return list(choices.items())


# Layers and holdouts: their keys are seeds of draws, so they never change.


class Saying:
    """Mixin for admins whose rows are written by services: shows refusals as error messages and stores nothing."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)  # type: ignore[misc]
        except Refused as refusal:
            messages.error(request, refusal.sentence)
            return HttpResponseRedirect(request.get_full_path())


@admin.register(Layer)
class LayerAdmin(Saying, ModelAdmin):
    """The key is the seed of its draws, so it never changes."""

    list_display = ["key", "name"]
    search_fields = ["key", "name"]
    empty_text = _("No layer yet. Experiments that must not share users are put into one, each with its own slice.")
    fields = ["key", "name"]

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> list[str]:
        return ["key"] if obj else []

    def save_model(self, request: HttpRequest, obj: Layer, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=["name"])
        else:
            from experiments.plan import audience  # loads NumPy

            obj.pk = audience.create_layer(key=obj.key, name=obj.name).pk


@admin.register(Holdout)
class HoldoutAdmin(Saying, ModelAdmin):
    """Its share never changes: that would move units."""

    form = HoldoutForm
    list_display = ["key", "share_percent", "active"]
    search_fields = ["key"]
    empty_text = _(
        "No holdout yet. It leaves a share of users out of every experiment, to see what all of them changed."
    )
    fields = ["key", "share", "active"]

    @admin.display(description=_("share (%)"))
    def share_percent(self, row: Holdout) -> str:
        return f"{row.share / 100:g}"

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> list[str]:
        return ["key", "share_percent"] if obj else []

    def get_fields(self, request: HttpRequest, obj: object = None) -> list[str]:
        return ["key", "share_percent", "active"] if obj else ["key", "share", "active"]

    def save_model(self, request: HttpRequest, obj: Holdout, form: Any, change: bool) -> None:
        from experiments.plan import audience

        if change:
            audience.set_active(holdout=obj, active=obj.active)
        else:
            obj.pk = audience.create_holdout(key=obj.key, share=obj.share, active=obj.active).pk


# Admin of the review rule, own checks and plan templates. Services write; templates can't be deleted.


@admin.register(ReviewPolicy)
class ReviewPolicyAdmin(Saying, ModelAdmin):
    """One row. The site's page of reviews has the same choice."""

    list_display = ["mode"]
    fields = ["mode"]
    empty_text = _("Nobody has chosen yet: reviews are automatic. Choose on the page of reviews.")

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ReviewPolicy, form: Any, change: bool) -> None:
        choose_mode(obj.mode)


@admin.register(ReviewItem)
class ReviewItemAdmin(ModelAdmin):
    """A team's own checks: deactivated, never deleted, since ticks refer to them."""

    list_display = ["text", "text_ko", "required", "active", "position"]
    list_filter = ["active", "required"]
    fields = ["text", "text_ko", "required", "active", "position"]
    empty_text = _("No own check yet. Each stands below those that every plan fills by itself.")

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(PlanTemplate)
class PlanTemplateAdmin(Saying, ModelAdmin):
    """Names and archive of templates. New templates are made from a plan, on the plan's page."""

    list_display = ["name", "name_ko", "key", "version", "archived_at"]
    search_fields = ["key", "name", "name_ko", "description"]
    fields = ["key", "name", "name_ko", "description", "version", "archived_at", "created_by", "created_at"]
    readonly_fields = ["key", "version", "archived_at", "created_by", "created_at"]
    actions = ["archive", "bring_back", "plan_with_it"]
    empty_text = _("No template yet. Save a good plan as one, on its page.")

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: PlanTemplate, form: Any, change: bool) -> None:
        names = ("name", "name_ko", "description")
        stored = get_object_or_404(PlanTemplate, pk=obj.pk)
        change_template(template=stored, by=person(request), **{name: getattr(obj, name) for name in names})

    @admin.action(description=_("Archive"), permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[PlanTemplate]) -> None:
        for row in queryset:
            archive_template(template=row, archived=True, by=person(request))

    @admin.action(description=_("Bring it back"), permissions=["change"])
    def bring_back(self, request: HttpRequest, queryset: QuerySet[PlanTemplate]) -> None:
        for row in queryset:
            archive_template(template=row, archived=False, by=person(request))

    @admin.action(description=_("Plan with it"), permissions=["view"])
    def plan_with_it(self, request: HttpRequest, queryset: QuerySet[PlanTemplate]) -> HttpResponse:
        row = queryset.first()
        if row is None or queryset.count() != 1:
            messages.error(request, _("Choose one template."))
            return HttpResponseRedirect(request.get_full_path())
        return HttpResponseRedirect(f"{reverse('experiments:new_plan')}?template={row.key}")


# Rollouts and their moves, read-only. Rollouts are moved on their experiment's page.


class ReadOnly(ModelAdmin):
    """Mixin for rows that services write: they can't be added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Rollout)
class RolloutAdmin(ReadOnly):
    """The current state of each rollout."""

    list_display = ["experiment", "flag_key", "variant", "state", "first_at"]
    list_filter = ["state"]
    list_select_related = ["experiment", "variant"]
    search_fields = ["flag_key", "experiment__key", "experiment__name"]
    empty_text = _("Nothing is rolled out yet. After its end an experiment's page offers to ship a group.")
    fields = ["experiment", "flag_key", "variant", "state", "rows", "held_at", "first_at", "page"]
    readonly_fields = ["page"]

    @admin.display(description=_("page"))
    def page(self, row: Rollout) -> str:
        return format_html(
            '<a href="{}">{}</a>', reverse("experiments:rollout", args=[row.experiment.key]), row.experiment
        )


@admin.register(RolloutMove)
class RolloutMoveAdmin(ReadOnly):
    """The log, the newest first. Entries are only added."""

    list_display = ["at", "experiment", "kind", "by", "was", "became", "why"]
    list_filter = ["kind", "at"]
    list_select_related = ["experiment", "by"]
    search_fields = ["experiment__key", "experiment__name", "why"]
    empty_text = _("No rollout was changed yet.")
    show_full_result_count = False
    fields = ["at", "experiment", "kind", "by", "key_prefix", "was", "became", "why"]
    readonly_fields = ["was", "became"]

    @admin.display(description=_("from"))
    def was(self, row: RolloutMove) -> str:
        return state_words(row.before)

    @admin.display(description=_("to"))
    def became(self, row: RolloutMove) -> str:
        return state_words(row.after)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ModelAdmin):
    """Register endpoints and rotate secrets. The secret is shown once, in the response: messages use cookies."""

    list_display = ["name", "url", "enabled", "disabled_reason", "created_at"]
    search_fields = ["name", "url"]
    empty_text = _("No webhook yet. Register an address, and it hears when experiments start, stop or have a verdict.")
    fields = ["name", "url", "enabled", "disabled_reason", "previous_until", "certificate_until", "created_at"]
    readonly_fields = ["disabled_reason", "previous_until", "certificate_until", "created_at"]
    actions = ["rotate"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "url" and field is not None:
            field.assume_scheme = "https"
            field.validators.append(_allowed)
        return field

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        if change:
            webhooks.update_endpoint(endpoint=obj, name=obj.name, url=obj.url, enabled=obj.enabled)
            return
        row = webhooks.create_endpoint(name=obj.name, url=obj.url)
        obj.pk, obj.secret, obj.created_at = row.pk, row.secret, row.created_at

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._show(request, [obj])

    @admin.action(description=_("Give a new secret"), permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> HttpResponse:
        return self._show(request, [webhooks.rotate_secret(endpoint=row) for row in queryset])

    def _show(self, request: HttpRequest, rows: list[WebhookEndpoint]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": _("Secret of the webhook"), "rows": rows}
        response = TemplateResponse(request, "experiments/webhook_secret.html", context)
        response["Cache-Control"] = "no-store"
        return response


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ModelAdmin):
    """Sent and queued deliveries, read-only; those given up can be sent again."""

    list_display = ["created_at", "endpoint", "type", "tries", "status", "trouble", "next_try_at", "delivered_at"]
    list_filter = ["type", "endpoint", "delivered_at"]
    list_select_related = ["endpoint"]
    search_fields = ["message_id"]
    empty_text = _("Nothing was sent yet. Each message to a webhook stands here until it has arrived.")
    show_full_result_count = False
    actions = ["send_again"]

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> list[str]:
        return [field.name for field in WebhookDelivery._meta.fields]

    @admin.action(description=_("Send again"), permissions=["change"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        done = 0
        for row in queryset:
            try:
                webhooks.send_again(delivery=row)
                done += 1
            except Refused as refusal:
                messages.warning(request, f"{row}: {refusal}")
        text = ngettext("%(count)d delivery is sent again.", "%(count)d deliveries are sent again.", done)
        messages.success(request, text % {"count": done})


def _allowed(url: str) -> None:
    try:
        check_url(url)
    except Refused as refusal:
        raise forms.ValidationError(refusal.sentence) from None
