"""Holdout reports and overlaps in the management API. OpenAPI: docs/openapi.yaml."""

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api import holdout_serializers as shapes
from experiments.api.base import Newest, asked
from experiments.models import Holdout, HoldoutPlan, HoldoutReading, OverlapReport
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import person


class HoldoutPlansView(APIView):
    """Plans of holdout reports."""

    queryset = HoldoutPlan.objects.none()  # the model whose permissions a person needs
    pagination_class = Newest

    @extend_schema(operation_id="holdout_plans_list", responses=shapes.HoldoutPlanSerializer(many=True))
    def get(self, request: Request) -> Response:
        """All plans of holdout reports, newest first."""
        pages = self.pagination_class()
        page = pages.paginate_queryset(HoldoutPlan.objects.select_related("holdout"), request, view=self)
        return pages.get_paginated_response(shapes.HoldoutPlanSerializer(page, many=True).data)

    @extend_schema(
        operation_id="holdout_plans_create",
        request=shapes.NewHoldoutPlanSerializer,
        responses={201: shapes.HoldoutPlanSerializer},
    )
    def post(self, request: Request) -> Response:
        """Plan a holdout report. It can't be changed afterwards, and the outcome is read only on the planned days."""
        from experiments.analyse.holdout_report import holdout_readings

        given = asked(shapes.NewHoldoutPlanSerializer, request)
        key = given.pop("holdout")
        holdout = Holdout.objects.filter(key=key).first()
        if holdout is None:
            raise Refused("There is no holdout '{key}'.", key=key, at="holdout")
        made = holdout_readings.plan_holdout(holdout=holdout, by=person(request), **given)
        return Response(shapes.HoldoutPlanSerializer(made).data, status=status.HTTP_201_CREATED)


class HoldoutPlanView(APIView):
    """One plan."""

    queryset = HoldoutPlan.objects.none()

    @extend_schema(operation_id="holdout_plans_retrieve", responses=shapes.HoldoutPlanSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """The plan of one holdout report."""
        return Response(shapes.HoldoutPlanSerializer(_plan(pk)).data)


class HoldoutReadingsView(APIView):
    """Readings of one plan."""

    queryset = HoldoutReading.objects.none()
    pagination_class = Newest

    @extend_schema(operation_id="holdout_readings_list", responses=shapes.HoldoutReadingSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """All readings of a plan, newest first, without their documents."""
        pages = self.pagination_class()
        page = pages.paginate_queryset(HoldoutReading.objects.light().filter(plan=_plan(pk)), request, view=self)
        return pages.get_paginated_response(shapes.HoldoutReadingSerializer(page, many=True).data)

    @extend_schema(
        operation_id="holdout_readings_create", request=None, responses={202: shapes.HoldoutReadingSerializer}
    )
    def post(self, request: Request, pk: int) -> Response:
        """Request a reading; a worker computes it. It contains the outcome only if the plan allows it on that day."""
        from experiments.analyse.holdout_report import holdout_readings

        made = holdout_readings.request_reading(plan=_plan(pk), by=person(request))
        return Response(shapes.HoldoutReadingSerializer(made).data, status=status.HTTP_202_ACCEPTED)


class LatestHoldoutReadingView(APIView):
    """The latest successful reading of one plan."""

    queryset = HoldoutReading.objects.none()

    @extend_schema(operation_id="holdout_readings_latest", responses=shapes.WholeHoldoutReadingSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """The latest reading of the outcome, else the latest successful one with counts only; with its document."""
        from experiments.analyse.holdout_report import holdout_readings

        return _whole_reading(holdout_readings.latest_reading(_plan(pk)))


class HoldoutReadingView(APIView):
    """One reading."""

    queryset = HoldoutReading.objects.none()

    @extend_schema(operation_id="holdout_readings_retrieve", responses=shapes.WholeHoldoutReadingSerializer)
    def get(self, request: Request, pk: int, reading: int) -> Response:
        """One reading with its document, or with the reason why there is none."""
        return _whole_reading(get_object_or_404(HoldoutReading, plan=_plan(pk), pk=reading))


class OverlapsView(APIView):
    """Overlap reports: counts of users that experiments share."""

    queryset = OverlapReport.objects.none()
    pagination_class = Newest

    @extend_schema(operation_id="overlaps_list", responses=shapes.OverlapSerializer(many=True))
    def get(self, request: Request) -> Response:
        """All overlap reports (counts of users that experiments share), newest first, without their documents."""
        pages = self.pagination_class()
        page = pages.paginate_queryset(OverlapReport.objects.light(), request, view=self)
        return pages.get_paginated_response(shapes.OverlapSerializer(page, many=True).data)

    @extend_schema(operation_id="overlaps_create", request=None, responses={202: shapes.OverlapSerializer})
    def post(self, request: Request) -> Response:
        """Request a new overlap report: how many users experiments share. A worker computes it."""
        from experiments.analyse.overlap import overlaps

        made = overlaps.request_overlap(by=person(request))
        return Response(shapes.OverlapSerializer(made).data, status=status.HTTP_202_ACCEPTED)


class LatestOverlapView(APIView):
    """The latest successful overlap report."""

    queryset = OverlapReport.objects.none()

    @extend_schema(operation_id="overlaps_latest", responses=shapes.WholeOverlapSerializer)
    def get(self, request: Request) -> Response:
        """Pairs of experiments that share users, with tests of the outcomes where both plans have opened theirs."""
        from experiments.analyse.overlap import overlaps
        from experiments.report.across import overlap_page

        run = overlaps.latest_overlap()
        found = overlaps.read_overlap(run)
        if run is None or found is None:
            raise Http404
        return Response({**shapes.OverlapSerializer(run).data, "document": _document(found, overlap_page.document)})


def _plan(pk: int) -> HoldoutPlan:
    return get_object_or_404(HoldoutPlan.objects.select_related("holdout"), pk=pk)


def _whole_reading(run: HoldoutReading | None) -> Response:
    from experiments.analyse.holdout_report import holdout_readings
    from experiments.report import holdout_page

    if run is None:
        raise Http404
    found = _document(holdout_readings.read_report(run), holdout_page.document)
    return Response({**shapes.HoldoutReadingSerializer(run).data, "document": found})


def _document(found: Any, made: Any) -> Any:
    if isinstance(found, Unreadable):
        return {"unreadable": found.sentence()}
    return None if found is None else made(found)
