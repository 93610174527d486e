"""Serializers of the management API. Rules are in the plan and the services."""

from datetime import date
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from aha.models import AhaMoment
from events.metrics.line import LONGEST_LINE
from events.upkeep.thing_verbs import UpkeepFields
from experiments.metric_choice.taking_over import chosen_of
from experiments.models import Amendment, Assignment, AudienceRow, Experiment, Holdout, Layer, Override, Variant
from experiments.plan.mistakes import MOST_DAYS_BEFORE
from experiments.plan.record import AMENDABLE, FROZEN, WHOLE

Row = dict[str, Any]
MAX_UNITS = 2**31 - 1
REASON = {"type": "object", "required": ["not_computable"], "properties": {"not_computable": {"type": "string"}}}


def steps(least: int = 0, **options: Any) -> serializers.IntegerField:
    """A share in steps of 0.01 %. Limits are stated here, since a model's own depend on the database."""
    return serializers.IntegerField(min_value=least, max_value=WHOLE, help_text="in steps of 0.01%", **options)


def metrics(what: str) -> serializers.ListField:
    """Outcomes in the order of the plan."""
    return serializers.ListField(
        child=serializers.CharField(max_length=LONGEST_LINE),
        max_length=50,
        required=False,
        help_text=f"{what}: each a SPEC such as window:14-20, or metric:KEY of the catalogue",
    )


class VariantSerializer(serializers.ModelSerializer[Variant]):
    """One arm; the first of the list is the control."""

    weight = steps(1)
    dose = serializers.IntegerField(
        min_value=0, max_value=2**31 - 1, allow_null=True, required=False, help_text="nudges to so many times"
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

    direction = serializers.ChoiceField(choices=["higher", "lower"], help_text="which way is better")
    margin = serializers.FloatField(help_text="a loss of this size or more is harm; above 0, 0.01 = one point")


class ChosenMetricSerializer(serializers.Serializer[Any]):
    """An outcome taken from the metric catalogue."""

    definition = serializers.CharField(help_text="as the plan keeps it")
    key = serializers.CharField()
    version = serializers.IntegerField(help_text="that the plan keeps")
    newest = serializers.IntegerField(help_text="version of the metric now")
    status = serializers.CharField(help_text="of the metric now: draft, certified or deprecated")


class ResultOnField(serializers.Serializer[Any]):
    """Adds the date of the result to the planned end."""

    result_on = serializers.SerializerMethodField(
        help_text="when every outcome is known: end of enrolment (today, if it is overdue), outcome window, lateness"
    )

    @extend_schema_field({"type": "string", "format": "date", "nullable": True})
    def get_result_on(self, row: Experiment) -> date | None:
        """The same date as on every page."""
        from experiments.standing import overview  # needs scipy, which a web worker must not load at its start

        return overview.until(row).result


# Meaning of plan fields whose model has only a title.
PLAN_WORDS = {
    "key": "letters, digits, dots, dashes, underscores",
    "hypothesis": "what is expected, and why",
    "nudge": "what the nudge is",
    "alpha": "two-sided error rate",
    "power": "chance to find the planned effect",
    "smallest_effect": "smallest effect of interest, absolute",
    "planned_effect": "effect that the size is computed for, absolute",
    "method": "when the outcome may be read",
    "expected_take_up": "share of units whom the nudge moves, 0 to 1",
    "signup_event": "what starts a unit's clock; * for any event",
    "enrolment": "who may enter",
}


class ExperimentSerializer(ResultOnField, UpkeepFields, serializers.ModelSerializer[Experiment]):
    """An experiment with its arms and its audience."""

    flag_key = serializers.CharField(max_length=128, required=False, help_text="the key itself unless given")
    name = serializers.CharField(max_length=200, required=False, help_text="as pages show it")
    variants = VariantSerializer(
        many=True,
        max_length=100,  # type: ignore[call-arg]
        help_text="arms, the control first; weights together 10000; roles where there is a moment",
    )
    audience = AudienceRowSerializer(
        many=True,
        required=False,
        max_length=100,  # type: ignore[call-arg]
        help_text="rows by segment, of which the first that matches decides; none for everyone",
    )
    moment = serializers.SlugRelatedField(
        slug_field="key",
        queryset=AhaMoment.objects.all(),
        allow_null=True,
        required=False,
        help_text="key of the AHA moment that it tests",
    )
    layer = serializers.SlugRelatedField(
        slug_field="key", queryset=Layer.objects.all(), allow_null=True, required=False
    )
    holdout = serializers.SlugRelatedField(
        slug_field="key", queryset=Holdout.objects.all(), allow_null=True, required=False
    )
    primary_metrics = metrics("one or two outcomes that decide")
    secondary_metrics, guardrail_metrics = metrics("further outcomes"), metrics("what must not get worse")
    guardrail_rules = serializers.DictField(
        child=GuardrailRuleSerializer(), required=False, help_text="by guardrail, a SPEC of guardrail_metrics"
    )
    looks = serializers.ListField(
        child=serializers.FloatField(min_value=0, max_value=1),
        max_length=20,
        required=False,
        help_text="of planned looks: rising shares of the planned units, the last one 1; empty for five equal ones",
    )
    covariates = serializers.ListField(
        child=serializers.CharField(max_length=100),
        max_length=10,
        required=False,
        help_text="properties of the signup event, known before assignment",
    )
    primary = serializers.ChoiceField(
        choices=Experiment.Primary.choices,
        required=False,
        help_text="the comparison that decides; lin adjusts for the covariates, lin_predicted for what they predict",
    )
    active_days_before = serializers.IntegerField(
        min_value=0,
        max_value=MOST_DAYS_BEFORE,
        required=False,
        help_text="above 0, active days within so many days before the exposure are a covariate",
    )
    day_mode = serializers.ChoiceField(choices=["rolling", "calendar"], required=False)
    churn_gap = serializers.IntegerField(min_value=1, max_value=365, required=False, help_text="in days")
    sources = serializers.ListField(
        child=serializers.IntegerField(min_value=1),
        max_length=100,
        required=False,
        help_text="numbers of the sources whose client keys report exposures; a start without any takes the only one",
    )
    saturations = serializers.ListField(
        child=serializers.ListField(child=steps(), min_length=2, max_length=2),
        max_length=10,
        required=False,
        help_text="share of a cluster that is nudged, and share of clusters with it; rising from 0, steps of 0.01%",
    )
    planned_units = serializers.IntegerField(
        min_value=1, max_value=MAX_UNITS, allow_null=True, required=False, help_text="units of all arms together"
    )
    planned_end = serializers.DateField(allow_null=True, required=False, help_text="the last day of enrolment")
    expected_daily_units = serializers.IntegerField(
        min_value=1,
        max_value=MAX_UNITS,
        allow_null=True,
        required=False,
        help_text="new users a day to plan by; null for those of the last four weeks",
    )
    expected_base = serializers.FloatField(
        min_value=0,
        max_value=1,
        allow_null=True,
        required=False,
        help_text="share without the nudge to plan by; null for that of the last four weeks, else of the study",
    )
    layer_low, layer_high = steps(required=False), steps(required=False)
    metrics = serializers.SerializerMethodField(help_text="outcomes that come from the catalogue, with their version")
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True, allow_null=True)
    # Plain text: an enum would clash with those of moments' and runs' status in the schema.
    status = serializers.CharField(read_only=True, help_text="draft, running, paused, stopped, concluded or archived")

    class Meta:
        model = Experiment
        fields = [
            "key",
            "flag_key",
            "name",
            "hypothesis",
            "moment",
            "nudge",
            "value_type",
            "default_value",
            "variants",
            "audience",
            "primary_metrics",
            "secondary_metrics",
            "guardrail_metrics",
            "guardrail_rules",
            "metrics",
            "otherwise",
            "alpha",
            "power",
            "smallest_effect",
            "planned_effect",
            "method",
            "looks",
            "spending",
            "expected_take_up",
            "planned_units",
            "planned_end",
            "result_on",
            "expected_daily_units",
            "expected_base",
            "covariates",
            "primary",
            "active_days_before",
            "signup_event",
            "clock",
            "day_mode",
            "churn_gap",
            "enrolment",
            "layer",
            "layer_low",
            "layer_high",
            "holdout",
            "remote_only",
            "sources",
            "cluster",
            "saturations",
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
        extra_kwargs = {name: {"help_text": text} for name, text in PLAN_WORDS.items()}

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
    why = serializers.CharField(default="", allow_blank=True, max_length=2_000, help_text="kept in the history")


class StartSerializer(WhySerializer):
    without_review = serializers.BooleanField(
        default=False, help_text="in an emergency: a signed-in administrator, who says why; the report shows it"
    )


class AmendableSerializer(ExperimentSerializer):
    """The fields of a started plan that may be changed."""

    class Meta(ExperimentSerializer.Meta):
        fields = list(AMENDABLE)
        read_only_fields: list[str] = []

    # Fields declared above must be listed in `fields`, so the others are removed.
    flag_key = variants = audience = moment = layer = holdout = layer_low = layer_high = None  # type: ignore[assignment]
    created_by = status = saturations = None  # type: ignore[assignment]


class AmendSerializer(serializers.Serializer[Row]):
    why = serializers.CharField(max_length=2_000)
    changes = AmendableSerializer(partial=True)


class RaiseCoverageSerializer(serializers.Serializer[Row]):
    why = serializers.CharField(max_length=2_000)
    position = serializers.IntegerField(min_value=0, max_value=100, help_text="of the row in the audience, from 0")
    coverage = steps()


class CloneSerializer(serializers.Serializer[Row]):
    key = serializers.CharField(max_length=128, allow_null=True, default=None, help_text="null: a free one")


class FromMomentSerializer(serializers.Serializer[Row]):
    take_up = serializers.FloatField(
        min_value=0, max_value=1, allow_null=True, default=None, help_text="share of users whom the nudge moves"
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
