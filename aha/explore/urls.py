from django.urls import path

from aha.explore.question import RETENTION
from runs.web import views_of

views = views_of("aha.explore.views")

app_name = "explore"
urlpatterns = [
    path("", views.explore, {"view": RETENTION}, name="start"),
    path("saved/", views.saved_views, name="saved"),
    path("saved/new/", views.save, name="save"),
    path("saved/<int:pk>/", views.open_saved, name="open"),
    path("saved/<int:pk>/rename/", views.rename_saved, name="rename"),
    path("saved/<int:pk>/delete/", views.delete_saved, name="delete"),
    path("<slug:view>/", views.explore, name="view"),
    path("<slug:view>/users/", views.users, name="users"),
    path("<slug:view>/numbers.csv", views.numbers, name="csv"),
    path("<slug:view>/<slug:slug>.svg", views.picture, name="svg"),
]
