"""Over HTTP: the signed document of a final analysis, and the registered text of a plan."""

from typing import Any

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.analyses import experiment_of
from experiments.models import Analysis, Experiment


class PreregistrationSerializer(serializers.Serializer[Any]):
    """The preregistration text of a plan, and its hash."""

    experiment = serializers.CharField()
    sha256 = serializers.CharField(help_text="Of the text as UTF-8, in hex.")
    registered_at = serializers.DateTimeField(allow_null=True, help_text="Null: the plan can still change.")
    text = serializers.CharField()


class SignedDocumentView(APIView):
    """The signed document of a final analysis."""

    queryset = Analysis.objects.none()  # model whose permissions a person needs

    @extend_schema(operation_id="experiments_signed_document", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, key: str) -> Response:
        """The signed document of a final analysis, for `manage.py verify`; 404 if there is none (docs/verify.md)."""
        from insight_site.signatures.signed_document import final_of, signed_document

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
        from experiments.plan.register import preregistration, registration_of

        experiment = experiment_of(key)
        text, sha256 = preregistration(experiment)
        row = registration_of(experiment)
        found = {"experiment": key, "sha256": sha256, "registered_at": row and row.made_at, "text": text}
        return Response(PreregistrationSerializer(found).data)
