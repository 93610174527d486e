"""Routes of pages and of the management API.

Each name needs a rule in `insight_site.access.permissions`; without one the answer is 403. The machine endpoints aren't
here: `insight_site.machine.doors`.
"""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from insight_site.operation import probes
from insight_site.pages import preferences
from insight_site.pages.language import choose_language
from runs.later import views_of

pages = views_of("insight_site.pages.views")
downloads = views_of("insight_site.pages.downloads")
signatures = views_of("insight_site.signatures.views")

urlpatterns = [
    path("", pages.home, name="home"),
    path("demo/<str:language>/", pages.demo_report, name="demo_report"),
    path("", include("insight_site.signin.urls")),
    path("", include("insight_site.notices.urls")),
    path("language/", choose_language, name="set_language"),
    path("theme/", preferences.choose_theme, name="set_theme"),
    path("tours/dismiss/", preferences.dismiss_tour, name="dismiss_tour"),
    path("pictures/<str:label>/<int:pk>/<str:language>/<slug:slug>.<str:kind>", pages.picture, name="picture"),
    path("takeaway/<str:label>/<int:pk>.<str:kind>", downloads.takeaway, name="takeaway"),
    path("share/<str:label>/<int:pk>/", downloads.share, name="share"),
    path("share/<int:pk>/revoke/", downloads.revoke, name="revoke_share"),
    path("shared/<str:token>/", downloads.shared, name="shared"),
    path("glossary/", pages.glossary_page, name="glossary"),
    path("methods/", pages.methods_page, name="methods"),
    path("methods/<slug:slug>/", pages.method_page, name="method"),
    path("admin/", admin.site.urls),
    path("", include("insight_site.tidying.urls")),
    path("data/", include("events.urls")),
    path("data/self-test/", include("insight_site.selftest.urls")),
    path("data/connect/", include("insight_site.connect.urls")),
    path("pick/", include("events.pickers.urls")),
    path("segments/", include("segments.urls")),
    path("environments/", include("insight_site.environments.urls")),
    path("audiences/", include("insight_site.audiences.urls")),
    path("aha/", include("aha.urls")),
    path("experiments/", include("experiments.urls")),
    path("explore/<slug:view>/<slug:slug>.png", downloads.explore_png, name="explore_png"),
    path("explore/", include("aha.explore.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("api/docs/", pages.api_docs, name="api_docs"),
    path("api/v1/", include("aha.api_urls")),
    path("api/v1/", include("events.identity.api_urls")),
    path("api/v1/", include("insight_site.privacy.api_urls")),
    path("api/v1/", include("insight_site.environments.api_urls")),
    path("api/v1/", include("experiments.api.urls")),
    path("api/v1/", include("events.metric_catalogue.api_urls")),
    path("api/v1/", include("segments.api_urls")),
    path("api/v1/", include("segments.api_member_urls")),
    path("api/v1/", include("insight_site.signin.api_urls")),
    path("api/v1/", include("insight_site.audiences.api_urls")),
    path("api/v1/", include("insight_site.notices.api_urls")),
    path("api/v1/", include("insight_site.tidying.api_urls")),
    path("api/v1/", include("insight_site.signatures.api_urls")),
    path(".well-known/insight-keys.json", signatures.keys, name="insight_keys"),
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
]
handler400 = "insight_site.pages.error_pages.bad_request"
handler403 = "insight_site.pages.error_pages.permission_denied"
handler404 = "insight_site.pages.error_pages.not_found"
handler500 = "insight_site.pages.error_pages.server_error"
