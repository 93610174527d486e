from django.urls import include, path
from rest_framework.routers import SimpleRouter

from launches.api import BalanceViewSet, GrowthForecastViewSet, LaunchViewSet

app_name = "launches_api"
router = SimpleRouter(trailing_slash=False)
router.register("launches", LaunchViewSet)
router.register("balances", BalanceViewSet)
router.register("growth", GrowthForecastViewSet)
urlpatterns = [path("", include(router.urls))]
