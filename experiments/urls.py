from django.urls import path

from runs.web import cancel, progress, views_of

ANALYSIS = {"label": "experiments.Analysis"}
READING = {"label": "experiments.HoldoutReading"}
OVERLAP = {"label": "experiments.OverlapReport"}
JUDGED = {"label": "experiments.FinishedTest"}

plan_page = views_of("experiments.pages.review")
planning = views_of("experiments.pages.calendar_page")
steps = views_of("experiments.pages.steps")
new_plan = views_of("experiments.pages.steps")
search_page = views_of("experiments.pages.search_page")
calibration = views_of("experiments.pages.several")
causes_map = views_of("experiments.pages.causes_map")
changes = views_of("experiments.pages.moves")
compare = views_of("experiments.pages.several")
review = views_of("experiments.pages.review")
templates = views_of("experiments.pages.templates")
holdouts = views_of("experiments.pages.holdouts")
judge = views_of("experiments.pages.judge")
listing = views_of("experiments.pages.listing")
memo = views_of("experiments.pages.memo")
moves = views_of("experiments.pages.moves")
preview = views_of("experiments.pages.preview")
overlap = views_of("experiments.pages.several")
results = views_of("experiments.pages.tabs")
rollout_page = views_of("experiments.pages.rollout_page")
setup = views_of("experiments.pages.setup")
tabs = views_of("experiments.pages.tabs")

app_name = "experiments"
urlpatterns = [
    path("", listing.experiment_list, name="list"),
    # "-" can't be an experiment's key, which begins with a letter or digit.
    path("-/calibration/", calibration.calibration, name="calibration"),
    path("-/map/", causes_map.causes_map, name="causes_map"),
    path("-/map/json/", causes_map.causes_map_file, name="causes_map_file"),
    path("-/new/", new_plan.new_plan, name="new_plan"),
    path("-/calendar/", planning.tests_by_week, name="calendar"),
    path("-/six-weeks/", planning.six_weeks, name="six_weeks"),
    path("-/six-weeks/rows/", planning.six_weeks_rows, name="six_weeks_rows"),
    path("-/compare/", compare.compare, name="compare"),
    path("-/holdouts/", holdouts.holdout_list, name="holdouts"),
    path("-/holdouts/new/", holdouts.new_holdout_plan, name="new_holdout_plan"),
    path("-/holdouts/<int:pk>/", holdouts.holdout_plan, name="holdout"),
    path("-/holdouts/<int:pk>/read/", holdouts.read_holdout_now, name="read_holdout_now"),
    path("-/holdouts/<int:plan_id>/<int:pk>/", holdouts.holdout_reading, name="holdout_reading"),
    path("-/holdouts/<int:plan_id>/<int:pk>/progress/", progress, READING, name="holdout_reading_progress"),
    path("-/holdouts/<int:plan_id>/<int:pk>/cancel/", cancel, READING, name="holdout_reading_cancel"),
    path("-/judge/", judge.choose_test, name="judge"),
    path("-/judge/<uuid:key>/", judge.columns, name="judge_columns"),
    path("-/judge/<uuid:key>/remove/", judge.remove_test, name="judge_remove"),
    path("-/judge/tests/<int:pk>/", judge.judged, name="judged"),
    path("-/judge/tests/<int:pk>/progress/", progress, JUDGED, name="judged_progress"),
    path("-/judge/tests/<int:pk>/cancel/", cancel, JUDGED, name="judged_cancel"),
    path("-/judge/tests/<int:pk>/add/", judge.add_test, name="judged_add"),
    path("-/overlap/", overlap.overlap, name="overlap"),
    path("-/overlap/count/", overlap.count_overlap, name="count_overlap"),
    path("-/overlap/<int:pk>/", overlap.overlap_report, name="overlap_report"),
    path("-/overlap/<int:pk>/progress/", progress, OVERLAP, name="overlap_report_progress"),
    path("-/overlap/<int:pk>/cancel/", cancel, OVERLAP, name="overlap_report_cancel"),
    path("-/do/<slug:action>/", moves.do_several, name="do_several"),
    path("-/reviews/", review.reviews, name="reviews"),
    path("-/reviews/rule/", review.rule, name="review_rule"),
    path("-/templates/", templates.plan_templates, name="templates"),
    path("-/templates/<slug:template>/", templates.plan_template, name="template"),
    path("-/templates/<slug:template>/archive/", templates.archive, name="archive_template"),
    path("calibration/", calibration.calibration_until_0_3),
    path("compare/", compare.compare_by_short_address),
    path("<str:key>/", results.report, name="report"),
    path("<str:key>/results/<slug:part>/", results.report, name="part"),
    path("<str:key>/preview/", preview.report_preview, name="preview"),
    path("<str:key>/memo/", memo.decision_memo, name="memo"),
    path("<str:key>/health/", tabs.health, name="health"),
    path("<str:key>/plan/", tabs.plan, name="plan"),
    path("<str:key>/review/<slug:verb>/", review.do, name="review"),
    path("<str:key>/template/", templates.save_as, name="save_template"),
    path("<str:key>/template/release/", templates.release_draft, name="release_template"),
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
    path("<str:key>/rollout/", rollout_page.rollout, name="rollout"),
    path("<str:key>/rollout/ship/", rollout_page.ship, name="ship"),
    path("<str:key>/rollout/do/<slug:action>/", rollout_page.move, name="rollout_move"),
    path("<str:key>/kill/", rollout_page.kill, name="kill"),
    path("<str:key>/amend/", changes.amend, name="amend"),
    path("<str:key>/coverage/", changes.coverage, name="coverage"),
    path("<str:key>/analyse/", moves.analyse, name="analyse"),
    path("<str:key>/analyse/reads/", tabs.analysis_reads, name="analysis_reads"),
    path("<str:key>/peek/", moves.peek, name="peek"),
    path("<str:key>/<int:pk>/", results.analysis, name="analysis"),
    path("<str:key>/<int:pk>/results/<slug:part>/", results.analysis, name="analysis_part"),
    path("<str:key>/<int:pk>/segment/", results.draft_rule_segment, name="draft_segment"),
    path("<str:experiment__key>/<int:pk>/progress/", progress, ANALYSIS, name="analysis_progress"),
    path("<str:experiment__key>/<int:pk>/cancel/", cancel, ANALYSIS, name="analysis_cancel"),
]
