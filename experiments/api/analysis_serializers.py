"""Serializers of analyses in the management API."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from experiments.api.serializers import REASON
from experiments.models import Analysis

_SHARES = ("ratio", "low", "high", "level", "tau_squared")
DEFLATION = {
    "type": "object",
    "properties": {**{name: {"type": "number"} for name in _SHARES}, "experiments": {"type": "integer", "minimum": 2}},
    "required": [*_SHARES, "experiments"],
}


class AnalysisSerializer(serializers.ModelSerializer[Analysis]):
    """One analysis: its status, and the code of its verdict."""

    experiment = serializers.CharField(source="experiment.key", read_only=True)
    reason = serializers.CharField(source="reason_in_words", read_only=True)

    class Meta:
        model = Analysis
        fields = [
            "id",
            "experiment",
            "status",
            "verdict",
            "final",
            "peek",
            "seed",
            "as_of",
            "erased_units",
            "reason",
            "created_at",
            "finished_at",
            "versions",
        ]
        read_only_fields = fields


@extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
class DocumentField(serializers.JSONField):
    """The report: verdict, sentences, health, and the whole readout; null while there is none."""


class WholeAnalysisSerializer(AnalysisSerializer):
    """One analysis with its document."""

    document = DocumentField(read_only=True)

    class Meta(AnalysisSerializer.Meta):
        fields = [*AnalysisSerializer.Meta.fields, "document"]
        read_only_fields = fields


class AskSerializer(serializers.Serializer[Any]):
    """Options of a requested analysis."""

    peek = serializers.BooleanField(
        default=False, help_text="read the outcome of a fixed plan before its time; the report says so for good"
    )
    seed = serializers.IntegerField(default=1, min_value=0, max_value=2**63 - 1, help_text="kept with the result")


class TrialSerializer(serializers.Serializer[Any]):
    """Promised effect (from correlations) and found effect of one experiment, as differences of shares."""

    key = serializers.CharField()
    name = serializers.CharField()
    promised = serializers.FloatField()
    promised_error = serializers.FloatField(help_text="0 when it isn't known")
    found = serializers.FloatField(help_text="effect of the behaviour among those whom the nudge moved")
    found_error = serializers.FloatField()
    low = serializers.FloatField(allow_null=True, help_text="Anderson-Rubin set; null where it is unbounded")
    high = serializers.FloatField(allow_null=True)
    verdict = serializers.CharField()
    on = serializers.DateField()


class LeftOutSerializer(serializers.Serializer[Any]):
    """An experiment of an AHA moment whose promised and found effects can't be compared, and why."""

    key = serializers.CharField()
    name = serializers.CharField()
    verdict = serializers.CharField(allow_blank=True)
    why = serializers.CharField(
        help_text="locked, peeked, not_final, no_promise, whole_clusters, not_the_behaviour or other_outcome"
    )


@extend_schema_field({"oneOf": [DEFLATION, REASON]})
class PooledField(serializers.JSONField):
    """Pooled ratio with its limits, level, tau_squared and number of experiments, or why there is none."""


class CalibrationSerializer(serializers.Serializer[Any]):
    """Promised and found effects of all experiments."""

    trials = TrialSerializer(many=True)
    left_out = LeftOutSerializer(many=True)
    pooled = PooledField()
