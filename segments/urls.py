from django.urls import path

from runs.later import views_of
from runs.web import cancel, progress

SEARCH, CHURN, COMPARISON = ({"label": f"segments.{name}"} for name in ("SegmentationRun", "ChurnRun", "ComparisonRun"))
views = views_of("segments.views")

app_name = "segments"
urlpatterns = [
    path("", views.segment_list, name="list"),
    path("runs/new/", views.new_run, name="new_run"),
    path("runs/new/foretold/", views.foretell_run, name="foretell_run"),
    path("runs/<int:pk>/", views.run_page, name="run"),
    path("runs/<int:pk>/progress/", progress, SEARCH, name="run_progress"),
    path("runs/<int:pk>/cancel/", cancel, SEARCH, name="run_cancel"),
    path("runs/<int:pk>/publish/", views.publish_run, name="publish_run"),
    path("rules/new/", views.new_rule, name="new_rule"),
    path("rules/builder/", views.rule_builder, name="rule_builder"),
    path("rules/preview/", views.preview_rule, name="preview_rule"),
    path("models/<slug:key>/", views.model_page, name="model"),
    path("models/<slug:key>/refresh/", views.refresh_model, name="refresh_model"),
    path("<int:pk>/name/", views.rename_segment, name="rename"),
    path("<int:pk>/members.csv", views.members_csv, name="members"),
    path("<int:pk>/churn/", views.start_churn, name="start_churn"),
    path("<int:pk>/", views.segment_page, name="segment"),
    path("users/", views.find_user, name="find_user"),
    path("compare/", views.compare, name="compare"),
    path("compare/start/", views.start_comparison, name="start_comparison"),
    path("comparisons/<int:pk>/", views.comparison_page, name="comparison"),
    path("comparisons/<int:pk>/progress/", progress, COMPARISON, name="comparison_progress"),
    path("comparisons/<int:pk>/cancel/", cancel, COMPARISON, name="comparison_cancel"),
    path("churn/<int:pk>/", views.churn_page, name="churn"),
    path("churn/<int:pk>/progress/", progress, CHURN, name="churn_progress"),
    path("churn/<int:pk>/cancel/", cancel, CHURN, name="churn_cancel"),
]
