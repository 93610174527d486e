from rest_framework import serializers, viewsets

from segments.models import Segment, SegmentModel


class SegmentSerializer(serializers.ModelSerializer[Segment]):
    version = serializers.IntegerField(source="version.number", read_only=True)
    model = serializers.SlugField(source="version.model.key", read_only=True)

    class Meta:
        model = Segment
        fields = ["id", "model", "version", "key", "number", "name", "size", "stability", "targetable", "profile"]
        read_only_fields = ["key", "number", "size", "stability", "targetable", "profile"]


class SegmentModelSerializer(serializers.ModelSerializer[SegmentModel]):
    class Meta:
        model = SegmentModel
        fields = ["key", "name", "kind", "refresh_days", "created_at"]
        read_only_fields = ["key", "kind", "created_at"]


class SegmentModelViewSet(viewsets.ReadOnlyModelViewSet[SegmentModel]):
    """Segment models: named ways to tell users apart."""

    queryset = SegmentModel.objects.order_by("key")
    serializer_class = SegmentModelSerializer
    lookup_field = "key"
    filterset_fields = ["kind"]


class SegmentViewSet(viewsets.ReadOnlyModelViewSet[Segment]):
    """Segments of every version."""

    queryset = Segment.objects.select_related("version__model").order_by("id")
    serializer_class = SegmentSerializer
    filterset_fields = ["version__model__key", "version__number", "targetable"]
