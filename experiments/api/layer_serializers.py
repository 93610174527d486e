"""Serializers of layers, holdouts and webhooks."""

from rest_framework import serializers

from experiments.api.serializers import Row, steps
from experiments.models import Holdout, Layer, WebhookDelivery, WebhookEndpoint


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
