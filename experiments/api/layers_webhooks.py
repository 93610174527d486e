"""Layers, holdouts and webhooks in the management API."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from experiments.api import layer_serializers as shapes
from experiments.api.base import Newest, asked
from experiments.models import Holdout, Layer, WebhookDelivery, WebhookEndpoint
from experiments.plan import layers
from experiments.webhooks import deliver


class LayerViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Layer]):
    """Layers: experiments that run in one layer take disjoint slices of its units."""

    queryset = Layer.objects.order_by("key")
    serializer_class = shapes.LayerSerializer
    lookup_field = "key"
    lookup_value_regex = "[A-Za-z0-9._-]+"

    @extend_schema(responses={201: shapes.LayerSerializer})
    def create(self, request: Request) -> Response:
        """Create a layer."""
        made = layers.create_layer(**asked(shapes.LayerSerializer, request))
        return Response(shapes.LayerSerializer(made).data, status=status.HTTP_201_CREATED)


class HoldoutViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Holdout]):
    """Holdouts: shares of units that experiments leave out."""

    queryset = Holdout.objects.order_by("key")
    serializer_class = shapes.HoldoutSerializer
    lookup_field = "key"
    lookup_value_regex = "[A-Za-z0-9._-]+"

    @extend_schema(responses={201: shapes.HoldoutSerializer})
    def create(self, request: Request) -> Response:
        """Create a holdout. While it is active, new drafts leave its units out."""
        made = layers.create_holdout(**asked(shapes.HoldoutSerializer, request))
        return Response(shapes.HoldoutSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=shapes.ActiveSerializer, responses=shapes.HoldoutSerializer)
    @action(detail=True, methods=["post"], url_path="set-active")
    def set_active(self, request: Request, key: str) -> Response:
        """Set whether new drafts use it; only one holdout is active. Its share can't change: that would move units."""
        row = layers.set_active(holdout=self.get_object(), **asked(shapes.ActiveSerializer, request))
        return Response(shapes.HoldoutSerializer(row).data)


class WebhookEndpointViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[WebhookEndpoint]
):
    """Webhook endpoints: addresses that receive events of experiments. A secret is shown once, when it is created."""

    queryset = WebhookEndpoint.objects.order_by("id")
    serializer_class = shapes.WebhookEndpointSerializer
    lookup_value_regex = r"\d{1,18}"
    private = True  # addresses of other systems: a person needs the view permission

    @extend_schema(request=shapes.NewWebhookEndpointSerializer, responses={201: shapes.WebhookSecretSerializer})
    def create(self, request: Request) -> Response:
        """Create an endpoint; the response contains its secret."""
        made = deliver.create_endpoint(**asked(shapes.NewWebhookEndpointSerializer, request))
        return _secret(made, status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change name or address, enable or disable the endpoint."""
        endpoint = self.get_object()
        change = self.get_serializer(endpoint, data=request.data, partial=True)
        change.is_valid(raise_exception=True)
        row = deliver.update_endpoint(endpoint=endpoint, **change.validated_data)
        return Response(shapes.WebhookEndpointSerializer(row).data)

    @extend_schema(request=None, responses=shapes.WebhookSecretSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str) -> Response:
        """Issue a new secret. For KEY_ROTATION_DAYS (7), messages are also signed with the old one."""
        return _secret(deliver.rotate_secret(endpoint=self.get_object()))

    @extend_schema(responses=shapes.WebhookDeliverySerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=Newest)
    def deliveries(self, request: Request, pk: str) -> Response:
        """Deliveries of the endpoint, sent and waiting, newest first."""
        rows: Any = WebhookDelivery.objects.filter(endpoint=self.get_object())
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(shapes.WebhookDeliverySerializer(page, many=True).data)


def _secret(row: WebhookEndpoint, code: int = status.HTTP_200_OK) -> Response:
    return Response(shapes.WebhookSecretSerializer(row).data, status=code, headers={"Cache-Control": "no-store"})
