"""Launches and balances of events in the management API. OpenAPI: docs/openapi.yaml."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from events.metrics import LONGEST_LINE
from launches.answers import DAYS_AFTER, LONGEST, LONGEST_DELAY, Answers
from launches.models import BalanceRun, GrowthForecast, Launch, LaunchReading
from reporting.document import load
from runs.models import Run
from runs.payloads import Unreadable
from runs.web import person

LONGEST_FORECAST, USUAL_WEEKS = 104, 52  # weeks; `launches.growth` refuses others


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


class BalanceSerializer(serializers.ModelSerializer[BalanceRun]):
    """The rules of an event, played over past days."""

    status = serializers.CharField(read_only=True, help_text="queued, running, done, failed or cancelled")
    reason = serializers.CharField(source="reason_in_words", read_only=True)
    rules = serializers.JSONField(source="inputs", read_only=True, help_text="as the command `balance` reads them")

    class Meta:
        model = BalanceRun
        fields = ["id", "title", "status", "share", "reason", "rules", "of", "promised_at", "created_at", "finished_at"]
        read_only_fields = fields


class BalanceDetailSerializer(BalanceSerializer):
    """The same with its result."""

    report = serializers.SerializerMethodField(help_text="null until it is done")

    class Meta(BalanceSerializer.Meta):
        fields = [*BalanceSerializer.Meta.fields, "report"]
        read_only_fields = fields

    @extend_schema_field(serializers.JSONField(allow_null=True))
    def get_report(self, run: BalanceRun) -> Any:
        """The result as `balance --json` prints it."""
        from launches.balance.report import stored_document
        from launches.balance.simulation import BALANCE

        report = BALANCE.of(run)
        if isinstance(report, Unreadable):
            return {"unreadable": report.sentence()}
        return None if report is None else stored_document(report)


class NewBalanceSerializer(serializers.Serializer[BalanceRun]):
    """The rules of an event."""

    rules = serializers.JSONField(
        help_text="title, first, days, rules, steps, segment, response, seed: docs/methods/balance.md"
    )


class BalanceViewSet(viewsets.ReadOnlyModelViewSet[BalanceRun]):
    """Balances of events: what their rules come to, and what happened."""

    queryset = BalanceRun.objects.order_by("-pk")
    serializer_class = BalanceSerializer

    def get_queryset(self) -> QuerySet[BalanceRun]:
        """Load the result, which is large, only for a single balance."""
        return super().get_queryset() if self.action == "retrieve" else BalanceRun.objects.light().order_by("-pk")

    def get_serializer_class(self) -> type[BalanceSerializer]:
        return BalanceDetailSerializer if self.action == "retrieve" else BalanceSerializer

    @extend_schema(request=NewBalanceSerializer, responses={202: BalanceSerializer})
    def create(self, request: Request) -> Response:
        """Play the rules of an event; a worker computes it."""
        from launches.balance import rules, runs

        given = NewBalanceSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        run = runs.start_balance(rules=rules.read(given.validated_data["rules"]), by=person(request))
        return Response(BalanceSerializer(run).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        parameters=[OpenApiParameter("points", str, required=True, description="one number a step: 100,250,500")],
        responses={200: OpenApiTypes.OBJECT},
        filters=False,
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def play(self, request: Request, pk: str) -> Response:
        """The result at other thresholds, from the kept past; nothing is stored."""
        from launches.balance import kept, report, rules, runs

        run = self.get_object()
        own = runs.rules_of(run)
        other = rules.with_points(own, rules.read_points(request.query_params.get("points", "")), vars(own.response))
        return Response(report.document(kept.played(run.pk, other)))

    @extend_schema(request=None, responses=BalanceSerializer)
    @action(detail=True, methods=["post"])
    def promise(self, request: Request, pk: str) -> Response:
        """Mark a balance as what was promised, before its event begins."""
        from launches.balance import runs

        run = self.get_object()
        runs.promise(run=run, by=person(request))
        run.refresh_from_db()
        return Response(BalanceSerializer(run).data)

    @extend_schema(request=None, responses={202: BalanceSerializer})
    @action(detail=True, methods=["post"])
    def compare(self, request: Request, pk: str) -> Response:
        """Compare a balance with what came of its event; a worker computes it."""
        from launches.balance import runs

        comparison = runs.start_comparison(run=self.get_object(), by=person(request))
        return Response(BalanceSerializer(comparison).data, status=status.HTTP_202_ACCEPTED)


class GrowthForecastSerializer(serializers.ModelSerializer[GrowthForecast]):
    """A forecast of growth. Only `weeks` is sent."""

    weeks = serializers.IntegerField(
        min_value=1,
        max_value=LONGEST_FORECAST,
        required=False,
        write_only=True,
        help_text="weeks ahead; 52 when omitted",
    )
    status = serializers.CharField(read_only=True, help_text="queued, running, done, failed or cancelled")
    reason = serializers.CharField(source="reason_in_words", read_only=True)
    report = serializers.SerializerMethodField(help_text="null until it is done")

    class Meta:
        model = GrowthForecast
        fields = ["id", "weeks", "status", "share", "reason", "as_of", "created_at", "finished_at", "report"]
        read_only_fields = ["id", "share", "as_of", "created_at", "finished_at"]

    @extend_schema_field(serializers.JSONField(allow_null=True))
    def get_report(self, run: GrowthForecast) -> Any:
        """The result as `growth --json` prints it."""
        from launches.growth.model import GROWTH
        from launches.growth.report import document

        report = GROWTH.of(run)
        if isinstance(report, Unreadable):
            return {"unreadable": report.sentence()}
        return None if report is None else document(report)


class GrowthForecastViewSet(mixins.RetrieveModelMixin, viewsets.GenericViewSet[GrowthForecast]):
    """Forecasts of growth: active users in the weeks to come, and what moves them."""

    queryset = GrowthForecast.objects.all()
    serializer_class = GrowthForecastSerializer

    @extend_schema(responses={202: GrowthForecastSerializer})
    def create(self, request: Request) -> Response:
        """Forecast growth; a worker computes it."""
        from launches.growth import forecasts

        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        run = forecasts.start_forecast(weeks=given.validated_data.get("weeks", USUAL_WEEKS), by=person(request))
        return Response(self.get_serializer(run).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses=GrowthForecastSerializer)
    @action(detail=False, methods=["get"])
    def newest(self, request: Request) -> Response:
        """The newest finished forecast; 404 before there is one."""
        run = self.get_queryset().filter(status=Run.Status.DONE).first()
        if run is None:
            raise Http404
        return Response(self.get_serializer(run).data)
