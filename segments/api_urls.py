from django.urls import include, path
from rest_framework.routers import SimpleRouter

from segments.api import SegmentationViewSet, SegmentModelViewSet, SegmentViewSet

app_name = "segments_api"
router = SimpleRouter(trailing_slash=False)
router.register("segmentations", SegmentationViewSet)
router.register("segment-models", SegmentModelViewSet)
router.register("segments", SegmentViewSet)
urlpatterns = [path("", include(router.urls))]
