from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from aha.models import Finding
from events.metrics.line import LONGEST_LINE


class FindingSerializer(serializers.ModelSerializer[Finding]):
    """Moments of one arm of a finished experiment: what it adds to the evidence about a behaviour."""

    origin = serializers.CharField(read_only=True, help_text="experiment (of this site) or file")

    class Meta:
        model = Finding
        exclude = ["created_by"]
        read_only_fields = [field.name for field in Finding._meta.fields]


class PoolSerializer(serializers.Serializer[Any]):
    """Of which behaviour, and on which definition; without one on that which most experiments share."""

    behaviour = serializers.CharField(max_length=400, help_text="EVENT, EVENT[prop=value] or EVENT#prop")
    times = serializers.IntegerField(min_value=1, required=False, help_text="at least so often")
    days = serializers.IntegerField(min_value=1, required=False, help_text="within so many days")
    outcome = serializers.CharField(
        max_length=LONGEST_LINE, required=False, help_text="a SPEC, for example window:14-20"
    )


class FindingViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Finding]):
    """Findings of finished experiments, and what they say together."""

    queryset = Finding.objects.order_by("-id")
    serializer_class = FindingSerializer
    filterset_fields = ["origin", "behaviour", "outcome"]

    def get_queryset(self) -> QuerySet[Finding]:
        """Without who imported them."""
        return super().get_queryset().defer("created_by")

    @extend_schema(parameters=[PoolSerializer], responses={200: OpenApiTypes.OBJECT}, filters=False)
    @action(detail=False, pagination_class=None)
    def pool(self, request: Request) -> Response:
        """What all finished experiments say of a behaviour: `python manage.py pool --json`."""
        from aha.evidence.past.past_experiments import pool_behaviour
        from aha.report.past.documents import document

        asked = PoolSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        return Response(document(pool_behaviour(**asked.validated_data)))
