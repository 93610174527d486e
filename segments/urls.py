from django.urls import path

from runs.web import cancel, progress, views_of

SEARCH, CHURN, COMPARISON = ({"label": f"segments.{name}"} for name in ("SegmentationRun", "ChurnRun", "ComparisonRun"))
comparing = views_of("segments.views.comparing")
published = views_of("segments.views.published")
rules = views_of("segments.views.rules")
searching = views_of("segments.views.searching")

app_name = "segments"
urlpatterns = [
    path("", searching.segment_list, name="list"),
    path("runs/new/", searching.new_run, name="new_run"),
    path("runs/new/foretold/", searching.foretell_run, name="foretell_run"),
    path("runs/<int:pk>/", searching.run_page, name="run"),
    path("runs/<int:pk>/progress/", progress, SEARCH, name="run_progress"),
    path("runs/<int:pk>/cancel/", cancel, SEARCH, name="run_cancel"),
    path("runs/<int:pk>/publish/", searching.publish_run, name="publish_run"),
    path("rules/new/", rules.new_rule, name="new_rule"),
    path("rules/builder/", rules.rule_builder, name="rule_builder"),
    path("rules/preview/", rules.preview_rule, name="preview_rule"),
    path("models/<slug:key>/", published.model_page, name="model"),
    path("models/<slug:key>/refresh/", published.refresh_model, name="refresh_model"),
    path("<int:pk>/name/", published.rename_segment, name="rename"),
    path("<int:pk>/members.csv", published.members_csv, name="members"),
    path("<int:pk>/churn/", published.start_churn, name="start_churn"),
    path("<int:pk>/", published.segment_page, name="segment"),
    path("users/", published.find_user, name="find_user"),
    path("compare/", comparing.compare, name="compare"),
    path("compare/start/", comparing.start_comparison, name="start_comparison"),
    path("comparisons/<int:pk>/", comparing.comparison_page, name="comparison"),
    path("comparisons/<int:pk>/progress/", progress, COMPARISON, name="comparison_progress"),
    path("comparisons/<int:pk>/cancel/", cancel, COMPARISON, name="comparison_cancel"),
    path("churn/<int:pk>/", published.churn_page, name="churn"),
    path("churn/<int:pk>/progress/", progress, CHURN, name="churn_progress"),
    path("churn/<int:pk>/cancel/", cancel, CHURN, name="churn_cancel"),
]
