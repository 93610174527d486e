"""Management API for analyses and calibration: list, latest, one, request one. OpenAPI: docs/openapi.yaml."""

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.serializers import REASON, Newest, asked, may_peek
from experiments.models import Analysis, Experiment
from experiments.plan.validation import KEY
from reporting.document import dump, outward
from runs.payloads import Unreadable
from runs.web import person

# Serializers of analyses in the management API.

_SHARES = ("ratio", "low", "high", "level", "tau_squared")
DEFLATION = {
    "type": "object",
    "properties": {**{name: {"type": "number"} for name in _SHARES}, "experiments": {"type": "integer", "minimum": 2}},
    "required": [*_SHARES, "experiments"],
}


class AnalysisSerializer(serializers.ModelSerializer[Analysis]):
    """One analysis: its status, and the code of its verdict."""

    experiment = serializers.CharField(source="experiment.key", read_only=True)
    reason = serializers.CharField(source="reason_in_words", read_only=True)

    class Meta:
        model = Analysis
        fields = [
            "id",
            "experiment",
            "status",
            "verdict",
            "final",
            "peek",
            "seed",
            "as_of",
            "erased_units",
            "reason",
            "created_at",
            "finished_at",
            "versions",
        ]
        read_only_fields = fields


@extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
class DocumentField(serializers.JSONField):
    """The report: verdict, sentences, health, and the whole readout; null while there is none."""


class WholeAnalysisSerializer(AnalysisSerializer):
    """One analysis with its document."""

    document = DocumentField(read_only=True)

    class Meta(AnalysisSerializer.Meta):
        fields = [*AnalysisSerializer.Meta.fields, "document"]
        read_only_fields = fields


class AskSerializer(serializers.Serializer[Any]):
    """Options of a requested analysis."""

    peek = serializers.BooleanField(
        default=False,
        help_text="read the outcome of a fixed plan before its planned date; the report shows this permanently",
    )
    seed = serializers.IntegerField(
        default=1, min_value=0, max_value=2**63 - 1, help_text="random seed, stored with the result"
    )


class TrialSerializer(serializers.Serializer[Any]):
    """Promised effect (from correlations) and found effect of one experiment, as differences of shares."""

    key = serializers.CharField()
    name = serializers.CharField()
    promised = serializers.FloatField()
    promised_error = serializers.FloatField(help_text="standard error of promised; 0 if unknown")
    found = serializers.FloatField(help_text="effect of the behaviour on compliers: units that the nudge moved to it")
    found_error = serializers.FloatField()
    low = serializers.FloatField(allow_null=True, help_text="lower limit of the Anderson-Rubin set; null if unbounded")
    high = serializers.FloatField(allow_null=True)
    verdict = serializers.CharField()
    on = serializers.DateField()


class LeftOutSerializer(serializers.Serializer[Any]):
    """An experiment of an AHA moment whose promised and found effects can't be compared, and why."""

    key = serializers.CharField()
    name = serializers.CharField()
    verdict = serializers.CharField(allow_blank=True)
    why = serializers.CharField(
        help_text="locked, peeked, not_final, no_promise, whole_clusters, not_the_behaviour or other_outcome"
    )


@extend_schema_field({"oneOf": [DEFLATION, REASON]})
class PooledField(serializers.JSONField):
    """Pooled ratio with its limits, level, tau_squared and number of experiments, or why there is none."""


class CalibrationSerializer(serializers.Serializer[Any]):
    """Promised and found effects of all experiments."""

    trials = TrialSerializer(many=True)
    left_out = LeftOutSerializer(many=True)
    pooled = PooledField()


def experiment_of(key: str) -> Experiment:
    """The experiment in the path; an invalid key is a 404, whatever bytes it has."""
    if not KEY.fullmatch(key):
        raise Http404
    return get_object_or_404(Experiment, key=key)


def row_of(run: Analysis, *, peeks: bool) -> Any:
    """One analysis without its document; the verdict of a peek is only shown to callers who may peek."""
    from experiments.analyse.analyses import is_peek

    row = AnalysisSerializer(run).data
    return {**row, "verdict": ""} if is_peek(run) and not peeks else row


def whole(run: Analysis, *, peeks: bool) -> Response:
    """One analysis with its document, in English.

    Raises:
        PermissionDenied: it is a peek, and the caller may not read peeks (`peeks`).
    """
    from experiments.analyse.analyses import is_peek
    from experiments.analyse.payload_versions import READOUT
    from experiments.report.stored_document import document

    if is_peek(run) and not peeks:
        raise PermissionDenied("This analysis is a peek: only a key that may peek reads it.", code="peek")
    readout = READOUT.of(run)
    if isinstance(readout, Unreadable):
        content: Any = {"unreadable": readout.sentence()}
    else:
        content = None if readout is None else document(readout)
        if content is not None and not run.final and not peeks:  # a later analysis includes the look of a peek
            content["path"] = [look for look in content["path"] if not look["peeked"]]
    return Response({**AnalysisSerializer(run).data, "document": content})


class AnalysesView(APIView):
    """Analyses of an experiment."""

    queryset = Analysis.objects.none()  # the model whose permissions a person needs
    pagination_class = Newest

    @extend_schema(operation_id="experiments_analyses_list", responses=AnalysisSerializer(many=True))
    def get(self, request: Request, key: str) -> Response:
        """All analyses, newest first, without their documents."""
        from experiments.analyse.analyses import history_of

        pages = self.pagination_class()
        page = pages.paginate_queryset(history_of(experiment_of(key)), request, view=self)
        peeks = may_peek(request)
        return pages.get_paginated_response([row_of(run, peeks=peeks) for run in page or ()])

    @extend_schema(
        operation_id="experiments_analyses_create", request=AskSerializer, responses={202: AnalysisSerializer}
    )
    def post(self, request: Request, key: str) -> Response:
        """Request an analysis; a worker computes it. `peek` reads the outcome of a fixed plan before its date; a key
        needs the scope `outcomes:peek` for it.
        """
        from experiments.analyse.analyses import request_analysis

        experiment, wanted = experiment_of(key), asked(AskSerializer, request)
        if wanted.get("peek") and not may_peek(request):
            raise PermissionDenied("This key may not do outcomes:peek.", code="peek")
        made = request_analysis(experiment=experiment, by=person(request), **wanted)
        return Response(AnalysisSerializer(made).data, status=status.HTTP_202_ACCEPTED)


class LatestAnalysisView(APIView):
    """The latest successful analysis of an experiment."""

    queryset = Analysis.objects.none()

    @extend_schema(operation_id="experiments_analyses_latest", responses=WholeAnalysisSerializer)
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

    @extend_schema(operation_id="experiments_analyses_retrieve", responses=WholeAnalysisSerializer)
    def get(self, request: Request, key: str, pk: int) -> Response:
        """One analysis with its document, or with the reason why there is none."""
        run = get_object_or_404(Analysis, experiment=experiment_of(key), pk=pk)
        return whole(run, peeks=may_peek(request))


class CalibrationView(APIView):
    """Effects that correlations promised, compared with those that experiments found."""

    queryset = Analysis.objects.none()

    @extend_schema(operation_id="calibration", responses=CalibrationSerializer)
    def get(self, request: Request) -> Response:
        """Promised and found effect of each experiment where both are known, and the pooled ratio found to promised."""
        from experiments.analyse.across import calibration

        result = calibration.calibrate()
        answer: dict[str, Any] = {
            "trials": [dump(row) for row in result.trials],
            "left_out": [vars(row) for row in result.left_out],
            "pooled": outward(dump(result.pooled)),
        }
        return Response(answer)
