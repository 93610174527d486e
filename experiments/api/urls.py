from django.urls import include, path
from rest_framework.routers import SimpleRouter

from experiments.api.analyses import AnalysesView, AnalysisView, CalibrationView, LatestAnalysisView
from experiments.api.experiments import ExperimentViewSet, MomentExperimentsView
from experiments.api.layers_webhooks import HoldoutViewSet, LayerViewSet, WebhookEndpointViewSet

app_name = "experiments_api"
router = SimpleRouter(trailing_slash=False)
router.register("experiments", ExperimentViewSet)
router.register("layers", LayerViewSet)
router.register("holdouts", HoldoutViewSet)
router.register("webhook-endpoints", WebhookEndpointViewSet)
urlpatterns = [
    path("experiments/<str:key>/analyses", AnalysesView.as_view(), name="analyses"),
    path("experiments/<str:key>/analyses/latest", LatestAnalysisView.as_view(), name="analyses-latest"),
    path("experiments/<str:key>/analyses/<int:pk>", AnalysisView.as_view(), name="analysis"),
    path("calibration", CalibrationView.as_view(), name="calibration"),
    path("moments/<slug:key>/experiments", MomentExperimentsView.as_view(), name="moment-experiments"),
    path("", include(router.urls)),
]
