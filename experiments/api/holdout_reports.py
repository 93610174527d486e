"""Holdout reports and overlaps in the management API. OpenAPI: docs/openapi.yaml."""

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.analyse.across.holdout_question import MOST_READINGS
from experiments.api.analyses import DocumentField
from experiments.api.serializers import Newest, asked
from experiments.models import Holdout, HoldoutPlan, HoldoutReading, OverlapReport
from experiments.plan.record import MOST_UNITS
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import person

# Serializers of holdout reports and overlaps.

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
    planned_units = serializers.IntegerField(min_value=1, max_value=MOST_UNITS, allow_null=True, required=False)

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


class HoldoutPlansView(APIView):
    """Plans of holdout reports."""

    queryset = HoldoutPlan.objects.none()  # the model whose permissions a person needs
    pagination_class = Newest

    @extend_schema(operation_id="holdout_plans_list", responses=HoldoutPlanSerializer(many=True))
    def get(self, request: Request) -> Response:
        """All plans of holdout reports, newest first."""
        pages = self.pagination_class()
        page = pages.paginate_queryset(HoldoutPlan.objects.select_related("holdout"), request, view=self)
        return pages.get_paginated_response(HoldoutPlanSerializer(page, many=True).data)

    @extend_schema(
        operation_id="holdout_plans_create", request=NewHoldoutPlanSerializer, responses={201: HoldoutPlanSerializer}
    )
    def post(self, request: Request) -> Response:
        """Plan a holdout report. It can't be changed afterwards, and the outcome is read only on the planned days."""
        from experiments.analyse.across import holdout_readings

        values = asked(NewHoldoutPlanSerializer, request)
        key = values.pop("holdout")
        holdout = Holdout.objects.filter(key=key).first()
        if holdout is None:
            raise Refused("There is no holdout '{key}'.", key=key, at="holdout")
        plan = holdout_readings.plan_holdout(holdout=holdout, by=person(request), **values)
        return Response(HoldoutPlanSerializer(plan).data, status=status.HTTP_201_CREATED)


class HoldoutPlanView(APIView):
    """One plan."""

    queryset = HoldoutPlan.objects.none()

    @extend_schema(operation_id="holdout_plans_retrieve", responses=HoldoutPlanSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """The plan of one holdout report."""
        return Response(HoldoutPlanSerializer(_plan(pk)).data)


class HoldoutReadingsView(APIView):
    """Readings of one plan."""

    queryset = HoldoutReading.objects.none()
    pagination_class = Newest

    @extend_schema(operation_id="holdout_readings_list", responses=HoldoutReadingSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """All readings of a plan, newest first, without their documents."""
        pages = self.pagination_class()
        page = pages.paginate_queryset(HoldoutReading.objects.light().filter(plan=_plan(pk)), request, view=self)
        return pages.get_paginated_response(HoldoutReadingSerializer(page, many=True).data)

    @extend_schema(operation_id="holdout_readings_create", request=None, responses={202: HoldoutReadingSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Request a reading; a worker computes it. It contains the outcome only if the plan allows it on that day."""
        from experiments.analyse.across import holdout_readings

        reading = holdout_readings.request_reading(plan=_plan(pk), by=person(request))
        return Response(HoldoutReadingSerializer(reading).data, status=status.HTTP_202_ACCEPTED)


class LatestHoldoutReadingView(APIView):
    """The latest successful reading of one plan."""

    queryset = HoldoutReading.objects.none()

    @extend_schema(operation_id="holdout_readings_latest", responses=WholeHoldoutReadingSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """The latest reading of the outcome, else the latest successful one with counts only; with its document."""
        from experiments.analyse.across import holdout_readings

        return _whole_reading(holdout_readings.latest_reading(_plan(pk)))


class HoldoutReadingView(APIView):
    """One reading."""

    queryset = HoldoutReading.objects.none()

    @extend_schema(operation_id="holdout_readings_retrieve", responses=WholeHoldoutReadingSerializer)
    def get(self, request: Request, pk: int, reading: int) -> Response:
        """One reading with its document, or with the reason why there is none."""
        return _whole_reading(get_object_or_404(HoldoutReading, plan=_plan(pk), pk=reading))


class OverlapsView(APIView):
    """Overlap reports: counts of users that experiments share."""

    queryset = OverlapReport.objects.none()
    pagination_class = Newest

    @extend_schema(operation_id="overlaps_list", responses=OverlapSerializer(many=True))
    def get(self, request: Request) -> Response:
        """All overlap reports (counts of users that experiments share), newest first, without their documents."""
        pages = self.pagination_class()
        page = pages.paginate_queryset(OverlapReport.objects.light(), request, view=self)
        return pages.get_paginated_response(OverlapSerializer(page, many=True).data)

    @extend_schema(operation_id="overlaps_create", request=None, responses={202: OverlapSerializer})
    def post(self, request: Request) -> Response:
        """Request a new overlap report: how many users experiments share. A worker computes it."""
        from experiments.analyse.across import overlaps

        report = overlaps.request_overlap(by=person(request))
        return Response(OverlapSerializer(report).data, status=status.HTTP_202_ACCEPTED)


class LatestOverlapView(APIView):
    """The latest successful overlap report."""

    queryset = OverlapReport.objects.none()

    @extend_schema(operation_id="overlaps_latest", responses=WholeOverlapSerializer)
    def get(self, request: Request) -> Response:
        """Pairs of experiments that share users, with tests of the outcomes where both plans have opened theirs."""
        from experiments.analyse.across import overlaps
        from experiments.analyse.across.overlap_pairs import OVERLAP
        from experiments.report import overlap_page

        run = overlaps.latest_overlap()
        overlap = OVERLAP.of(run)
        if run is None or overlap is None:
            raise Http404
        return Response({**OverlapSerializer(run).data, "document": _document(overlap, overlap_page.document)})


def _plan(pk: int) -> HoldoutPlan:
    return get_object_or_404(HoldoutPlan.objects.select_related("holdout"), pk=pk)


def _whole_reading(run: HoldoutReading | None) -> Response:
    from experiments.analyse.across.holdout_result import HOLDOUT
    from experiments.report import holdout_page

    if run is None:
        raise Http404
    document = _document(HOLDOUT.of(run), holdout_page.document)
    return Response({**HoldoutReadingSerializer(run).data, "document": document})


def _document(result: Any, document: Any) -> Any:
    if isinstance(result, Unreadable):
        return {"unreadable": result.sentence()}
    return None if result is None else document(result)
