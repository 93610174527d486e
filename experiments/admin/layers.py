"""Layers and holdouts: their keys are seeds of draws, so they never change."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from experiments.admin import forms as shapes
from experiments.models import Holdout, Layer
from experiments.plan import layers
from runs.refusals import Refused


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
            obj.pk = layers.create_layer(key=obj.key, name=obj.name).pk


@admin.register(Holdout)
class HoldoutAdmin(Saying, ModelAdmin):
    """Its share never changes: that would move units."""

    form = shapes.HoldoutForm
    list_display = ["key", "share_percent", "active"]
    search_fields = ["key"]
    empty_text = _(
        "No holdout yet. It keeps a share of users out of every experiment, to see what all of them changed."
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
        if change:
            layers.set_active(holdout=obj, active=obj.active)
        else:
            obj.pk = layers.create_holdout(key=obj.key, share=obj.share, active=obj.active).pk
