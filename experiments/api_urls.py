from django.urls import include, path
from rest_framework.routers import SimpleRouter

from experiments.api import ExperimentViewSet, MomentExperimentsView
from experiments.api_parts import HoldoutViewSet, LayerViewSet, WebhookEndpointViewSet

app_name = "experiments_api"
router = SimpleRouter(trailing_slash=False)
router.register("experiments", ExperimentViewSet)
router.register("layers", LayerViewSet)
router.register("holdouts", HoldoutViewSet)
router.register("webhook-endpoints", WebhookEndpointViewSet)
urlpatterns = [
    path("moments/<slug:key>/experiments", MomentExperimentsView.as_view(), name="moment-experiments"),
    path("", include(router.urls)),
]
