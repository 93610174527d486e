"""Routes of the whole site. Each name has its rule in `insight_site.access`; a route without one answers 403."""

from django.contrib import admin
from django.urls import include, path

from insight_site import pages, views

urlpatterns = [
    path("", pages.home, name="home"),
    path("demo/<str:language>", pages.demo_report, name="demo_report"),
    path("admin/", admin.site.urls),
    path("v1/", include("events.urls")),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
]
handler400 = "insight_site.views.bad_request"
handler403 = "insight_site.views.permission_denied"
handler404 = "insight_site.views.not_found"
handler500 = "insight_site.views.server_error"
