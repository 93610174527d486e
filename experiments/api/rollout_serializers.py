"""Serializers of rollouts: rows with steps as input, current state and log as output."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from experiments.api.serializers import steps
from experiments.models import Rollout, RolloutMove
from experiments.serve.rollout.rollout_lifecycle import MOST_ROWS, MOST_STEPS
from experiments.serve.rollout.shipping import said

Row = dict[str, Any]


class StepSerializer(serializers.Serializer[Row]):
    """From `at` on, this share of the units that don't have the arm from the experiment gets it."""

    share = steps(1)
    at = serializers.DateTimeField(allow_null=True, default=None, help_text="left out: now")


class RolloutRowSerializer(serializers.Serializer[Row]):
    """A segment or everyone, with its steps."""

    segment = serializers.CharField(
        max_length=128, allow_null=True, default=None, help_text="key of a segment; null: everyone, and the last row"
    )
    steps = serializers.ListField(child=StepSerializer(), min_length=1, max_length=MOST_STEPS)


class ChangeRolloutSerializer(serializers.Serializer[Row]):
    rows = serializers.ListField(child=RolloutRowSerializer(), min_length=1, max_length=MOST_ROWS)
    why = serializers.CharField(default="", allow_blank=True, max_length=2_000, help_text="kept in the history")


class ShipSerializer(ChangeRolloutSerializer):
    arm = serializers.CharField(max_length=128, help_text="key of the variant")
    why = serializers.CharField(
        default="", allow_blank=True, max_length=2_000, help_text="needed where the decision table does not say ship"
    )


class ShownStepSerializer(serializers.Serializer[Row]):
    share = steps(1)
    at = serializers.DateTimeField()


class ShownRowSerializer(serializers.Serializer[Row]):
    segment = serializers.CharField(allow_null=True)
    share = steps()
    steps = ShownStepSerializer(many=True)


class RolloutStateSerializer(serializers.Serializer[Row]):
    """State of a rollout at one time. `share` is the share at that time, of the units that don't have the arm from the
    experiment.
    """

    state = serializers.ChoiceField(choices=Rollout.State.choices)
    variant = serializers.CharField()
    rows = ShownRowSerializer(many=True)


class RolloutSerializer(serializers.ModelSerializer[Rollout]):
    """A rollout and its current state."""

    experiment = serializers.CharField(source="experiment.key")
    flag = serializers.CharField(source="flag_key")
    now = serializers.SerializerMethodField()

    class Meta:
        model = Rollout
        fields = ["experiment", "flag", "first_at", "held_at", "now"]

    @extend_schema_field(RolloutStateSerializer)
    def get_now(self, row: Rollout) -> dict[str, Any]:
        """What is served now."""
        return said(row, self.context["now"])


class RolloutMoveSerializer(serializers.ModelSerializer[RolloutMove]):
    """One logged change of a rollout: who made it and why, with the state before and after."""

    by = serializers.CharField(source="by.username", default=None, allow_null=True)
    before = RolloutStateSerializer(allow_null=True)
    after = RolloutStateSerializer()

    class Meta:
        model = RolloutMove
        fields = ["at", "by", "key_prefix", "kind", "before", "after", "why"]


class KilledSerializer(serializers.Serializer[Row]):
    stopped = serializers.ChoiceField(
        choices=["experiment", "rollout"], help_text="experiment: it is paused; rollout: it can be resumed"
    )
