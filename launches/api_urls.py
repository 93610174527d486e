from django.urls import include, path
from rest_framework.routers import SimpleRouter

from launches.api import LaunchViewSet

app_name = "launches_api"
router = SimpleRouter(trailing_slash=False)
router.register("launches", LaunchViewSet)
urlpatterns = [path("", include(router.urls))]
