"""AHA moments, studies and findings in the management API. OpenAPI: docs/openapi.yaml."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from aha.models import AhaMoment, Finding, Study
from aha.study.question import FIELD_OF, RULES, Inputs
from events.catalogue.references import taken_line
from events.metrics import LONGEST_LINE
from events.upkeep.tags_and_owners import OWNERS
from events.upkeep.thing_verbs import ThingActions, ThingFilter, UpkeepFields
from runs.perform import request_cancel
from runs.web import person


class FindingSerializer(serializers.ModelSerializer[Finding]):
    """Effects and (co)variances of one arm of a finished experiment: its evidence about a behaviour."""

    origin = serializers.CharField(
        read_only=True, help_text="source: experiment (run on this site) or file (analysed elsewhere)"
    )

    class Meta:
        model = Finding
        exclude = ["created_by"]
        read_only_fields = [field.name for field in Finding._meta.fields]


class PoolSerializer(serializers.Serializer[Any]):
    """The behaviour to pool, and its definition; by default the definition that most experiments share."""

    behaviour = serializers.CharField(max_length=400, help_text="EVENT, EVENT[prop=value] or EVENT#prop")
    times = serializers.IntegerField(min_value=1, required=False, help_text="minimum number of times")
    days = serializers.IntegerField(
        min_value=1, required=False, help_text="number of days within which the behaviour counts"
    )
    outcome = serializers.CharField(
        max_length=LONGEST_LINE, required=False, help_text="outcome definition (SPEC), for example window:14-20"
    )


class FindingViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Finding]):
    """Findings: what each arm of a finished experiment measured about a behaviour. `pool` combines them."""

    queryset = Finding.objects.order_by("-id")
    serializer_class = FindingSerializer
    filterset_fields = ["origin", "behaviour", "outcome"]

    def get_queryset(self) -> QuerySet[Finding]:
        """Findings, without joining the user who imported them."""
        return super().get_queryset().defer("created_by")

    @extend_schema(parameters=[PoolSerializer], responses={200: OpenApiTypes.OBJECT}, filters=False)
    @action(detail=False, pagination_class=None)
    def pool(self, request: Request) -> Response:
        """Effect of a behaviour pooled over all finished experiments, as `python manage.py pool --json` prints it."""
        from aha.evidence.store_findings import pool_behaviour
        from aha.report.past import document

        serializer = PoolSerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        return Response(document(pool_behaviour(**serializer.validated_data)))


class InputsSerializer(serializers.Serializer[Inputs]):
    """The inputs of a study, as `manage.py discover` takes them."""

    signup_event = serializers.CharField(
        max_length=256, help_text="event that starts a user's clock; * for the user's first event of any kind"
    )
    days = serializers.ListField(
        child=serializers.IntegerField(min_value=1),
        min_length=1,
        help_text="window lengths in days within which behaviours are counted, for example [1, 3, 7]",
    )
    retention = serializers.CharField(
        max_length=400, help_text="definition of retention: a SPEC such as window:14-20, or metric:KEY"
    )
    behaviours = serializers.ListField(
        child=serializers.CharField(max_length=400),
        default=list,
        help_text="behaviours to test: EVENT, EVENT[property=value] or EVENT#property; empty for all events of the log",
    )
    max_times = serializers.IntegerField(
        min_value=1, allow_null=True, default=None, help_text="largest number of times to test"
    )
    segment = serializers.SlugField(
        allow_null=True, default=None, help_text="key of the segment to study; null for all users"
    )
    level = serializers.CharField(
        max_length=200,
        allow_null=True,
        default=None,
        help_text="only users at this level of activity on the days before retention, for example loyal:mid",
    )
    first_date = serializers.DateField(
        allow_null=True, default=None, help_text="first signup date of the cohort, for example 2026-01-31"
    )
    last_date = serializers.DateField(allow_null=True, default=None, help_text="last signup date of the cohort")
    choose = serializers.ChoiceField(choices=RULES, default="j", help_text="rule by which the threshold is chosen")
    gap = serializers.IntegerField(
        min_value=0, default=0, help_text="days between the behaviour window and the retention window"
    )
    day_mode = serializers.ChoiceField(choices=["rolling", "calendar"], default="rolling")
    inert = serializers.ListField(
        child=serializers.CharField(max_length=400),
        default=list,
        help_text="behaviours that can't affect retention, used as negative controls",
    )

    def to_inputs(self, values: dict[str, Any]) -> Inputs:
        """Convert validated values to `Inputs`."""
        lists = {name: tuple(values[name]) for name in ("behaviours", "inert")}
        dates = {name: values[name] and values[name].isoformat() for name in ("first_date", "last_date")}
        return Inputs(**{**values, **lists, **dates, "days": tuple(sorted(set(values["days"])))})


class NewStudySerializer(serializers.Serializer[Study]):
    title = serializers.CharField(max_length=100, default="", allow_blank=True, help_text="display name")
    seed = serializers.IntegerField(
        min_value=0, max_value=2**63 - 1, default=1, help_text="seed of the random number generator"
    )
    inputs = InputsSerializer()


class StudySerializer(UpkeepFields, serializers.ModelSerializer[Study]):
    """A study: its inputs, status and progress, without its report."""

    # A plain text: every kind of run has a status, and their enumerations would clash in one schema name.
    status = serializers.CharField(read_only=True, help_text="queued, running, done, failed or cancelled")
    reason = serializers.CharField(source="reason_in_words", read_only=True)

    class Meta:
        model = Study
        fields = [
            "id",
            "title",
            "status",
            "stage",
            "share",
            "reason",
            "seed",
            "inputs",
            "as_of",
            "erased_units",
            "created_at",
            "started_at",
            "finished_at",
            "tags",
            "owner",
            "archived_at",
        ]
        read_only_fields = fields


class StudyDetailSerializer(StudySerializer):
    """A study with its report."""

    report = serializers.SerializerMethodField(help_text="null until the study is done")

    class Meta(StudySerializer.Meta):
        fields = [*StudySerializer.Meta.fields, "report", "versions"]
        read_only_fields = fields

    @extend_schema_field(serializers.JSONField(allow_null=True))
    def get_report(self, study: Study) -> Any:
        """The stored report; each missing number is ``{"not_computable": reason}``. An unreadable one says so."""
        from aha.study.payload_versions import STUDY

        return None if study.payload is None else STUDY.outward(study.payload)


class PromoteSerializer(serializers.Serializer[AhaMoment]):
    behaviour = serializers.CharField(max_length=400)
    times = serializers.IntegerField(min_value=1)
    days = serializers.IntegerField(min_value=1)
    name = serializers.CharField(max_length=120, default="", allow_blank=True)


class AhaMomentSerializer(UpkeepFields, serializers.ModelSerializer[AhaMoment]):
    """An AHA moment: its definition, status and frozen evidence, and what an experiment found."""

    status = serializers.CharField(read_only=True, help_text="candidate, testing, confirmed, refuted or inconclusive")
    intact = serializers.SerializerMethodField(help_text="whether the evidence is unchanged since promotion")

    class Meta:
        model = AhaMoment
        fields = [
            "key",
            "name",
            "behaviour",
            "times",
            "days",
            "signup_event",
            "retention",
            "status",
            "study",
            "evidence",
            "evidence_hash",
            "intact",
            "finding",
            "note",
            "created_at",
            "tags",
            "owner",
            "archived_at",
        ]
        read_only_fields = fields

    def get_intact(self, moment: AhaMoment) -> bool:
        """True when nobody changed the evidence."""
        from aha.moments import promote as moments

        return moments.is_intact(moment)

    def to_representation(self, instance: AhaMoment) -> dict[str, Any]:
        """Replace missing numbers of the evidence by their reasons in words."""
        from aha.study.payload_versions import EVIDENCE, FINDING

        representation = super().to_representation(instance)
        for name, schema in (("evidence", EVIDENCE), ("finding", FINDING)):
            if representation[name]:
                representation[name] = schema.outward(representation[name])
        return representation


class StudyFilter(ThingFilter):
    """Filter by status, besides the default filters."""

    class Meta:
        model = Study
        fields: ClassVar = ["status"]


class MomentFilter(ThingFilter):
    """Filter by status, besides the default filters."""

    class Meta:
        model = AhaMoment
        fields: ClassVar = ["status"]


@extend_schema_view(
    list=extend_schema(
        description="List studies, newest first, without their reports. A study searches for early behaviours "
        "associated with retention."
    ),
    retrieve=extend_schema(
        description="Retrieve a study with its full report, which can be large. The report ranks correlations. A "
        'number that can\'t be computed is {"not_computable": reason}.'
    ),
)
class StudyViewSet(ThingActions, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Study]):
    """Studies: searches for AHA moments."""

    queryset = Study.objects.order_by("-id")
    serializer_class = StudySerializer
    filterset_class = StudyFilter
    pointers: ClassVar = {"seed": "/seed", **{option: f"/inputs/{name}" for option, name in FIELD_OF.items()}}

    def get_queryset(self) -> QuerySet[Study]:
        """Load the result, which is large, only for a single study."""
        whole = self.action in ("retrieve", "promote")
        rows = super().get_queryset() if whole else Study.objects.light().order_by("-id")
        return rows.select_related(*OWNERS).prefetch_related("tags")

    def get_serializer_class(self) -> type[StudySerializer]:
        return StudyDetailSerializer if self.action == "retrieve" else StudySerializer

    @extend_schema(request=NewStudySerializer, responses={202: StudySerializer})
    def create(self, request: Request) -> Response:
        """Start a study; workers compute it."""
        from aha.study import studies

        serializer = NewStudySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        retention, metric = taken_line(values["inputs"]["retention"])
        inputs = InputsSerializer().to_inputs({**values["inputs"], "retention": retention})
        study = studies.start_study(
            inputs=inputs, title=values["title"], seed=values["seed"], by=person(request), metric=metric
        )
        return Response(StudySerializer(study).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={202: StudySerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a study that hasn't ended: a queued one at once, a running one at its next step."""
        study = self.get_object()
        request_cancel(study)
        study.refresh_from_db()
        return Response(StudySerializer(study).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=PromoteSerializer, responses={201: AhaMomentSerializer})
    @action(detail=True, methods=["post"])
    def promote(self, request: Request, pk: str) -> Response:
        """Promote a candidate of a study to an AHA moment, with its evidence frozen."""
        from aha.moments import promote as moments

        serializer = PromoteSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        moment = moments.promote_candidate(study=self.get_object(), by=person(request), **serializer.validated_data)
        return Response(AhaMomentSerializer(moment).data, status=status.HTTP_201_CREATED)


@extend_schema_view(
    list=extend_schema(
        description="List AHA moments: candidates promoted from studies, with the status of their test by experiment."
    ),
    retrieve=extend_schema(
        description="Retrieve an AHA moment with the evidence frozen at its promotion and the finding of a finished "
        "experiment."
    ),
)
class AhaMomentViewSet(ThingActions, viewsets.ReadOnlyModelViewSet[AhaMoment]):
    """AHA moments: claims with their frozen evidence, and what experiments found."""

    queryset = AhaMoment.objects.select_related(*OWNERS).prefetch_related("tags").order_by("key")
    serializer_class = AhaMomentSerializer
    lookup_field = "key"
    filterset_class = MomentFilter
