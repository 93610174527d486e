from django.urls import path

from runs.web import cancel, progress, views_of

READING = {"label": "launches.LaunchReading"}
pages = views_of("launches.views")

app_name = "launches"
urlpatterns = [
    path("", pages.launch_list, name="list"),
    path("new/", pages.new_launch, name="new"),
    path("<slug:key>/", pages.launch_page, name="launch"),
    path("<slug:key>/read/", pages.read, name="read"),
    path("<slug:key>/withdraw/", pages.withdraw, name="withdraw"),
    path("<slug:key>/next/", pages.plan_next, name="next"),
    path("<slug:launch__key>/readings/<int:pk>/progress/", progress, READING, name="reading_progress"),
    path("<slug:launch__key>/readings/<int:pk>/cancel/", cancel, READING, name="reading_cancel"),
    path("<slug:key>/readings/<int:pk>/", pages.reading_page, name="reading"),
]
