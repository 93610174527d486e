""""""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from events.api import CalendarViewSet, MetricViewSet

METRICS, CALENDAR = SimpleRouter(trailing_slash=False), SimpleRouter(trailing_slash=False)
METRICS.register("metrics", MetricViewSet)
CALENDAR.register("calendar", CalendarViewSet, basename="entry")
urlpatterns = [path("", include((METRICS.urls, "metrics_api"))), path("", include((CALENDAR.urls, "calendar_api")))]
