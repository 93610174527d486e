from django.urls import path

from experiments import views
from experiments.plan_page import views as plan_page
from experiments.steps import new_plan, search_page
from experiments.steps import views as steps
from runs.web import cancel, progress

ANALYSIS = {"label": "experiments.Analysis"}

app_name = "experiments"
urlpatterns = [
    path("", views.experiment_list, name="list"),
    path("-/calibration/", views.calibration, name="calibration"),  # no experiment's key begins with a dash
    path("-/new/", new_plan.new_plan, name="new_plan"),
    path("calibration/", views.calibration_until_0_3),
    path("<str:key>/", views.report, name="report"),
    path("<str:key>/plan/search/", search_page.design_search, name="plan_search"),
    path("<str:key>/plan/export/<slug:form>/", plan_page.plan_export, name="plan_export"),
    path("<str:key>/plan/numbers/", plan_page.plan_numbers, name="plan_numbers"),
    path("<str:key>/plan/comments/", plan_page.plan_comment, name="plan_comment"),
    path("<str:key>/plan/comments/<int:pk>/", plan_page.settle_comment, name="settle_comment"),
    path("<str:key>/plan/<slug:step>/outlook/", steps.plan_outlook, name="plan_outlook"),
    path("<str:key>/plan/<slug:step>/", steps.step, name="step"),
    path("<str:key>/analyse/", views.analyse, name="analyse"),
    path("<str:key>/peek/", views.peek, name="peek"),
    path("<str:key>/<int:pk>/", views.analysis, name="analysis"),
    path("<str:key>/<int:pk>/segment/", views.draft_rule_segment, name="draft_segment"),
    path("<str:experiment__key>/<int:pk>/progress/", progress, ANALYSIS, name="analysis_progress"),
    path("<str:experiment__key>/<int:pk>/cancel/", cancel, ANALYSIS, name="analysis_cancel"),
]
