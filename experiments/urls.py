from django.urls import path

from runs.later import views_of
from runs.web import cancel, progress

ANALYSIS = {"label": "experiments.Analysis"}

plan_page = views_of("experiments.plan_page.views")
steps = views_of("experiments.steps.views")
new_plan = views_of("experiments.steps.new_plan")
search_page = views_of("experiments.steps.search_page")
calibration = views_of("experiments.views.calibration")
changes = views_of("experiments.views.changes")
compare = views_of("experiments.views.compare")
listing = views_of("experiments.views.listing")
moves = views_of("experiments.views.moves")
results = views_of("experiments.views.results")
setup = views_of("experiments.views.setup")
tabs = views_of("experiments.views.tabs")

app_name = "experiments"
urlpatterns = [
    path("", listing.experiment_list, name="list"),
    # No experiment's key begins with a dash.
    path("-/calibration/", calibration.calibration, name="calibration"),
    path("-/new/", new_plan.new_plan, name="new_plan"),
    path("-/compare/", compare.compare, name="compare"),
    path("-/do/<slug:action>/", moves.do_several, name="do_several"),
    path("calibration/", calibration.calibration_until_0_3),
    path("compare/", compare.compare_by_short_address),
    path("<str:key>/", results.report, name="report"),
    path("<str:key>/health/", tabs.health, name="health"),
    path("<str:key>/plan/", tabs.plan, name="plan"),
    path("<str:key>/plan/search/", search_page.design_search, name="plan_search"),
    path("<str:key>/plan/export/<slug:form>/", plan_page.plan_export, name="plan_export"),
    path("<str:key>/plan/numbers/", plan_page.plan_numbers, name="plan_numbers"),
    path("<str:key>/plan/comments/", plan_page.plan_comment, name="plan_comment"),
    path("<str:key>/plan/comments/<int:pk>/", plan_page.settle_comment, name="settle_comment"),
    path("<str:key>/plan/<slug:step>/outlook/", steps.plan_outlook, name="plan_outlook"),
    path("<str:key>/plan/<slug:step>/", steps.step, name="step"),
    path("<str:key>/setup/", setup.setup, name="setup"),
    path("<str:key>/setup/live/", setup.live, name="setup_live"),
    path("<str:key>/setup/testers/", setup.testers, name="testers"),
    path("<str:key>/history/", tabs.history, name="history"),
    path("<str:key>/do/<slug:action>/", moves.do, name="do"),
    path("<str:key>/amend/", changes.amend, name="amend"),
    path("<str:key>/coverage/", changes.coverage, name="coverage"),
    path("<str:key>/analyse/", moves.analyse, name="analyse"),
    path("<str:key>/peek/", moves.peek, name="peek"),
    path("<str:key>/<int:pk>/", results.analysis, name="analysis"),
    path("<str:key>/<int:pk>/segment/", results.draft_rule_segment, name="draft_segment"),
    path("<str:experiment__key>/<int:pk>/progress/", progress, ANALYSIS, name="analysis_progress"),
    path("<str:experiment__key>/<int:pk>/cancel/", cancel, ANALYSIS, name="analysis_cancel"),
]
