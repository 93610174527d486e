"""Rollouts and their moves, read-only. Rollouts are moved on their experiment's page."""

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from experiments.models import Rollout, RolloutMove
from experiments.standing.rollout_state import state_words


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
    empty_text = _("Nothing is rolled out yet. After its end an experiment's page offers to ship a variant.")
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
    empty_text = _("No rollout was moved yet.")
    show_full_result_count = False
    fields = ["at", "experiment", "kind", "by", "key_prefix", "was", "became", "why"]
    readonly_fields = ["was", "became"]

    @admin.display(description=_("from"))
    def was(self, row: RolloutMove) -> str:
        return state_words(row.before)

    @admin.display(description=_("to"))
    def became(self, row: RolloutMove) -> str:
        return state_words(row.after)
