from django.urls import path

from runs.later import views_of

views = views_of("insight_site.connect.views")

app_name = "connect"
urlpatterns = [
    path("", views.start, name="start"),
    path("received/", views.received, name="received"),
    path("check/", views.check, name="check"),
    path("first-day/", views.first_day_part, name="first_day"),
    path("sample/", views.fill_with_sample, name="sample"),
]
