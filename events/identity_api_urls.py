"""Ids over REST."""

from django.urls import path

from events.api import CountsView, IdsView

app_name = "identity_api"
urlpatterns = [
    path("identity", CountsView.as_view(), name="counts"),
    path("units/<str:unit>/ids", IdsView.as_view(), name="ids"),
]
