from django.urls import include, path
from rest_framework.routers import SimpleRouter

from experiments.api.analyses import AnalysesView, AnalysisView, CalibrationView, LatestAnalysisView
from experiments.api.causes_map import MapView
from experiments.api.experiments import ExperimentViewSet, MomentExperimentsView
from experiments.api.holdout_reports import (
    HoldoutPlansView,
    HoldoutPlanView,
    HoldoutReadingsView,
    HoldoutReadingView,
    LatestHoldoutReadingView,
    LatestOverlapView,
    OverlapsView,
)
from experiments.api.layers_webhooks import HoldoutViewSet, LayerViewSet, WebhookEndpointViewSet
from experiments.api.reviews import (
    CommentsView,
    CommentView,
    PlanTemplateViewSet,
    PolicyView,
    ReviewAnswersView,
    ReviewItemViewSet,
    ReviewRequestsView,
    ReviewTicksView,
    ReviewView,
    TemplateDraftsView,
    TemplateUseView,
)
from experiments.api.rollouts import (
    BackRolloutView,
    ChangeRolloutView,
    HoldRolloutView,
    KillView,
    ResumeRolloutView,
    RolloutMovesView,
    RolloutView,
)

app_name = "experiments_api"
router = SimpleRouter(trailing_slash=False)
router.register("experiments", ExperimentViewSet)
router.register("layers", LayerViewSet)
router.register("holdouts", HoldoutViewSet)
router.register("webhook-endpoints", WebhookEndpointViewSet)
router.register("plan-templates", PlanTemplateViewSet)
router.register("review-items", ReviewItemViewSet)
urlpatterns = [
    path("experiments/<str:key>/review", ReviewView.as_view(), name="review"),
    path("experiments/<str:key>/review/requests", ReviewRequestsView.as_view(), name="review-requests"),
    path("experiments/<str:key>/review/answers", ReviewAnswersView.as_view(), name="review-answers"),
    path("experiments/<str:key>/review/ticks", ReviewTicksView.as_view(), name="review-ticks"),
    path("experiments/<str:key>/comments", CommentsView.as_view(), name="comments"),
    path("experiments/<str:key>/comments/<int:pk>", CommentView.as_view(), name="comment"),
    path("experiments/<str:key>/template", TemplateUseView.as_view(), name="template-use"),
    path("plan-templates/<slug:key>/drafts", TemplateDraftsView.as_view(), name="template-drafts"),
    path("review-policy", PolicyView.as_view(), name="review-policy"),
    path("experiments/<str:key>/analyses", AnalysesView.as_view(), name="analyses"),
    path("experiments/<str:key>/analyses/latest", LatestAnalysisView.as_view(), name="analyses-latest"),
    path("experiments/<str:key>/analyses/<int:pk>", AnalysisView.as_view(), name="analysis"),
    path("holdout-plans", HoldoutPlansView.as_view(), name="holdout-plans"),
    path("holdout-plans/<int:pk>", HoldoutPlanView.as_view(), name="holdout-plan"),
    path("holdout-plans/<int:pk>/readings", HoldoutReadingsView.as_view(), name="holdout-readings"),
    path("holdout-plans/<int:pk>/readings/latest", LatestHoldoutReadingView.as_view(), name="holdout-readings-latest"),
    path("holdout-plans/<int:pk>/readings/<int:reading>", HoldoutReadingView.as_view(), name="holdout-reading"),
    path("overlaps", OverlapsView.as_view(), name="overlaps"),
    path("overlaps/latest", LatestOverlapView.as_view(), name="overlaps-latest"),
    path("experiments/<str:key>/kill", KillView.as_view(), name="kill"),
    path("experiments/<str:key>/rollout", RolloutView.as_view(), name="rollout"),
    path("experiments/<str:key>/rollout/change", ChangeRolloutView.as_view(), name="rollout-change"),
    path("experiments/<str:key>/rollout/hold", HoldRolloutView.as_view(), name="rollout-hold"),
    path("experiments/<str:key>/rollout/resume", ResumeRolloutView.as_view(), name="rollout-resume"),
    path("experiments/<str:key>/rollout/back", BackRolloutView.as_view(), name="rollout-back"),
    path("experiments/<str:key>/rollout/moves", RolloutMovesView.as_view(), name="rollout-moves"),
    path("map", MapView.as_view(), name="map"),
    path("calibration", CalibrationView.as_view(), name="calibration"),
    path("moments/<slug:key>/experiments", MomentExperimentsView.as_view(), name="moment-experiments"),
    path("", include(router.urls)),
]
