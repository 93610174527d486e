"""Routes of pages and of the management API.

Each name needs a rule in `insight_site.access.permissions`; without one the answer is 403. The machine endpoints aren't
here: `insight_site.machine.doors`.
"""

from datetime import date

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path, register_converter
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import ViewSetMixin

from insight_site.audiences.api import AudienceViewSet
from insight_site.exports.api import DefinitionView, PreregistrationView, PromotionsView, SignedDocumentView
from insight_site.notify.api import DigestRecipientViewSet, NoticeChannelViewSet
from insight_site.operate import probes
from insight_site.pages import preferences
from insight_site.pages.preferences import choose_language
from insight_site.privacy.api import ErasuresView, ErasureView, PersonView
from insight_site.signin.api import UserViewSet
from insight_site.tidying.api import HygieneView, SearchView, TagViewSet
from runs.web import cancel, progress, views_of

pages = views_of("insight_site.pages.views")
spent = views_of("insight_site.pages.spent")
time_zones = views_of("insight_site.pages.time_zones")
downloads = views_of("insight_site.pages.downloads")
signin = views_of("insight_site.signin.views")
factor = views_of("allauth.mfa.base.views")
totp = views_of("allauth.mfa.totp.views")
codes = views_of("allauth.mfa.recovery_codes.views")
keys = views_of("allauth.mfa.webauthn.views")
confirm = views_of("allauth.account.views._reauthenticate")
notify = views_of("insight_site.notify.views")
tidying = views_of("insight_site.tidying.views")
searching = views_of("insight_site.pages.searching")
selftest = views_of("insight_site.selftest.views")
connect = views_of("insight_site.connect.views")
exports = views_of("insight_site.exports.views")
audiences = views_of("insight_site.audiences.views")
boards = views_of("insight_site.boards.views")


def _routed(*viewsets: tuple[str, type[ViewSetMixin]]) -> list[URLPattern | URLResolver]:
    """The routes of view sets, each below its prefix, without a slash at the end."""
    router = SimpleRouter(trailing_slash=False)
    for prefix, viewset in viewsets:
        router.register(prefix, viewset)
    return router.urls


# The sign-in pages. Only the allauth pages that this site uses are included.
#
# allauth looks up its routes by their own names, so these have no namespace. Its name for the login page is
# `account_login`, the site's is `login`: one page with two names.
SIGN_IN = [
    path("login/", signin.login, name="login"),
    path("login/", signin.login, name="account_login"),
    path("login/link/<str:token>/", signin.sign_in_link, name="sign_in_link"),
    path("login/code/", factor.authenticate, name="mfa_authenticate"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("logout/", LogoutView.as_view(), name="account_logout"),
    path("admin/login/", signin.admin_login, name="admin_login"),
    path("admin/password_change/", signin.admin_password, name="admin_password"),
    path("password/forgotten/", signin.reset, name="password_reset"),
    path("password/sent/", signin.reset_sent, name="password_reset_sent"),
    path("password/<str:uidb64>/<str:token>/", signin.set_password, name="password_set"),
    path("account/", signin.account, name="account"),
    path("account/inactive/", signin.inactive, name="account_inactive"),
    path("account/password/", signin.change_password, name="account_change_password"),
    path("account/sessions/end/", signin.end_my_sessions, name="end_my_sessions"),
    path("account/confirm/", confirm.reauthenticate, name="account_reauthenticate"),
    path("account/confirm/code/", factor.reauthenticate, name="mfa_reauthenticate"),
    path("account/confirm/key/", keys.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("account/factor/", factor.index, name="mfa_index"),
    path("account/factor/app/", totp.activate_totp, name="mfa_activate_totp"),
    path("account/factor/app/remove/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("account/factor/codes/", codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("account/factor/codes/new/", codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("account/factor/keys/", keys.list_webauthn, name="mfa_list_webauthn"),
    path("account/factor/keys/add/", keys.add_webauthn, name="mfa_add_webauthn"),
    path("account/factor/keys/<int:pk>/remove/", keys.remove_webauthn, name="mfa_remove_webauthn"),
    path("account/factor/keys/<int:pk>/name/", keys.edit_webauthn, name="mfa_edit_webauthn"),
    path("sso/oidc/<str:provider_id>/login/", signin.oidc_login, name="openid_connect_login"),
    path("sso/oidc/<str:provider_id>/callback/", signin.oidc_callback, name="openid_connect_callback"),
    path("sso/saml/<str:organization_slug>/login/", signin.saml_login, name="saml_login"),
    path("sso/saml/<str:organization_slug>/acs/", csrf_exempt(signin.saml_acs), name="saml_acs"),
    path("sso/saml/<str:organization_slug>/acs/finish/", signin.saml_finish, name="saml_finish_acs"),
    path("sso/saml/<str:organization_slug>/metadata/", signin.saml_metadata, name="saml_metadata"),
    path("sso/saml/<str:organization_slug>/logout/", csrf_exempt(signin.saml_logout), name="saml_sls"),
]


class Day:
    """A day as YYYY-MM-DD; an invalid date raises ValueError, which becomes a 404."""

    regex = r"\d{4}-\d{2}-\d{2}"
    to_python = staticmethod(date.fromisoformat)

    @staticmethod
    def to_url(value: date) -> str:
        """As it stands in the address."""
        return value.isoformat()


register_converter(Day, "day")

NOTICES = [
    path("account/notices/", notify.notices, name="notices"),
    path("account/notices/places/", notify.add_address, name="notices_add"),
    path("account/notices/places/<int:pk>/", notify.change_place, name="notices_place"),
    # A mail program calls it for its reader (RFC 8058) and has no cookie; the token identifies the reader.
    path("notices/stop/<str:token>/", csrf_exempt(notify.stop_page), name="notices_stop"),
    path("digest/", notify.digest, name="digest"),
    path("digest/to-me/", notify.digest_to_me, name="digest_to_me"),
    path("digest/<day:week>/", notify.digest_week, name="digest_week"),
    path("digest/<day:week>/share/", notify.share_digest, name="digest_share"),
]

TIDYING = [
    path("search/", searching.search_page, name="search"),
    path("search/find/", searching.find, name="find"),
    path("upkeep/", tidying.hygiene_page, name="hygiene"),
    path("upkeep/tags/", tidying.tags_page, name="tags"),
    path("upkeep/tags/<int:pk>/rename/", tidying.rename_tag, name="rename_tag"),
    path("upkeep/tags/<int:pk>/delete/", tidying.delete_tag, name="delete_tag"),
    path("upkeep/<slug:kind>/<int:pk>/tags/", tidying.set_tags, name="set_tags"),
    path("upkeep/<slug:kind>/<int:pk>/owner/", tidying.set_owner, name="set_owner"),
    path("upkeep/<slug:kind>/<int:pk>/archive/", tidying.archive, name="archive"),
    path("upkeep/<slug:kind>/<int:pk>/restore/", tidying.restore, name="restore"),
]

SELF_TEST = {"label": "insight_site.SelfTest"}

SELF_TESTS = [
    path("", selftest.self_test_list, name="list"),
    path("start/", selftest.start, name="start"),
    path("<int:pk>/", selftest.self_test_page, name="run"),
    path("<int:pk>/progress/", progress, SELF_TEST, name="run_progress"),
    path("<int:pk>/cancel/", cancel, SELF_TEST, name="run_cancel"),
]

CONNECT = [
    path("", connect.start, name="start"),
    path("received/", connect.received, name="received"),
    path("check/", connect.check, name="check"),
    path("first-day/", connect.first_day_part, name="first_day"),
    path("forget-test/", connect.forget_test_events, name="forget_test"),
    path("sample/", connect.fill_with_sample, name="sample"),
    path("sample/remove/", connect.remove_sample, name="remove_sample"),
]

ENVIRONMENTS = [
    path("", exports.overview, name="overview"),
    path("<str:key>/definition/", exports.download, name="download"),
]

AUDIENCES = [
    path("", audiences.audience_list, name="list"),
    path("new/", audiences.new_audience, name="new"),
    path("<slug:key>/", audiences.audience_page, name="page"),
    path("<slug:key>/change/", audiences.change_audience, name="change"),
    path("<slug:key>/count/", audiences.count_now, name="count"),
    path("<slug:key>/secret/", audiences.new_secret, name="secret"),
    path("<slug:key>/delete/", audiences.delete_audience, name="delete"),
]

BOARDS = [
    path("", boards.board_list, name="list"),
    path("new/", boards.new_board, name="new"),
    path("<int:pk>/", boards.board_page, name="page"),
    path("<int:pk>/change/", boards.change_board, name="change"),
    path("<int:pk>/delete/", boards.delete_board, name="delete"),
    path("<int:pk>/pin/", boards.pin_board, name="pin"),
    path("<int:pk>/cards/", boards.add_card, name="add"),
    path("<int:pk>/cards/<int:card>/", boards.card_answer, name="card"),
    path("<int:pk>/cards/<int:card>/change/", boards.change_card, name="change_card"),
]

PRIVACY_API = [
    path("erasures", ErasuresView.as_view(), name="erasures"),
    path("erasures/<int:pk>", ErasureView.as_view(), name="erasure"),
    path("person", PersonView.as_view(), name="person"),
]

DEFINITIONS_API = [
    path("experiments/<str:key>/definition", DefinitionView.as_view(), name="definition"),
    path("promotions", PromotionsView.as_view(), name="promotions"),
]

USERS_API = _routed(("users", UserViewSet))

AUDIENCES_API = _routed(("audiences", AudienceViewSet))

NOTICES_API = _routed(("notice-channels", NoticeChannelViewSet), ("digest-recipients", DigestRecipientViewSet))

TIDYING_API = [
    path("search", SearchView.as_view(), name="search"),
    path("hygiene", HygieneView.as_view(), name="hygiene"),
    *_routed(("tags", TagViewSet)),
]

SIGNATURES_API = [
    path("experiments/<str:key>/signed", SignedDocumentView.as_view(), name="signed"),
    path("experiments/<str:key>/preregistration", PreregistrationView.as_view(), name="preregistration"),
]

urlpatterns = [
    path("", pages.home, name="home"),
    path("demo/<str:language>/", pages.demo_report, name="demo_report"),
    *SIGN_IN,
    *NOTICES,
    path("language/", choose_language, name="set_language"),
    path("theme/", preferences.choose_theme, name="set_theme"),
    path("account/time-zone/", preferences.choose_zone, name="own_zone"),
    path("settings/time-zone/", time_zones.site_zone_page, name="site_zone"),
    path("whats-new/", preferences.whats_new_page, name="whats_new"),
    path("tours/dismiss/", preferences.dismiss_tour, name="dismiss_tour"),
    path("pictures/<str:label>/<int:pk>/<str:language>/<slug:slug>.<str:kind>", pages.picture, name="picture"),
    path("pictures/map.<str:kind>", pages.map_picture, name="map_picture"),
    path("takeaway/<str:label>/<int:pk>.<str:kind>", downloads.takeaway, name="takeaway"),
    path("share/<str:label>/<int:pk>/", downloads.share, name="share"),
    path("share/<int:pk>/revoke/", downloads.revoke, name="revoke_share"),
    path("shared/<str:token>/", downloads.shared, name="shared"),
    path("spent/", spent.spent_page, name="spent"),
    path("glossary/", pages.glossary_page, name="glossary"),
    path("methods/", pages.methods_page, name="methods"),
    path("methods/<slug:slug>/", pages.method_page, name="method"),
    path("admin/", admin.site.urls),
    path("", include((TIDYING, "upkeep"))),
    path("data/", include("events.urls")),
    path("data/self-test/", include((SELF_TESTS, "selftest"))),
    path("data/connect/", include((CONNECT, "connect"))),
    path("pick/", include("events.pickers.urls")),
    path("segments/", include("segments.urls")),
    path("environments/", include((ENVIRONMENTS, "environments"))),
    path("audiences/", include((AUDIENCES, "audiences"))),
    path("boards/", include((BOARDS, "boards"))),
    path("aha/", include("aha.urls")),
    path("experiments/", include("experiments.urls")),
    path("launches/", include("launches.urls")),
    path("growth/", include("launches.growth_urls")),
    path("explore/<slug:view>/<slug:slug>.png", downloads.explore_png, name="explore_png"),
    path("explore/", include("aha.explore.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("api/docs/", pages.api_docs, name="api_docs"),
    path("api/v1/", include("aha.api_urls")),
    path("api/v1/", include("events.identity_api_urls")),
    path("api/v1/", include((PRIVACY_API, "privacy_api"))),
    path("api/v1/", include((DEFINITIONS_API, "environments_api"))),
    path("api/v1/", include("experiments.api.urls")),
    path("api/v1/", include("events.api_urls")),
    path("api/v1/", include("launches.api_urls")),
    path("api/v1/", include("segments.api_urls")),
    path("api/v1/", include("segments.api_member_urls")),
    path("api/v1/", include((USERS_API, "users_api"))),
    path("api/v1/", include((AUDIENCES_API, "audiences_api"))),
    path("api/v1/", include((NOTICES_API, "notices_api"))),
    path("api/v1/", include((TIDYING_API, "upkeep_api"))),
    path("api/v1/", include((SIGNATURES_API, "signatures_api"))),
    path(".well-known/insight-keys.json", downloads.keys, name="insight_keys"),
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
]
handler400 = "insight_site.pages.error_pages.bad_request"
handler403 = "insight_site.pages.error_pages.permission_denied"
handler404 = "insight_site.pages.error_pages.not_found"
handler500 = "insight_site.pages.error_pages.server_error"
