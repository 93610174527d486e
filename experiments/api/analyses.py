"""Management API for analyses and calibration: list, latest, one, request one. OpenAPI: docs/openapi.yaml."""

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.analyse.latest_findings import history_of
from experiments.api import analysis_serializers as shapes
from experiments.api.base import Newest, asked, may_peek
from experiments.models import Analysis, Experiment
from experiments.plan.mistakes import KEY
from reporting.document import dump, outward
from runs.payloads import Unreadable
from runs.web import person


def experiment_of(key: str) -> Experiment:
    """The experiment in the path; an invalid key is a 404, whatever bytes it has."""
    if not KEY.fullmatch(key):
        raise Http404
    return get_object_or_404(Experiment, key=key)


def row_of(run: Analysis, *, peeks: bool) -> Any:
    """One analysis without its document; the verdict of a peek is only shown to callers who may peek."""
    from experiments.analyse.analyses import is_peek

    row = shapes.AnalysisSerializer(run).data
    return {**row, "verdict": ""} if is_peek(run) and not peeks else row


def whole(run: Analysis, *, peeks: bool) -> Response:
    """One analysis with its document, in English.

    Raises:
        PermissionDenied: it is a peek, and the caller may not read peeks (`peeks`).
    """
    from experiments.analyse.analyses import is_peek, read_analysis
    from experiments.report.stored_document import document

    if is_peek(run) and not peeks:
        raise PermissionDenied("This analysis is a peek: only a key that may peek reads it.", code="peek")
    readout = read_analysis(run)
    if isinstance(readout, Unreadable):
        found: Any = {"unreadable": readout.sentence()}
    else:
        found = None if readout is None else document(readout)
        if found is not None and not run.final and not peeks:  # a later analysis includes the look of a peek
            found["path"] = [look for look in found["path"] if not look["peeked"]]
    return Response({**shapes.AnalysisSerializer(run).data, "document": found})


class AnalysesView(APIView):
    """Analyses of an experiment."""

    queryset = Analysis.objects.none()  # the model whose permissions a person needs
    pagination_class = Newest

    @extend_schema(operation_id="experiments_analyses_list", responses=shapes.AnalysisSerializer(many=True))
    def get(self, request: Request, key: str) -> Response:
        """All analyses, newest first, without their documents."""
        pages = self.pagination_class()
        page = pages.paginate_queryset(history_of(experiment_of(key)), request, view=self)
        peeks = may_peek(request)
        return pages.get_paginated_response([row_of(run, peeks=peeks) for run in page or ()])

    @extend_schema(
        operation_id="experiments_analyses_create",
        request=shapes.AskSerializer,
        responses={202: shapes.AnalysisSerializer},
    )
    def post(self, request: Request, key: str) -> Response:
        """Request an analysis; a worker computes it. `peek` reads the outcome of a fixed plan before its date; a key
        needs the scope `outcomes:peek` for it.
        """
        from experiments.analyse.analyses import request_analysis

        experiment, wanted = experiment_of(key), asked(shapes.AskSerializer, request)
        if wanted.get("peek") and not may_peek(request):
            raise PermissionDenied("This key may not do outcomes:peek.", code="peek")
        made = request_analysis(experiment=experiment, by=person(request), **wanted)
        return Response(shapes.AnalysisSerializer(made).data, status=status.HTTP_202_ACCEPTED)


class LatestAnalysisView(APIView):
    """The latest successful analysis of an experiment."""

    queryset = Analysis.objects.none()

    @extend_schema(operation_id="experiments_analyses_latest", responses=shapes.WholeAnalysisSerializer)
    def get(self, request: Request, key: str) -> Response:
        """The latest successful analysis that the caller may read, with its document. Failed ones are ignored."""
        from experiments.analyse.analyses import latest_analysis

        experiment, peeks = experiment_of(key), may_peek(request)
        run = latest_analysis(experiment, peeks=peeks) or latest_analysis(experiment)
        if run is None:
            raise Http404
        return whole(run, peeks=peeks)


class AnalysisView(APIView):
    """One analysis."""

    queryset = Analysis.objects.none()

    @extend_schema(operation_id="experiments_analyses_retrieve", responses=shapes.WholeAnalysisSerializer)
    def get(self, request: Request, key: str, pk: int) -> Response:
        """One analysis with its document, or with the reason why there is none."""
        run = get_object_or_404(Analysis, experiment=experiment_of(key), pk=pk)
        return whole(run, peeks=may_peek(request))


class CalibrationView(APIView):
    """Effects that correlations promised, compared with those that experiments found."""

    queryset = Analysis.objects.none()

    @extend_schema(operation_id="calibration", responses=shapes.CalibrationSerializer)
    def get(self, request: Request) -> Response:
        """Promised and found effect of each experiment where both are known, and the pooled ratio found to promised."""
        from experiments.analyse import calibration as calibrating

        found = calibrating.calibrate()
        answer: dict[str, Any] = {
            "trials": [dump(row) for row in found.trials],
            "left_out": [vars(row) for row in found.left_out],
            "pooled": outward(dump(found.pooled)),
        }
        return Response(answer)
