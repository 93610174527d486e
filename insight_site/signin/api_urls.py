"""Routes of the accounts API: separate from other routes, because a key needs another scope for them."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from insight_site.signin.api import UserViewSet

app_name = "users_api"
router = SimpleRouter(trailing_slash=False)
router.register("users", UserViewSet)
urlpatterns = [path("", include(router.urls))]
