"""Serializers for the power of placebo and dose arms."""

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from experiments.api.serializers import Row
from experiments.api.sizing_serializers import Number, SuggestionSerializer


class PlaceboArmSerializer(serializers.Serializer[Row]):
    planned = serializers.BooleanField(help_text="it is in the plan; otherwise one as large as control is proposed")
    units = Number(help_text="of the placebo")
    shown = Number(help_text="chance that it is shown to leave the behaviour alone, if it does")
    needed = Number(help_text="units of it and of control, each, for which this chance is the plan's power")


class DoseArmsSerializer(serializers.Serializer[Row]):
    planned = serializers.BooleanField(
        help_text="they are in the plan; otherwise arms as large as control are proposed"
    )
    targets = serializers.ListField(child=serializers.IntegerField(), help_text="acts that each arm nudges to")
    units = Number(help_text="of these arms and what they are compared with, together")
    tells_step = Number(help_text="chance of the answer 'step' if it takes the moment's number")
    tells_dose = Number(help_text="chance of the answer 'dose' if each act counts")
    rejects_dose = Number(help_text="power of J against 'each act counts'")
    rejects_step = Number(help_text="power of J against 'it takes the number'")
    needed = Number(help_text="units, together, that give either answer with the plan's power")


class ArmsPowerSerializer(serializers.Serializer[Row]):
    """Power of placebo and dose arms, planned or proposed."""

    placebo, doses = PlaceboArmSerializer(), DoseArmsSerializer()


@extend_schema_serializer(component_name="Suggestion")
class SuggestionWithArmsSerializer(SuggestionSerializer):
    """A suggested size for the plan, and the power of its arms. Requesting it changes nothing."""

    arms = ArmsPowerSerializer(allow_null=True, help_text="null for a plan without an AHA moment")
