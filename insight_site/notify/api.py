"""Team channels and digest recipients over HTTP. Addresses can be written but not read."""

from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from insight_site.models import DigestRecipient, NoticeChannel
from insight_site.notify.notice_kinds import KINDS
from insight_site.notify.preferences import add_channel, change_address
from insight_site.rest.endpoints import ByNumber


class NoticeChannelSerializer(serializers.ModelSerializer[NoticeChannel]):
    """A team's notification channel, without its address."""

    kinds = serializers.ListField(child=serializers.ChoiceField(choices=[kind.key for kind in KINDS]))

    class Meta:
        model = NoticeChannel
        fields = ["id", "name", "service", "language", "kinds", "enabled", "created_at"]
        read_only_fields = ["id", "service", "created_at"]


class ChannelChangeSerializer(NoticeChannelSerializer):
    """A channel with its address, which can be written but not read."""

    url = serializers.CharField(
        max_length=1_000,
        write_only=True,
        help_text="Apprise URL of the channel; write-only, since it contains credentials.",
    )

    class Meta(NoticeChannelSerializer.Meta):
        fields = ["name", "url", "language", "kinds", "enabled"]
        read_only_fields: list[str] = []


class DigestRecipientSerializer(serializers.ModelSerializer[DigestRecipient]):
    class Meta:
        model = DigestRecipient
        fields = ["id", "email", "language", "enabled", "added_at", "stopped_at"]
        read_only_fields = ["id", "added_at", "stopped_at"]


class NoticeChannelViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[NoticeChannel]
):
    """Team channels, which receive the chosen kinds of notices. Personal channels of accounts aren't listed."""

    queryset = NoticeChannel.objects.filter(owner=None).order_by("id")
    serializer_class = NoticeChannelSerializer
    pagination_class = ByNumber
    lookup_value_regex = r"\d{1,18}"
    private = True  # reading needs the permission too

    @extend_schema(request=ChannelChangeSerializer, responses={201: NoticeChannelSerializer})
    def create(self, request: Request) -> Response:
        """Add a channel; 409 for an address that notices may not be sent to."""
        serializer = ChannelChangeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = cast(dict[str, Any], serializer.validated_data)
        enabled = values.pop("enabled", True)
        row = add_channel(**values)
        if not enabled:
            row.enabled = False
            row.save(update_fields=["enabled"])
        return Response(NoticeChannelSerializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ChannelChangeSerializer, responses={200: NoticeChannelSerializer})
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the given fields; the others stay, including the address."""
        row: NoticeChannel = self.get_object()
        serializer = ChannelChangeSerializer(row, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        values = cast(dict[str, Any], serializer.validated_data)
        if url := values.pop("url", ""):
            change_address(channel=row, url=url)
        for name, value in values.items():
            setattr(row, name, value)
        row.save(update_fields=list(values))
        return Response(NoticeChannelSerializer(row).data)


class DigestRecipientViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[DigestRecipient],
):
    """Recipients of the weekly digest by e-mail, with or without an account."""

    queryset = DigestRecipient.objects.order_by("id")
    serializer_class = DigestRecipientSerializer
    pagination_class = ByNumber
    lookup_value_regex = r"\d{1,18}"
    private = True  # addresses of people
