"""Analyses and calibration in the management API: list, latest, one, ask for one. OpenAPI: docs/openapi.yaml."""

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.analyse.latest_findings import history_of
from experiments.api import analysis_serializers as shapes
from experiments.api.base import Newest, asked
from experiments.models import Analysis, Experiment
from experiments.plan.mistakes import KEY
from reporting.document import dump, outward
from runs.payloads import Unreadable
from runs.web import person


def experiment_of(key: str) -> Experiment:
    """The experiment of the path; a key that can't be one is unknown, whatever bytes it has."""
    if not KEY.fullmatch(key):
        raise Http404
    return get_object_or_404(Experiment, key=key)


def whole(run: Analysis) -> Response:
    """One analysis with its document, in English."""
    from experiments.analyse.analyses import read_analysis
    from experiments.report.stored_document import document

    readout = read_analysis(run)
    if isinstance(readout, Unreadable):
        found: Any = {"unreadable": readout.sentence()}
    else:
        found = None if readout is None else document(readout)
    return Response({**shapes.AnalysisSerializer(run).data, "document": found})


class AnalysesView(APIView):
    """Analyses of an experiment."""

    queryset = Analysis.objects.none()  # whose permissions a person needs
    pagination_class = Newest

    @extend_schema(operation_id="experiments_analyses_list", responses=shapes.AnalysisSerializer(many=True))
    def get(self, request: Request, key: str) -> Response:
        """All analyses, the newest first, without their documents."""
        pages = self.pagination_class()
        page = pages.paginate_queryset(history_of(experiment_of(key)), request, view=self)
        return pages.get_paginated_response(shapes.AnalysisSerializer(page, many=True).data)

    @extend_schema(
        operation_id="experiments_analyses_create",
        request=shapes.AskSerializer,
        responses={202: shapes.AnalysisSerializer},
    )
    def post(self, request: Request, key: str) -> Response:
        """Ask for an analysis; a worker computes it. `peek` shows the outcome of a fixed plan before its time."""
        from experiments.analyse.analyses import request_analysis

        experiment = experiment_of(key)
        made = request_analysis(experiment=experiment, by=person(request), **asked(shapes.AskSerializer, request))
        return Response(shapes.AnalysisSerializer(made).data, status=status.HTTP_202_ACCEPTED)


class LatestAnalysisView(APIView):
    """The last good analysis of an experiment."""

    queryset = Analysis.objects.none()

    @extend_schema(operation_id="experiments_analyses_latest", responses=shapes.WholeAnalysisSerializer)
    def get(self, request: Request, key: str) -> Response:
        """The last good analysis with its document; a failed one never takes its place."""
        from experiments.analyse.analyses import latest_analysis

        run = latest_analysis(experiment_of(key))
        if run is None:
            raise Http404
        return whole(run)


class AnalysisView(APIView):
    """One analysis."""

    queryset = Analysis.objects.none()

    @extend_schema(operation_id="experiments_analyses_retrieve", responses=shapes.WholeAnalysisSerializer)
    def get(self, request: Request, key: str, pk: int) -> Response:
        """One analysis with its document, or with the reason why there is none."""
        return whole(get_object_or_404(Analysis, experiment=experiment_of(key), pk=pk))


class CalibrationView(APIView):
    """Naive promise against causal finding."""

    queryset = Analysis.objects.none()

    @extend_schema(operation_id="calibration", responses=shapes.CalibrationSerializer)
    def get(self, request: Request) -> Response:
        """Every experiment that tested a measured promise, and the pooled ratio of finding to promise."""
        from experiments.analyse import calibration as calibrating

        found = calibrating.calibrate()
        answer: dict[str, Any] = {
            "trials": [dump(row) for row in found.trials],
            "left_out": [vars(row) for row in found.left_out],
            "pooled": outward(dump(found.pooled)),
        }
        return Response(answer)
