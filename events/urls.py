from django.urls import path

from runs.later import views_of
from runs.web import cancel, progress

IMPORT = {"label": "events.FileImport"}
CHECK = {"label": "events.MetricCheck"}
uploads = views_of("events.uploads.views")
catalogue = views_of("events.views.metrics")
event_list = views_of("events.views.event_list")
event_page = views_of("events.views.event_page")
live = views_of("events.views.live")
overview = views_of("events.views.overview")

app_name = "events"
urlpatterns = [
    path("", overview.overview, name="overview"),
    path("events/", event_list.event_list, name="list"),
    path("event/", event_page.event_page, name="event"),
    path("event/trend/", event_page.event_trend_part, name="trend"),
    path("event/label/", event_page.edit_label, name="label"),
    path("live/", live.live, name="live"),
    path("metrics/", catalogue.metric_list, name="metrics"),
    path("metrics/new/", catalogue.new_metric, name="new_metric"),
    path("metrics/checks/<int:pk>/", catalogue.check_page, name="metric_check"),
    path("metrics/checks/<int:pk>/progress/", progress, CHECK, name="metric_check_progress"),
    path("metrics/checks/<int:pk>/cancel/", cancel, CHECK, name="metric_check_cancel"),
    path("metrics/<str:key>/", catalogue.metric_page, name="metric"),
    path("metrics/<str:key>/change/", catalogue.change_metric, name="change_metric"),
    path("metrics/<str:key>/certify/", catalogue.certify, name="certify_metric"),
    path("metrics/<str:key>/deprecate/", catalogue.deprecate, name="deprecate_metric"),
    path("metrics/<str:key>/take-up/", catalogue.take_up_again, name="take_up_metric"),
    path("metrics/<str:key>/check/", catalogue.start_check, name="check_metric"),
    path("import/", uploads.choose_file, name="import"),
    path("import/<uuid:key>/", uploads.map_columns, name="import_map"),
    path("import/<uuid:key>/piece/", uploads.receive_piece, name="import_piece"),
    path("import/<uuid:key>/remove/", uploads.remove_file, name="import_remove"),
    path("import/runs/<int:pk>/", uploads.import_page, name="import_run"),
    path("import/runs/<int:pk>/progress/", progress, IMPORT, name="import_run_progress"),
    path("import/runs/<int:pk>/cancel/", cancel, IMPORT, name="import_run_cancel"),
    path("import/runs/<int:pk>/refused.csv", uploads.refused_csv, name="import_refused"),
]
