"""Launches in the management API. OpenAPI: docs/openapi.yaml."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from events.metrics import LONGEST_LINE
from launches.answers import DAYS_AFTER, LONGEST, LONGEST_DELAY, Answers
from launches.models import Launch, LaunchReading
from reporting.document import load
from runs.payloads import Unreadable
from runs.web import person


class LaunchSerializer(serializers.ModelSerializer[Launch]):
    """A launch: six answers, registered before its curve is read; they never change."""

    key = serializers.SlugField(
        max_length=80, required=False, validators=[], help_text="made of the title when omitted"
    )
    decision = serializers.CharField(max_length=LONGEST["decision"], help_text="what hangs on it")
    outcome = serializers.CharField(
        max_length=LONGEST_LINE,
        required=False,
        help_text="a metric for new_users, a behaviour for per_active_user; omitted for active_users",
    )
    reached = serializers.ListField(child=serializers.CharField(max_length=200), required=False)
    spared = serializers.ListField(child=serializers.CharField(max_length=200), required=False)
    # Their ranges would otherwise be those of the database's columns, which differ.
    works_after = serializers.IntegerField(min_value=0, max_value=LONGEST_DELAY, required=False)
    days_after = serializers.IntegerField(min_value=DAYS_AFTER[0], max_value=DAYS_AFTER[1], required=False)
    readable_from = serializers.SerializerMethodField(help_text="the first date on which the days after are over")

    class Meta:
        model = Launch
        fields = [
            *("id", "key", "title", "began", "meets", "trait", "reached", "spared", "curve", "outcome"),
            *("signup_event", "better", "works_after", "days_after", "decision", "took_part", "unmoved"),
            *("readable_from", "created_at"),
        ]
        read_only_fields = ["id", "created_at"]

    @extend_schema_field(serializers.DateField())
    def get_readable_from(self, row: Launch) -> str:
        """The first date on which the days after are over."""
        return row.answers.days.readable_from.isoformat()


class LaunchReadingSerializer(serializers.ModelSerializer[LaunchReading]):
    """A reading of a launch's curve. What it suggests is no verdict."""

    status = serializers.CharField(read_only=True, help_text="queued, running, done, failed or cancelled")
    reason = serializers.CharField(source="reason_in_words", read_only=True)
    suggestion = serializers.CharField(
        read_only=True, help_text="SUGGESTS_GAIN, SUGGESTS_LOSS, CANT_TELL or REFUSED; empty until it is done"
    )
    report = serializers.SerializerMethodField(help_text="null until it is done")

    class Meta:
        model = LaunchReading
        fields = ["id", "status", "share", "reason", "suggestion", "as_of", "created_at", "finished_at", "report"]
        read_only_fields = fields

    @extend_schema_field(serializers.JSONField(allow_null=True))
    def get_report(self, reading: LaunchReading) -> Any:
        """The result as `launch --json` prints it."""
        from launches.judge import LAUNCH
        from launches.report import document

        report = LAUNCH.of(reading)
        if isinstance(report, Unreadable):
            return {"unreadable": report.sentence()}
        return None if report is None else document(report)


class LaunchViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Launch]):
    """Launches: what everybody got at a date."""

    queryset = Launch.objects.order_by("-pk")
    serializer_class = LaunchSerializer
    lookup_field = "key"

    @extend_schema(responses={201: LaunchSerializer})
    def create(self, request: Request) -> Response:
        """Register a launch."""
        from launches import readings

        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = dict(given.validated_data)
        key = values.pop("key", "")
        row = readings.register(answers=load(Answers, values), key=key, by=person(request))
        return Response(self.get_serializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={202: LaunchReadingSerializer}, request=None)
    @action(detail=True, methods=["post"])
    def read(self, request: Request, key: str) -> Response:
        """Read the curve; a worker computes it."""
        from launches import readings

        reading = readings.start_reading(launch=self.get_object(), by=person(request))
        return Response(LaunchReadingSerializer(reading).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses=LaunchReadingSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def readings(self, request: Request, key: str) -> Response:
        """The ten newest readings, the newest first."""
        rows = self.get_object().readings.all()[:10]
        return Response(LaunchReadingSerializer(rows, many=True).data)
