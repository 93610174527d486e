""""""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from events.api import MetricViewSet

app_name = "metrics_api"
router = SimpleRouter(trailing_slash=False)
router.register("metrics", MetricViewSet)
urlpatterns = [path("", include(router.urls))]
