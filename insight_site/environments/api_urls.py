"""Routes to export and import definitions."""

from django.urls import path

from insight_site.environments.api import DefinitionView, PromotionsView

app_name = "environments_api"
urlpatterns = [
    path("experiments/<str:key>/definition", DefinitionView.as_view(), name="definition"),
    path("promotions", PromotionsView.as_view(), name="promotions"),
]
