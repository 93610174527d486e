from django.urls import path

from runs.later import views_of
from runs.web import cancel, progress

SELF_TEST = {"label": "insight_site.SelfTest"}
views = views_of("insight_site.selftest.views")

app_name = "selftest"
urlpatterns = [
    path("", views.self_test_list, name="list"),
    path("start/", views.start, name="start"),
    path("<int:pk>/", views.self_test_page, name="run"),
    path("<int:pk>/progress/", progress, SELF_TEST, name="run_progress"),
    path("<int:pk>/cancel/", cancel, SELF_TEST, name="run_cancel"),
]
