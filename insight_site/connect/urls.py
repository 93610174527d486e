from django.urls import path

from insight_site.connect import views

app_name = "connect"
urlpatterns = [
    path("", views.start, name="start"),
    path("received/", views.received, name="received"),
    path("sample/", views.fill_with_sample, name="sample"),
]
