"""Routes of the audience API: separate from other routes, because a key needs another scope for them."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from insight_site.audiences.api import AudienceViewSet

app_name = "audiences_api"
router = SimpleRouter(trailing_slash=False)
router.register("audiences", AudienceViewSet)
urlpatterns = [path("", include(router.urls))]
