from django.urls import include, path
from rest_framework.routers import SimpleRouter

from aha.api import AhaMomentViewSet, FindingViewSet, StudyViewSet

app_name = "aha_api"
router = SimpleRouter(trailing_slash=False)
router.register("studies", StudyViewSet)
router.register("moments", AhaMomentViewSet)
router.register("findings", FindingViewSet)
urlpatterns = [path("", include(router.urls))]
