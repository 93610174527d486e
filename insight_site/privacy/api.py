"""Erase and export personal data over HTTP: with the scopes `privacy:write` and `privacy:read`, or by permission."""

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from insight_site.models import Erasure
from insight_site.privacy import erasure_requests
from insight_site.privacy.erasure_requests import receipt
from runs.refusals import Refused
from runs.web import person


class AskErasureSerializer(serializers.Serializer[Any]):
    """Persons to erase, by any of each person's ids."""

    ids = serializers.ListField(
        child=serializers.CharField(max_length=erasure_requests.LONGEST), max_length=erasure_requests.MOST
    )
    reference = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")


class ReceiptSerializer(serializers.Serializer[Any]):
    """What was erased, without any id; until the erasure is done, its progress."""

    id = serializers.IntegerField()
    reference = serializers.CharField()
    state = serializers.ChoiceField(choices=Erasure.State.choices)
    ids_named = serializers.IntegerField()
    digests = serializers.ListField(child=serializers.CharField())
    erased = serializers.DictField(child=serializers.IntegerField())
    store_version_before = serializers.IntegerField(allow_null=True)
    store_version_after = serializers.IntegerField(allow_null=True)
    asked_by = serializers.CharField(allow_null=True)
    asked_with_key = serializers.CharField(allow_null=True)
    asked_at = serializers.CharField()
    finished_at = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    notes = serializers.ListField(child=serializers.CharField())


class ErasuresView(APIView):
    """Requests to erase persons."""

    queryset = Erasure.objects.none()  # model whose permissions a person needs
    private = True
    pointers: ClassVar = {"ids": "/ids", "reference": "/reference"}

    @extend_schema(operation_id="erasures_create", request=AskErasureSerializer, responses={202: ReceiptSerializer})
    def post(self, request: Request) -> Response:
        """Request an erasure; a worker carries it out. From now on, late events of these ids are dropped."""
        serializer = AskErasureSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        caller = getattr(request.user, "caller", None)
        row = erasure_requests.request_erasure(
            **serializer.validated_data, by=person(request), key_prefix=caller.key_prefix if caller else ""
        )
        return Response(receipt(row), status=status.HTTP_202_ACCEPTED)


class ErasureView(APIView):
    """One request."""

    queryset = Erasure.objects.none()
    private = True

    @extend_schema(operation_id="erasures_retrieve", responses=ReceiptSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """Receipt of an erasure; until it is done, its progress."""
        return Response(receipt(get_object_or_404(Erasure.objects.select_related("asked_by"), pk=pk)))


class PersonView(APIView):
    """All stored data about one person."""

    queryset = Erasure.objects.none()
    private = True

    @extend_schema(
        operation_id="person_retrieve",
        parameters=[OpenApiParameter("id", str, required=True, description="Any of the person's ids.")],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request) -> HttpResponse:
        """All stored data about one person: rows grouped by the place that stores them."""
        from insight_site.privacy import export  # noqa: PLC0415 - Arrow, which web processes start without

        if person(request) is not None and not request.user.has_perm("insight_site.export_erasure"):
            raise PermissionDenied
        name = request.query_params.get("id", "")
        if not 0 < len(name) <= erasure_requests.LONGEST or "\0" in name:
            raise Refused("A user id has 1 to {longest} characters.", longest=erasure_requests.LONGEST)
        document = export.as_json(export.export_person(name))
        return HttpResponse(document, content_type="application/json", headers={"Cache-Control": "no-store"})
