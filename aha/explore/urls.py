from django.urls import path

from aha.explore.question import RETENTION
from runs.later import views_of

views = views_of("aha.explore.views")

app_name = "explore"
urlpatterns = [
    path("", views.explore, {"view": RETENTION}, name="start"),
    path("<slug:view>/", views.explore, name="view"),
    path("<slug:view>/numbers.csv", views.numbers, name="csv"),
    path("<slug:view>/<slug:slug>.svg", views.picture, name="svg"),
]
