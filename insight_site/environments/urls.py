from django.urls import path

from runs.later import views_of

views = views_of("insight_site.environments.views")

app_name = "environments"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("<str:key>/definition/", views.download, name="download"),
]
