"""Serializers of the management API. Rules are in the plan and the services."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from aha.models import AhaMoment
from events.metrics import LONGEST_LINE
from events.upkeep.thing_verbs import UpkeepFields
from experiments.models import Amendment, Assignment, AudienceRow, Experiment, Holdout, Layer, Override, Variant
from experiments.plan.catalogue_metrics import chosen_of
from experiments.plan.fields import ExperimentKind, Kind, Origin, Part, PlanField, in_parts
from experiments.plan.lab import HALF, LONGEST_KEY, USUAL_TAKE_UP
from experiments.plan.record import AMENDABLE, FIELDS, FROZEN, MOST_NUDGES, MOST_OTHERS, WHOLE
from runs.web import person

# Helpers shared by the endpoints of experiments: validated bodies, pagination, the caller.


class Newest(CursorPagination):
    """Pagination by cursor, the newest first, for lists that grow."""

    ordering = "-id"
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1_000


def asked[S: serializers.BaseSerializer[Any]](kind: type[S], request: Request) -> dict[str, Any]:
    """The validated values of a body."""
    shape = kind(data=request.data)
    shape.is_valid(raise_exception=True)
    return dict(shape.validated_data)


def account(request: Request) -> User | None:
    """Who writes a plan or answers its review: the person, or the account that made the key.

    Otherwise a person could write a plan with their own key, and approve it themselves.
    """
    if (user := person(request)) is not None:
        return user
    made_by = getattr(getattr(request._request, "caller", None), "made_by", None)
    return None if made_by is None else User.objects.filter(pk=made_by).first()


def may_peek(request: Request) -> bool:
    """Whether this caller may read peeks: people by their permissions, keys by the scope `outcomes:peek`."""
    caller = getattr(request._request, "caller", None)
    return caller is None or caller.may("outcomes:peek")


def agent(request: Request) -> str:
    """Name of the agent that calls the agents' API; "" for people and programs."""
    return str(getattr(request._request, "agent", ""))


Row = dict[str, Any]
REASON = {"type": "object", "required": ["not_computable"], "properties": {"not_computable": {"type": "string"}}}


def steps(least: int = 0, **options: Any) -> serializers.IntegerField:
    """A share in steps of 0.01 %. Limits are stated here, since a model's own depend on the database."""
    return serializers.IntegerField(
        min_value=least, max_value=WHOLE, help_text="in hundredths of a percent: 10000 is 100%", **options
    )


class VariantSerializer(serializers.ModelSerializer[Variant]):
    """One arm; the first of the list is the control."""

    weight = steps(1)
    dose = serializers.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        allow_null=True,
        required=False,
        help_text="number of times that this arm nudges to",
    )

    class Meta:
        model = Variant
        fields = ["key", "name", "value", "weight", "role", "dose"]
        validators: list[Any] = []


class AudienceRowSerializer(serializers.ModelSerializer[AudienceRow]):
    """Which users can enter, by segment. A row without a segment matches everyone; the first matching row decides."""

    coverage = steps(default=WHOLE)
    weights = serializers.ListField(child=steps(1), allow_null=True, default=None, max_length=100)

    class Meta:
        model = AudienceRow
        fields = ["segment_key", "rule", "coverage", "weights"]
        read_only_fields = ["rule"]
        validators: list[Any] = []


class GuardrailRuleSerializer(serializers.Serializer[Row]):
    """The condition that a guardrail has to meet before a variant is shipped."""

    direction = serializers.ChoiceField(choices=["higher", "lower"], help_text="direction of improvement")
    margin = serializers.FloatField(
        help_text="non-inferiority margin: a loss of at least this size is harm; above 0, 0.01 is one percentage point"
    )


class OtherBehaviourSerializer(serializers.Serializer[Row]):
    """A behaviour that the nudge may move beside the one under test."""

    behaviour = serializers.CharField(max_length=LONGEST_LINE, help_text="behaviour, such as chat")
    times = serializers.IntegerField(min_value=1, default=1, help_text="counts as done from this many times on")
    low = serializers.FloatField(
        max_value=0, default=0.0, help_text="smallest effect it may have on the first outcome of those who do it"
    )
    high = serializers.FloatField(min_value=0, help_text="largest effect it may have; 0.01 is one percentage point")
    origin = serializers.ChoiceField(
        choices=[str(origin) for origin in Origin],
        default=str(Origin.PERSON),
        help_text="where the limits come from: experiments on it, the gap of a study, that of earlier users, a person",
    )
    consequence = serializers.CharField(
        max_length=500,
        default="",
        allow_blank=True,
        help_text="why the behaviour under test leads to it, so that it is part of how that works; empty otherwise",
    )


@extend_schema_field({"type": "string", "pattern": "^(test|lab)$"})
class ExperimentKindField(serializers.ChoiceField):
    """A choice without an enum of its own, which would clash with those of other kinds in the schema."""


class NudgeSerializer(serializers.Serializer[Row]):
    """A nudge of a lab, drawn by itself for every user."""

    key = serializers.CharField(
        max_length=LONGEST_KEY, help_text="key: its flag is FLAG.KEY, which is true or false; letters, digits, - and _"
    )
    share = steps(default=HALF)
    behaviour = serializers.CharField(max_length=LONGEST_LINE, help_text="behaviour that it leads to, such as chat")
    times = serializers.IntegerField(min_value=1, default=1, help_text="counts as done from this many times on")
    take_up = serializers.FloatField(
        min_value=0, max_value=1, default=USUAL_TAKE_UP, help_text="expected share of users moved to that behaviour"
    )
    spill = serializers.FloatField(
        min_value=0, max_value=1, default=0.0, help_text="expected share of users moved to each other behaviour"
    )
    name = serializers.CharField(max_length=100, default="", allow_blank=True, help_text="display name")
    words = serializers.CharField(max_length=500, default="", allow_blank=True, help_text="what users see")


class ChosenMetricSerializer(serializers.Serializer[Any]):
    """An outcome taken from the metric catalogue."""

    definition = serializers.CharField(help_text="definition stored in the plan")
    key = serializers.CharField()
    version = serializers.IntegerField(help_text="version stored in the plan")
    newest = serializers.IntegerField(help_text="newest version of the metric")
    status = serializers.CharField(help_text="current status of the metric: draft, certified or deprecated")


class ResultOnField(serializers.Serializer[Any]):
    """Adds the date of the result to the planned end."""

    result_on = serializers.SerializerMethodField(
        help_text="day on which every outcome is known: end of enrolment (today if overdue) plus outcome window and "
        "lateness"
    )

    @extend_schema_field({"type": "string", "format": "date", "nullable": True})
    def get_result_on(self, row: Experiment) -> date | None:
        """The same date as on every page."""
        from experiments.status import overview  # needs scipy, which a web worker must not load at its start

        return overview.until(row).result


def listed(child: serializers.Field[Any, Any, Any, Any], most: int, field: PlanField) -> serializers.ListField:
    """A list of the plan."""
    return serializers.ListField(child=child, max_length=most, required=False, help_text=field.api)


# Fields whose column is JSON, by their kind.
SHAPES: dict[Kind, Callable[[PlanField], serializers.Field[Any, Any, Any, Any]]] = {
    Kind.METRICS: lambda one: listed(
        serializers.CharField(max_length=LONGEST_LINE),
        50,
        replace(one, api=f"{one.api}: each a SPEC such as window:14-20, or metric:KEY of the catalogue"),
    ),
    Kind.RULES: lambda one: serializers.DictField(child=GuardrailRuleSerializer(), required=False, help_text=one.api),
    Kind.LOOKS: lambda one: listed(serializers.FloatField(min_value=0, max_value=1), 20, one),
    Kind.NAMES: lambda one: listed(serializers.CharField(max_length=100), 10, one),
    Kind.SOURCES: lambda one: listed(serializers.IntegerField(min_value=1), 100, one),
    Kind.SATURATIONS: lambda one: listed(serializers.ListField(child=steps(), min_length=2, max_length=2), 10, one),
    Kind.OTHERS: lambda one: listed(OtherBehaviourSerializer(), MOST_OTHERS, one),
    Kind.NUDGES: lambda one: listed(NudgeSerializer(), MOST_NUDGES, one),
}


def options_of(field: PlanField) -> dict[str, Any]:
    """Help and limits of a field made from its column, whose own limits depend on the database."""
    options: dict[str, Any] = {"min_value": field.least, "max_value": field.most} if field.least is not None else {}
    if options or field.optional:  # as in 0.3, whose OpenAPI has no title there
        options["label"] = field.name.replace("_", " ").capitalize()
    if field.api:
        options["help_text"] = field.api
    return options | ({"required": False} if field.filled else {})


class PlanSerializer(serializers.ModelSerializer[Experiment]):
    """The plan's fields, made from their table."""

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        """A list or object as its kind says; else as the column does."""
        field = FIELDS.get(field_name)
        if field is None or field.kind not in SHAPES:
            return super().build_standard_field(field_name, model_field)
        return SHAPES[field.kind], {"one": field}

    def include_extra_kwargs(self, kwargs: Any, extra_kwargs: Any) -> Any:
        """A field made by its kind has all its options."""
        return kwargs if "one" in kwargs else super().include_extra_kwargs(kwargs, extra_kwargs)


class ExperimentSerializer(ResultOnField, UpkeepFields, PlanSerializer):
    """An experiment with its arms and its audience."""

    variants = VariantSerializer(
        many=True,
        required=False,
        max_length=100,  # type: ignore[call-arg]
        help_text="arms, control first; weights sum to 10000; roles require an AHA moment; required for a test, and "
        "made of the nudges for a lab",
    )
    audience = AudienceRowSerializer(
        many=True,
        required=False,
        max_length=100,  # type: ignore[call-arg]
        help_text="rows by segment; the first matching row decides; empty for all users",
    )
    moment = serializers.SlugRelatedField(
        slug_field="key",
        queryset=AhaMoment.objects.all(),
        allow_null=True,
        required=False,
        help_text="key of the AHA moment that the experiment tests",
    )
    layer = serializers.SlugRelatedField(
        slug_field="key", queryset=Layer.objects.all(), allow_null=True, required=False
    )
    holdout = serializers.SlugRelatedField(
        slug_field="key", queryset=Holdout.objects.all(), allow_null=True, required=False
    )
    day_mode = serializers.ChoiceField(choices=["rolling", "calendar"], required=False)
    kind = ExperimentKindField(
        choices=[str(kind) for kind in ExperimentKind], required=False, help_text=FIELDS["kind"].api
    )
    metrics = serializers.SerializerMethodField(
        help_text="outcomes taken from the metric catalogue, with their versions"
    )
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True, allow_null=True)
    # Plain text: an enum would clash with those of moments' and runs' status in the schema.
    status = serializers.CharField(read_only=True, help_text="draft, running, paused, stopped, concluded or archived")

    class Meta:
        model = Experiment
        fields = [
            *in_parts(FIELDS, Part.QUESTION, Part.CLAIM, Part.VALUES),
            "variants",
            "audience",
            *in_parts(FIELDS, Part.OUTCOMES),
            "metrics",
            *in_parts(FIELDS, Part.DECISION, Part.LOOKS, Part.SIZE),
            "result_on",
            *in_parts(FIELDS, Part.EXPECTED, Part.DATA, Part.AUDIENCE, Part.CLUSTERS),
            "status",
            "version",
            "seed",
            "created_by",
            "drafted_by_agent",
            "tags",
            "owner",
            "created_at",
            "started_at",
            "enrolment_closed_at",
            "stopped_at",
            "concluded_at",
        ]
        read_only_fields = [
            "version",
            "seed",
            "drafted_by_agent",
            "created_at",
            "started_at",
            "enrolment_closed_at",
            "stopped_at",
            "concluded_at",
        ]
        validators: list[Any] = []
        extra_kwargs = {name: options_of(field) for name, field in FIELDS.items()}

    def validate(self, attrs: Any) -> Any:
        """A test needs its arms; those of a lab are made of its nudges."""
        if not self.partial and "variants" not in attrs and attrs.get("kind") != ExperimentKind.LAB:
            raise serializers.ValidationError({"variants": self.error_messages["required"]}, code="required")
        return attrs

    @extend_schema_field(ChosenMetricSerializer(many=True))
    def get_metrics(self, row: Experiment) -> list[Row]:
        """Definition in the plan, and its source in the catalogue."""
        return [
            {
                "definition": definition,
                "key": version.metric.key,
                "version": version.number,
                "newest": version.metric.version,
                "status": version.metric.status,
            }
            for definition, version in chosen_of(row).items()
        ]


class DraftSerializer(ExperimentSerializer):
    """Changes of a draft: omitted fields keep their values; a list replaces the whole list."""

    key = serializers.CharField(read_only=True)


class ListedExperimentSerializer(ResultOnField, UpkeepFields, serializers.ModelSerializer[Experiment]):
    """An experiment in a list: without the details of its plan."""

    moment = serializers.SlugRelatedField[AhaMoment](slug_field="key", read_only=True, allow_null=True)
    status = serializers.CharField(read_only=True)

    class Meta:
        model = Experiment
        fields = [
            "key",
            "flag_key",
            "name",
            "status",
            "version",
            "moment",
            "tags",
            "owner",
            "created_at",
            "started_at",
            "stopped_at",
            "planned_end",
            "result_on",
        ]
        read_only_fields = fields


class WhySerializer(serializers.Serializer[Row]):
    why = serializers.CharField(
        default="", allow_blank=True, max_length=2_000, help_text="reason, stored in the history"
    )


class StartSerializer(WhySerializer):
    without_review = serializers.BooleanField(
        default=False,
        help_text="start without the required review in an emergency; administrators only, with a reason; shown on "
        "the report",
    )


class AmendableSerializer(ExperimentSerializer):
    """The fields of a started plan that may be changed."""

    class Meta(ExperimentSerializer.Meta):
        fields = list(AMENDABLE)
        read_only_fields: list[str] = []


class AmendSerializer(serializers.Serializer[Row]):
    why = serializers.CharField(max_length=2_000)
    changes = AmendableSerializer(partial=True)


class RaiseCoverageSerializer(serializers.Serializer[Row]):
    why = serializers.CharField(max_length=2_000)
    position = serializers.IntegerField(
        min_value=0, max_value=100, help_text="index of the row in the audience, from 0"
    )
    coverage = steps()


class CloneSerializer(serializers.Serializer[Row]):
    key = serializers.CharField(
        max_length=128, allow_null=True, default=None, help_text="key of the new experiment; null to generate one"
    )


class FromMomentSerializer(serializers.Serializer[Row]):
    take_up = serializers.FloatField(
        min_value=0,
        max_value=1,
        allow_null=True,
        default=None,
        help_text="expected take-up: share of users that the nudge moves to the behaviour",
    )


class AmendmentSerializer(serializers.ModelSerializer[Amendment]):
    by = serializers.CharField(source="by.username", default=None, read_only=True, allow_null=True)

    class Meta:
        model = Amendment
        fields = ["id", "at", "by", "why", "changes"]
        read_only_fields = fields


class OverrideSerializer(serializers.ModelSerializer[Override]):
    """An arm set by hand for one unit, or for callers whose context matches a rule."""

    variant = serializers.CharField(source="variant.key", max_length=128)

    class Meta:
        model = Override
        fields = ["id", "unit", "rule", "variant"]
        validators: list[Any] = []


class AssignmentSerializer(serializers.ModelSerializer[Assignment]):
    variant = serializers.CharField(source="variant.key", read_only=True)
    bucket = serializers.SerializerMethodField()

    class Meta:
        model = Assignment
        fields = ["id", "unit", "variant", "segment_key", "cluster", "bucket", "assigned_at", "exposed_at"]
        read_only_fields = fields

    def get_bucket(self, row: Assignment) -> float:
        """The unit's random draw: at least 0, below 1."""
        return row.bucket / WHOLE


class HistorySerializer(serializers.Serializer[Any]):
    """One version of an experiment: who made it, when and why, and the plan at that time."""

    id = serializers.IntegerField(source="history_id", read_only=True)
    at = serializers.DateTimeField(source="history_date", read_only=True)
    by = serializers.CharField(source="history_user.username", default=None, read_only=True, allow_null=True)
    why = serializers.CharField(source="history_change_reason", read_only=True, allow_null=True)
    status = serializers.CharField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    plan = serializers.SerializerMethodField()

    @extend_schema_field({"type": "object", "additionalProperties": {}})
    def get_plan(self, row: Any) -> Row:
        """Every field of the plan; related rows by their id."""
        return {name: getattr(row, name) for name in (*FROZEN, *AMENDABLE)}
