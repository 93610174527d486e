"""Identity in the management API: which ids belong to one person."""

from dataclasses import asdict
from typing import Any

from django.core.exceptions import PermissionDenied
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events.identity.link_counts import counted
from events.identity.persons import ids_with, roots_of
from events.models import IdLink
from runs.web import person


class CountsSerializer(serializers.Serializer[Any]):
    """How many ids were joined into persons, and how many links were rejected (docs/identity.md)."""

    joined_ids = serializers.IntegerField()
    persons = serializers.IntegerField()
    shared_devices = serializers.IntegerField()
    two_users = serializers.IntegerField()
    circles = serializers.IntegerField()
    too_many = serializers.IntegerField()
    by_public_keys = serializers.IntegerField()


class IdsSerializer(serializers.Serializer[Any]):
    """All ids of one person; `counts_as` is the id under which the person is counted."""

    counts_as = serializers.CharField()
    ids = serializers.ListField(child=serializers.CharField())


class CountsView(APIView):
    """How many ids were joined."""

    queryset = IdLink.objects.none()

    @extend_schema(operation_id="identity_retrieve", responses=CountsSerializer)
    def get(self, request: Request) -> Response:
        """Counts of joined ids and rejected links since the beginning."""
        return Response(asdict(counted()))


class IdsView(APIView):
    """The ids of one person."""

    queryset = IdLink.objects.none()

    @extend_schema(operation_id="unit_ids_retrieve", responses=IdsSerializer)
    def get(self, request: Request, unit: str) -> Response:
        """All ids of the person with this id; an unknown id is returned alone."""
        if person(request) is not None and not request.user.has_perm("events.view_idlink"):
            raise PermissionDenied
        return Response({"counts_as": roots_of([unit])[unit], "ids": sorted(ids_with([unit]))})
