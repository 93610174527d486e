from django.urls import path

from events.uploads import views as uploads
from runs.web import cancel, progress

IMPORT = {"label": "events.FileImport"}

app_name = "events"
urlpatterns = [
    path("import/", uploads.choose_file, name="import"),
    path("import/<uuid:key>/", uploads.map_columns, name="import_map"),
    path("import/<uuid:key>/piece/", uploads.receive_piece, name="import_piece"),
    path("import/<uuid:key>/remove/", uploads.remove_file, name="import_remove"),
    path("import/runs/<int:pk>/", uploads.import_page, name="import_run"),
    path("import/runs/<int:pk>/progress/", progress, IMPORT, name="import_run_progress"),
    path("import/runs/<int:pk>/cancel/", cancel, IMPORT, name="import_run_cancel"),
    path("import/runs/<int:pk>/refused.csv", uploads.refused_csv, name="import_refused"),
]
