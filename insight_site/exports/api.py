"""Over HTTP: the signed document of a final analysis, the registered text, and definitions between environments."""

from typing import Any

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.analyses import experiment_of
from experiments.models import Analysis, Experiment
from experiments.plan.validation import KEY
from insight_site.exports.definition import definition_of
from insight_site.rest.endpoints import KeyUser
from runs.web import person

# Definitions over HTTP: a program exports them from one environment and imports them into another.


class MayPlan(BasePermission):
    """A key's scope is checked by the access rules; a person needs permission to view, or to plan, experiments."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """True when the caller may do this."""
        wanted = "experiments.view_experiment" if request.method == "GET" else "experiments.add_experiment"
        return isinstance(request.user, KeyUser) or request.user.has_perm(wanted)


class DefinitionSerializer(serializers.Serializer[Any]):
    """A plan as exported from one site and imported into another (docs/environments.md)."""

    format = serializers.IntegerField()
    environment = serializers.CharField()
    made_at = serializers.CharField()
    plan = serializers.DictField()
    draw = serializers.DictField()
    version = serializers.IntegerField()
    status = serializers.CharField()
    history = serializers.ListField(child=serializers.DictField())
    tried = serializers.DictField()
    digest = serializers.CharField()


class BroughtSerializer(serializers.Serializer[Any]):
    """The draft that was created or changed."""

    key = serializers.CharField()
    status = serializers.CharField()
    version = serializers.IntegerField()


class DefinitionView(APIView):
    """The definition of one experiment."""

    permission_classes = [MayPlan]

    @extend_schema(responses=DefinitionSerializer)
    def get(self, request: Request, key: str) -> Response:
        """Export a plan with its draw (seed and hash version) and history, without units and results."""
        experiment = Experiment.objects.filter(key=key).first() if KEY.fullmatch(key) else None
        if experiment is None:
            raise Http404
        return Response(definition_of(experiment))


class PromotionsView(APIView):
    """Definitions imported from other environments."""

    permission_classes = [MayPlan]

    @extend_schema(request=DefinitionSerializer, responses={201: BroughtSerializer})
    def post(self, request: Request) -> Response:
        """Import a definition: create its draft, or change the one imported before."""
        from insight_site.exports.copy_definition import bring

        made = bring(request.data, by=person(request))
        return Response(BroughtSerializer(made).data, status=status.HTTP_201_CREATED)


# Over HTTP: the signed document of a final analysis, and the registered text of a plan.


class PreregistrationSerializer(serializers.Serializer[Any]):
    """The preregistration text of a plan, and its hash."""

    experiment = serializers.CharField()
    sha256 = serializers.CharField(help_text="SHA-256 of the text as UTF-8, in hex.")
    registered_at = serializers.DateTimeField(
        allow_null=True, help_text="Time of registration; null while the plan can still change."
    )
    text = serializers.CharField()


class SignedDocumentView(APIView):
    """The signed document of a final analysis."""

    queryset = Analysis.objects.none()  # model whose permissions a person needs

    @extend_schema(operation_id="experiments_signed_document", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, key: str) -> Response:
        """The signed document of a final analysis, for `manage.py verify`; 404 if there is none (docs/verify.md)."""
        from insight_site.exports.sign import final_of, signed_document

        row = final_of(experiment_of(key).key)
        document = None if row is None else signed_document(row)
        if document is None:
            raise Http404
        return Response(document)


class PreregistrationView(APIView):
    """The registered text of a plan."""

    queryset = Experiment.objects.none()

    @extend_schema(operation_id="experiments_preregistration", responses=PreregistrationSerializer)
    def get(self, request: Request, key: str) -> Response:
        """The plan's text as registered at the start; for a draft, the text of the plan as it is now."""
        from experiments.plan.registration import preregistration, registration_of

        experiment = experiment_of(key)
        text, sha256 = preregistration(experiment)
        row = registration_of(experiment)
        document = {"experiment": key, "sha256": sha256, "registered_at": row and row.made_at, "text": text}
        return Response(PreregistrationSerializer(document).data)
