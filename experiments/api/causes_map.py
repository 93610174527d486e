"""Management API for the map of causes. OpenAPI: docs/openapi.yaml."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aha.models import Finding
from events.metrics import LONGEST_LINE


class MapSerializer(serializers.Serializer[Any]):
    """What to show on the map; by default every behaviour, on the outcome that most experiments share."""

    outcome = serializers.CharField(
        max_length=LONGEST_LINE, required=False, help_text="outcome definition (SPEC), for example window:14-20"
    )
    behaviours = serializers.ListField(
        child=serializers.CharField(max_length=400),
        required=False,
        help_text="only these behaviours: EVENT, EVENT[prop=value] or EVENT#prop; repeatable",
    )
    margin = serializers.FloatField(
        min_value=0, required=False, help_text="smallest effect of a behaviour that matters, absolute (0.01 is a point)"
    )
    alpha = serializers.FloatField(required=False, help_text="false alarm rate of the whole map; default 0.05")


class MapView(APIView):
    """The map of causes: what all finished experiments together say of every behaviour."""

    queryset = Finding.objects.none()

    @extend_schema(operation_id="map", parameters=[MapSerializer], responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        """State of each behaviour from all finished experiments, as `python manage.py map --json` prints it."""
        from experiments.analyse.across.site_map import site_map
        from experiments.report.causes_map import document

        serializer = MapSerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        return Response(document(site_map(**serializer.validated_data)))
