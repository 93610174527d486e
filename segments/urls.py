from django.urls import path

from segments import views

app_name = "segments"
urlpatterns = [
    path("", views.segment_list, name="list"),
    path("runs/new", views.new_run, name="new_run"),
    path("runs/<int:pk>", views.run_page, name="run"),
    path("runs/<int:pk>/progress", views.run_progress, name="run_progress"),
    path("runs/<int:pk>/cancel", views.cancel_run, name="cancel_run"),
    path("runs/<int:pk>/publish", views.publish_run, name="publish_run"),
    path("rules/new", views.new_rule, name="new_rule"),
    path("rules/preview", views.preview_rule, name="preview_rule"),
    path("models/<slug:key>", views.model_page, name="model"),
    path("models/<slug:key>/refresh", views.refresh_model, name="refresh_model"),
    path("<int:pk>/name", views.rename_segment, name="rename"),
    path("<int:pk>/members.csv", views.members_csv, name="members"),
    path("<int:pk>/churn", views.start_churn, name="start_churn"),
    path("models/<slug:key>/compare", views.start_comparison, name="start_comparison"),
    path("comparisons/<int:pk>", views.comparison_page, name="comparison"),
    path("comparisons/<int:pk>/progress", views.comparison_progress, name="comparison_progress"),
    path("comparisons/<int:pk>/cancel", views.cancel_comparison, name="cancel_comparison"),
    path("churn/<int:pk>", views.churn_page, name="churn"),
    path("churn/<int:pk>/progress", views.churn_progress, name="churn_progress"),
    path("churn/<int:pk>/cancel", views.cancel_churn, name="cancel_churn"),
]
