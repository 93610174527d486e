"""Layers, holdouts and webhooks in the management API."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from experiments import webhooks
from experiments.api.serializers import Newest, Row, asked, steps
from experiments.models import Holdout, Layer, WebhookDelivery, WebhookEndpoint
from experiments.plan import audience

# Serializers of layers, holdouts and webhooks.


class LayerSerializer(serializers.ModelSerializer[Layer]):
    class Meta:
        model = Layer
        fields = ["key", "name"]


class HoldoutSerializer(serializers.ModelSerializer[Holdout]):
    share = steps(1)

    class Meta:
        model = Holdout
        fields = ["key", "share", "active"]


class ActiveSerializer(serializers.Serializer[Row]):
    active = serializers.BooleanField()


class WebhookEndpointSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    class Meta:
        model = WebhookEndpoint
        fields = ["id", "name", "url", "enabled", "disabled_reason", "previous_until", "created_at"]
        read_only_fields = ["disabled_reason", "previous_until", "created_at"]


class NewWebhookEndpointSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    class Meta:
        model = WebhookEndpoint
        fields = ["name", "url"]


class WebhookSecretSerializer(WebhookEndpointSerializer):
    """An endpoint with its secret, which is shown only in this response."""

    class Meta(WebhookEndpointSerializer.Meta):
        fields = [*WebhookEndpointSerializer.Meta.fields, "secret"]
        read_only_fields = [*WebhookEndpointSerializer.Meta.read_only_fields, "secret"]


class WebhookDeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    class Meta:
        model = WebhookDelivery
        fields = ["id", "message_id", "type", "created_at", "tries", "next_try_at", "delivered_at", "status", "trouble"]
        read_only_fields = fields


class LayerViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Layer]):
    """Layers: experiments that run in one layer take disjoint slices of its units."""

    queryset = Layer.objects.order_by("key")
    serializer_class = LayerSerializer
    lookup_field = "key"
    lookup_value_regex = "[A-Za-z0-9._-]+"

    @extend_schema(responses={201: LayerSerializer})
    def create(self, request: Request) -> Response:
        """Create a layer."""
        made = audience.create_layer(**asked(LayerSerializer, request))
        return Response(LayerSerializer(made).data, status=status.HTTP_201_CREATED)


class HoldoutViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Holdout]):
    """Holdouts: shares of units that experiments leave out."""

    queryset = Holdout.objects.order_by("key")
    serializer_class = HoldoutSerializer
    lookup_field = "key"
    lookup_value_regex = "[A-Za-z0-9._-]+"

    @extend_schema(responses={201: HoldoutSerializer})
    def create(self, request: Request) -> Response:
        """Create a holdout. While it is active, new drafts leave its units out."""
        made = audience.create_holdout(**asked(HoldoutSerializer, request))
        return Response(HoldoutSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ActiveSerializer, responses=HoldoutSerializer)
    @action(detail=True, methods=["post"], url_path="set-active")
    def set_active(self, request: Request, key: str) -> Response:
        """Set whether new drafts use it; only one holdout is active. Its share can't change: that would move units."""
        row = audience.set_active(holdout=self.get_object(), **asked(ActiveSerializer, request))
        return Response(HoldoutSerializer(row).data)


class WebhookEndpointViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[WebhookEndpoint]
):
    """Webhook endpoints: addresses that receive events of experiments. A secret is shown once, when it is created."""

    queryset = WebhookEndpoint.objects.order_by("id")
    serializer_class = WebhookEndpointSerializer
    lookup_value_regex = r"\d{1,18}"
    private = True  # addresses of other systems: a person needs the view permission

    @extend_schema(request=NewWebhookEndpointSerializer, responses={201: WebhookSecretSerializer})
    def create(self, request: Request) -> Response:
        """Create an endpoint; the response contains its secret."""
        made = webhooks.create_endpoint(**asked(NewWebhookEndpointSerializer, request))
        return _secret(made, status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change name or address, enable or disable the endpoint."""
        endpoint = self.get_object()
        change = self.get_serializer(endpoint, data=request.data, partial=True)
        change.is_valid(raise_exception=True)
        row = webhooks.update_endpoint(endpoint=endpoint, **change.validated_data)
        return Response(WebhookEndpointSerializer(row).data)

    @extend_schema(request=None, responses=WebhookSecretSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str) -> Response:
        """Issue a new secret. For KEY_ROTATION_DAYS (7), messages are also signed with the old one."""
        return _secret(webhooks.rotate_secret(endpoint=self.get_object()))

    @extend_schema(responses=WebhookDeliverySerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=Newest)
    def deliveries(self, request: Request, pk: str) -> Response:
        """Deliveries of the endpoint, sent and waiting, newest first."""
        rows: Any = WebhookDelivery.objects.filter(endpoint=self.get_object())
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(WebhookDeliverySerializer(page, many=True).data)


def _secret(row: WebhookEndpoint, code: int = status.HTTP_200_OK) -> Response:
    return Response(WebhookSecretSerializer(row).data, status=code, headers={"Cache-Control": "no-store"})
