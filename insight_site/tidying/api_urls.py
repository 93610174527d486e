from django.urls import include, path
from rest_framework.routers import SimpleRouter

from insight_site.tidying.api import HygieneView, SearchView, TagViewSet

app_name = "upkeep_api"
router = SimpleRouter(trailing_slash=False)
router.register("tags", TagViewSet)
urlpatterns = [
    path("search", SearchView.as_view(), name="search"),
    path("hygiene", HygieneView.as_view(), name="hygiene"),
    path("", include(router.urls)),
]
