"""Serializers of holdout reports and overlaps."""

from rest_framework import serializers

from experiments.analyse.holdout_report.holdout_question import MOST_READINGS
from experiments.api.analysis_serializers import DocumentField
from experiments.api.serializers import MAX_UNITS
from experiments.models import HoldoutPlan, HoldoutReading, OverlapReport

RUN = ["id", "status", "stage", "share", "as_of", "reason", "created_at", "finished_at"]


class HoldoutPlanSerializer(serializers.ModelSerializer[HoldoutPlan]):
    holdout = serializers.CharField(source="holdout.key", read_only=True)
    readings = serializers.ListField(child=serializers.DateField(), read_only=True)
    method = serializers.CharField(read_only=True)
    day_mode = serializers.CharField(read_only=True)

    class Meta:
        model = HoldoutPlan
        fields = [
            "id", "holdout", "since", "population", "signup_event", "outcome", "day_mode", "alpha", "method",
            "spending", "readings", "planned_units", "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class NewHoldoutPlanSerializer(serializers.ModelSerializer[HoldoutPlan]):
    """`readings`: dates on which the outcome may be read, in ascending order; the last one is the end. `method`:
    `fixed`, `group_sequential` or `always_valid`. `day_mode`: `rolling` or `calendar`.
    """

    holdout = serializers.CharField(max_length=64)
    readings = serializers.ListField(child=serializers.DateField(), max_length=MOST_READINGS)
    method = serializers.CharField(max_length=20, default="fixed")
    day_mode = serializers.CharField(max_length=10, default="rolling")
    planned_units = serializers.IntegerField(min_value=1, max_value=MAX_UNITS, allow_null=True, required=False)

    class Meta:
        model = HoldoutPlan
        fields = [
            "holdout", "since", "population", "signup_event", "outcome", "day_mode", "alpha", "method", "spending",
            "readings", "planned_units",
        ]  # fmt: skip


class HoldoutReadingSerializer(serializers.ModelSerializer[HoldoutReading]):
    reason = serializers.CharField(source="reason_in_words", read_only=True)

    class Meta:
        model = HoldoutReading
        fields = [*RUN, "opened", "read_on", "final", "broken"]
        read_only_fields = fields


class WholeHoldoutReadingSerializer(HoldoutReadingSerializer):
    """One reading with its document: alarms and result first, then every number."""

    document = DocumentField(read_only=True)

    class Meta(HoldoutReadingSerializer.Meta):
        fields = [*HoldoutReadingSerializer.Meta.fields, "document"]
        read_only_fields = fields


class OverlapSerializer(serializers.ModelSerializer[OverlapReport]):
    reason = serializers.CharField(source="reason_in_words", read_only=True)

    class Meta:
        model = OverlapReport
        fields = [*RUN, "alarms"]
        read_only_fields = fields


class WholeOverlapSerializer(OverlapSerializer):
    """One overlap report with its document: pairs of experiments, their users by arm, and problems found."""

    document = DocumentField(read_only=True)

    class Meta(OverlapSerializer.Meta):
        fields = [*OverlapSerializer.Meta.fields, "document"]
        read_only_fields = fields
