from django.urls import path

from runs.web import cancel, progress, views_of

FORECAST = {"label": "launches.GrowthForecast"}
pages = views_of("launches.growth_views")

app_name = "growth"
urlpatterns = [
    path("", pages.newest, name="newest"),
    path("start/", pages.start, name="start"),
    path("<int:pk>/", pages.forecast_page, name="forecast"),
    path("<int:pk>/progress/", progress, FORECAST, name="forecast_progress"),
    path("<int:pk>/cancel/", cancel, FORECAST, name="forecast_cancel"),
]
