from django.urls import path

from experiments.views import results as views
from runs.web import cancel, progress

ANALYSIS = {"label": "experiments.Analysis"}

app_name = "experiments"
urlpatterns = [
    path("", views.experiment_list, name="list"),
    path("-/calibration/", views.calibration, name="calibration"),  # no experiment's key begins with a dash
    path("calibration/", views.calibration_until_0_3),
    path("<str:key>/", views.report, name="report"),
    path("<str:key>/analyse/", views.analyse, name="analyse"),
    path("<str:key>/peek/", views.peek, name="peek"),
    path("<str:key>/<int:pk>/", views.analysis, name="analysis"),
    path("<str:key>/<int:pk>/segment/", views.draft_rule_segment, name="draft_segment"),
    path("<str:experiment__key>/<int:pk>/progress/", progress, ANALYSIS, name="analysis_progress"),
    path("<str:experiment__key>/<int:pk>/cancel/", cancel, ANALYSIS, name="analysis_cancel"),
]
