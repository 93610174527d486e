"""Routes of the sign-in pages. Only the allauth pages that this site uses are included.

allauth looks up its routes by their own names, so these have no namespace. Its name for the login page is
`account_login`, the site's is `login`: one page with two names.
"""

from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from runs.later import views_of

ours = views_of("insight_site.signin.entrance")
factor = views_of("allauth.mfa.base.views")
totp = views_of("allauth.mfa.totp.views")
codes = views_of("allauth.mfa.recovery_codes.views")
keys = views_of("allauth.mfa.webauthn.views")
confirm = views_of("allauth.account.views._reauthenticate")

urlpatterns = [
    path("login/", ours.login, name="login"),
    path("login/", ours.login, name="account_login"),
    path("login/link/<str:token>/", ours.sign_in_link, name="sign_in_link"),
    path("login/code/", factor.authenticate, name="mfa_authenticate"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("logout/", LogoutView.as_view(), name="account_logout"),
    path("admin/login/", ours.admin_login, name="admin_login"),
    path("admin/password_change/", ours.admin_password, name="admin_password"),
    path("password/forgotten/", ours.reset, name="password_reset"),
    path("password/sent/", ours.reset_sent, name="password_reset_sent"),
    path("password/<str:uidb64>/<str:token>/", ours.set_password, name="password_set"),
    path("account/", ours.account, name="account"),
    path("account/inactive/", ours.inactive, name="account_inactive"),
    path("account/password/", ours.change_password, name="account_change_password"),
    path("account/sessions/end/", ours.end_my_sessions, name="end_my_sessions"),
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
    path("sso/oidc/<str:provider_id>/login/", ours.oidc_login, name="openid_connect_login"),
    path("sso/oidc/<str:provider_id>/callback/", ours.oidc_callback, name="openid_connect_callback"),
    path("sso/saml/<str:organization_slug>/login/", ours.saml_login, name="saml_login"),
    path("sso/saml/<str:organization_slug>/acs/", csrf_exempt(ours.saml_acs), name="saml_acs"),
    path("sso/saml/<str:organization_slug>/acs/finish/", ours.saml_finish, name="saml_finish_acs"),
    path("sso/saml/<str:organization_slug>/metadata/", ours.saml_metadata, name="saml_metadata"),
    path("sso/saml/<str:organization_slug>/logout/", csrf_exempt(ours.saml_logout), name="saml_sls"),
]
