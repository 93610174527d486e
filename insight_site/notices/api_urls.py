"""Routes of the notices API."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from insight_site.notices.api import DigestRecipientViewSet, NoticeChannelViewSet

app_name = "notices_api"
router = SimpleRouter(trailing_slash=False)
router.register("notice-channels", NoticeChannelViewSet)
router.register("digest-recipients", DigestRecipientViewSet)
urlpatterns = [path("", include(router.urls))]
