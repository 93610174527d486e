"""Serializers for planning: sizes and suggestions."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from experiments.api.serializers import REASON, Row
from experiments.models import Experiment


@extend_schema_field({"oneOf": [{"type": "number"}, REASON]})
class Number(serializers.JSONField):
    """A number, or the reason in words why there is none."""


@extend_schema_field({"oneOf": [{"type": "array", "items": {"type": "integer"}}, REASON]})
class Numbers(serializers.JSONField):
    """Whole numbers, or the reason."""


@extend_schema_field({"oneOf": [{"type": "string", "format": "date"}, REASON]})
class Day(serializers.JSONField):
    """A date, or the reason."""


EXPLAINED = {
    "type": "object",
    "required": ["r_squared", "low", "high", "learned", "judged"],
    "properties": {
        **{name: {"type": "number"} for name in ("r_squared", "low", "high")},
        **{name: {"type": "integer"} for name in ("learned", "judged")},
    },
}
LAW = {
    "type": "object",
    "properties": {
        name: {"type": "number"}
        for name in ("clusters", "units", "mean_size", "variation", "correlation", "low", "high", "level")
    },
}


@extend_schema_field({"oneOf": [EXPLAINED, REASON]})
class Worth(serializers.JSONField):
    """R2 of the plan's adjustment with its interval, and the number of earlier users it was fitted and tested on."""


@extend_schema_field({"oneOf": [LAW, REASON]})
class Law(serializers.JSONField):
    """Sizes of clusters and their intraclass correlation with its limits, or the reason why there are none."""


class InflowSerializer(serializers.Serializer[Row]):
    first, last = serializers.DateField(), serializers.DateField()
    units = serializers.IntegerField(help_text="that arrived from first to last")
    per_day = serializers.FloatField()
    per_day_from = serializers.CharField(help_text="log, or expects: the plan's expected_daily_units")
    base = Number(help_text="mean of the first primary outcome without a nudge")
    base_from = serializers.CharField(help_text="log, study: of the moment's study, or expects: expected_base")
    sd = serializers.FloatField(allow_null=True)
    last_day = serializers.IntegerField(help_text="last day of the outcome's window")
    reach = Number(allow_null=True, help_text="share that reaches the AHA moment without a nudge")
    explained = Worth(allow_null=True)
    clusters = Law(allow_null=True, help_text="of the plan's clusters in these weeks; null where units are drawn")


@extend_schema_field({"type": "string", "pattern": r"^[0-9.]+(,[0-9.]+)*$"})
class Looks(serializers.CharField):
    """A number of looks, or their shares of the planned units with commas between."""

    def to_internal_value(self, data: Any) -> Any:
        """A whole number or a tuple of shares."""
        text = super().to_internal_value(data)
        try:
            return int(text) if text.isdecimal() else tuple(float(part) for part in text.split(","))
        except ValueError:
            raise serializers.ValidationError(_("Looks are a whole number, or shares with commas between.")) from None


class WhatIfSerializer(serializers.Serializer[Row]):
    """Values to try in place of the plan's own."""

    planned_effect = serializers.FloatField(
        required=False,
        help_text="absolute effect that is planned for, default the plan's; with a take-up that of the behaviour",
    )
    margin = serializers.FloatField(
        required=False, help_text="effect below which nobody would act; default the plan's smallest effect of interest"
    )
    primaries = serializers.IntegerField(required=False, min_value=1, max_value=100, help_text="primary outcomes")
    variants = serializers.IntegerField(
        required=False, min_value=2, max_value=100, help_text="arms of equal size, control included, no placebo"
    )
    method = serializers.ChoiceField(choices=Experiment.Method.choices, required=False)
    looks = Looks(required=False, help_text="how many, or rising shares of the planned units, the last 1: 0.3,0.6,1")
    spending = serializers.ChoiceField(choices=Experiment.Spending.choices, required=False)
    cluster_size = serializers.FloatField(required=False, min_value=1, help_text="mean units of a cluster")
    cluster_variation = serializers.FloatField(required=False, min_value=0, help_text="sd of the sizes over their mean")
    cluster_correlation = serializers.FloatField(
        required=False, min_value=0, max_value=1, help_text="intraclass correlation; default what past data say"
    )


class SuggestionSerializer(serializers.Serializer[Row]):
    """A suggested size for the plan. Requesting it changes nothing."""

    inflow = InflowSerializer()
    coverage = serializers.FloatField(help_text="share of the inflow that is enrolled")
    take_up = serializers.FloatField()
    smallest_effect, planned_units, days = Number(), Number(), Number()
    planned_effect = Number(help_text="what the units are computed for")
    per_variant = Numbers(help_text="control first")
    planned_end = Day(help_text="the last day of enrolment, if it started today")
    result_on = Day(help_text="when every outcome is then known")
    level = Number(help_text="two-sided error rate of one comparison: alpha over primary outcomes and arms that count")
    inflation = Number(help_text="units that the looks cost, as a multiple of those of one look")
    power_no_material_effect = Number(help_text="chance to conclude that no effect matters, if there is none")
    units_saved = Number(allow_null=True, help_text="that the adjustment takes off; null without one")
    days_saved = Number(allow_null=True, help_text="of enrolment, likewise")
    power_to_ship = Number(allow_null=True, help_text="least chance to ship a true success; null without guardrails")
