"""Audiences in the management API: create them, list their members, follow membership changes."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, pagination, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from aha.models import AhaMoment
from insight_site.audiences import audience_services
from insight_site.models import MOST_HOURS, Audience, AudienceMember
from runs.refusals import Refused
from runs.web import person
from segments.models import SegmentModel

MOST = 5_000


class AudienceSerializer(serializers.ModelSerializer[Audience]):
    """`segment_model` and `segment_key` name a segment, `moment` an AHA moment. A new version of a segment applies
    automatically.
    """

    segment_model: Any = serializers.SlugRelatedField(
        slug_field="key", queryset=SegmentModel.objects, required=False, allow_null=True
    )
    moment: Any = serializers.SlugRelatedField(
        slug_field="key", queryset=AhaMoment.objects.light(), required=False, allow_null=True
    )
    hours = serializers.IntegerField(min_value=1, max_value=MOST_HOURS, default=24)
    waiting = serializers.IntegerField(read_only=True)
    refusal = serializers.SerializerMethodField(allow_null=True)

    class Meta:
        model = Audience
        read_only_fields = ["counted_at", "members", "last_change", "sent_change", "sent_at", "tries", "trouble"]
        fields = [
            *("key", "name", "who", "segment_model", "segment_key", "moment", "way", "url", "hours", "enabled"),
            *("waiting", "refusal"),
            *read_only_fields,
        ]

    def get_refusal(self, audience: Audience) -> str | None:
        """Why the last count failed; the members are those of the count before."""
        return Refused.from_record(audience.refusal).sentence if audience.refusal else None


class AudienceSecretSerializer(serializers.ModelSerializer[Audience]):
    """The secret of a webhook, shown only in this response."""

    class Meta:
        model = Audience
        fields = ["key", "secret"]
        read_only_fields = fields


class ChangeSerializer(serializers.ModelSerializer[AudienceMember]):
    """One user who joined or left; `change` is the number of the change, which increases."""

    class Meta:
        model = AudienceMember
        fields = ["unit", "is_in", "change", "changed_at"]
        read_only_fields = fields


class ByUnit(pagination.CursorPagination):
    """Cursor pagination by unit: page numbers would skip and repeat rows during a count, and count millions of rows."""

    ordering = "unit"
    page_size = 1_000
    page_size_query_param = "page_size"
    max_page_size = MOST


class AudienceViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[Audience]
):
    """Audiences: lists of users that other systems follow."""

    queryset = Audience.objects.select_related("segment_model", "moment").order_by("key")
    serializer_class = AudienceSerializer
    lookup_field = "key"
    lookup_value_regex = "[A-Za-z0-9_-]+"
    private = True  # names of users: a person needs the permission to view them

    @extend_schema(responses={201: AudienceSerializer})
    def create(self, request: Request) -> Response:
        """Create an audience; a worker counts it. Get the secret of a webhook from `rotate`."""
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        made = audience_services.create_audience(by=person(request), **given.validated_data)
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, key: str) -> Response:
        """Change the target users, the destination or the schedule; enable or disable the audience."""
        audience = self.get_object()
        given = self.get_serializer(audience, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        row = audience_services.update_audience(audience=audience, **given.validated_data)
        return Response(self.get_serializer(row).data)

    @extend_schema(request=None, responses={202: AudienceSerializer})
    @action(detail=True, methods=["post"])
    def count(self, request: Request, key: str) -> Response:
        """Request a recount of the audience; a worker computes it."""
        audience = self.get_object()
        audience_services.ask_for_count(audience=audience)
        return Response(self.get_serializer(audience).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses=AudienceSecretSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, key: str) -> Response:
        """Issue a new webhook secret. For KEY_ROTATION_DAYS (7), messages are also signed with the old one."""
        row = audience_services.rotate_secret(audience=self.get_object())
        return Response(AudienceSecretSerializer(row).data, headers={"Cache-Control": "no-store"})

    @extend_schema(responses=ChangeSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=ByUnit)
    def members(self, request: Request, key: str) -> Response:
        """Current members of the audience, ordered by unit id."""
        rows: Any = AudienceMember.objects.filter(audience=self.get_object(), is_in=True)
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(ChangeSerializer(page, many=True).data)

    @extend_schema(
        parameters=[
            OpenApiParameter("after", int, description="Return changes after this change number; 0 for all."),
            OpenApiParameter("most", int, description=f"Maximum number of changes to return, up to {MOST}."),
        ],
        responses=ChangeSerializer(many=True),
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def changes(self, request: Request, key: str) -> Response:
        """Users who joined or left after change number `after`, in order of the changes. Users who left are listed for
        30 days: poll more often than that.
        """
        after, most = _number(request, "after", 0, 2**62), _number(request, "most", 1_000, MOST)
        rows = AudienceMember.objects.filter(audience=self.get_object(), change__gt=after).order_by("change")[:most]
        return Response(ChangeSerializer(rows, many=True).data)


def _number(request: Request, name: str, usual: int, most: int) -> int:
    text = request.query_params.get(name, str(usual))
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > most:
        raise Refused("{name} is a whole number from 0 to {most}.", at=name, name=name, most=most)
    return int(text)
