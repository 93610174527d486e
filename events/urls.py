from django.urls import path

from runs.web import cancel, progress, views_of

IMPORT = {"label": "events.FileImport"}
CHECK = {"label": "events.MetricCheck"}
happenings = views_of("events.pages.calendar")
uploads = views_of("events.pages.imports")
catalogue = views_of("events.pages.metrics")
pages = views_of("events.pages.events")

app_name = "events"
urlpatterns = [
    path("", pages.overview, name="overview"),
    path("events/", pages.event_list, name="list"),
    path("event/", pages.event_page, name="event"),
    path("event/trend/", pages.event_trend_part, name="trend"),
    path("event/label/", pages.edit_label, name="label"),
    path("live/", pages.live, name="live"),
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
    path("calendar/", happenings.calendar_list, name="calendar"),
    path("calendar/new/", happenings.new_entry, name="new_entry"),
    path("calendar/import/", happenings.import_entries, name="import_entries"),
    path("calendar/<int:pk>/", happenings.change_entry, name="change_entry"),
    path("calendar/<int:pk>/delete/", happenings.delete_entry, name="delete_entry"),
    path("import/", uploads.choose_file, name="import"),
    path("import/<uuid:key>/", uploads.map_columns, name="import_map"),
    path("import/<uuid:key>/piece/", uploads.receive_piece, name="import_piece"),
    path("import/<uuid:key>/remove/", uploads.remove_file, name="import_remove"),
    path("import/runs/<int:pk>/", uploads.import_page, name="import_run"),
    path("import/runs/<int:pk>/progress/", progress, IMPORT, name="import_run_progress"),
    path("import/runs/<int:pk>/cancel/", cancel, IMPORT, name="import_run_cancel"),
    path("import/runs/<int:pk>/refused.csv", uploads.refused_csv, name="import_refused"),
]
