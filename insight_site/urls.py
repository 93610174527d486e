"""Routes of the whole site. Each name has its rule in `insight_site.access`; a route without one answers 403."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView

from insight_site import pages, views

urlpatterns = [
    # Machines first: they come most often, and every route that is tried before theirs costs them time.
    path("", include("experiments.urls")),
    path("v1/", include("events.urls")),
    path("", pages.home, name="home"),
    path("demo/<str:language>", pages.demo_report, name="demo_report"),
    path("login/", LoginView.as_view(template_name="insight_site/login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("language/", set_language, name="set_language"),
    path(
        "pictures/<str:label>/<int:pk>/<str:language>/<slug:slug>.<str:kind>",
        pages.picture,
        name="picture",
    ),
    path("admin/", admin.site.urls),
    path("segments/", include("segments.urls")),
    path("aha/", include("aha.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("api/docs/", pages.api_docs, name="api_docs"),
    path("api/v1/", include("aha.api_urls")),
    path("api/v1/", include("experiments.api_urls")),
    path("api/v1/", include("segments.api_urls")),
    path("api/v1/", include("segments.api_member_urls")),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
]
handler400 = "insight_site.views.bad_request"
handler403 = "insight_site.views.permission_denied"
handler404 = "insight_site.views.not_found"
handler500 = "insight_site.views.server_error"
