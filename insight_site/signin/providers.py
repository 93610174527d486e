"""Sign-in providers from the environment, in allauth's format. Pure: used by settings.py."""

from typing import Any

import environ

SAML_ATTRIBUTES = {
    "email": (
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        "urn:oid:0.9.2342.19200300.100.1.3",
        "email",
    ),
    "first_name": ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "urn:oid:2.5.4.42", "firstName"),
    "last_name": ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "urn:oid:2.5.4.4", "lastName"),
}


def providers(env: environ.Env) -> dict[str, dict[str, Any]]:
    """`SOCIALACCOUNT_PROVIDERS`: empty without a provider. No secret is stored in the database."""
    found: dict[str, dict[str, Any]] = {}
    if server := env.str("OIDC_SERVER_URL", default=""):
        found["openid_connect"] = {"APPS": [_oidc(env, server)], "OAUTH_PKCE_ENABLED": True}
    if env.str("SAML_METADATA_URL", default="") or env.str("SAML_SSO_URL", default=""):
        found["saml"] = {"APPS": [_saml(env)]}
    return found


def _oidc(env: environ.Env, server: str) -> dict[str, Any]:
    return {
        "provider_id": env.str("OIDC_ID", default="oidc"),
        "name": env.str("OIDC_NAME", default="OpenID Connect"),
        "client_id": env.str("OIDC_CLIENT_ID", default=""),
        "secret": env.str("OIDC_CLIENT_SECRET", default=""),
        "settings": {
            "server_url": server,
            "scope": env.list("OIDC_SCOPES", default=["openid", "profile", "email"]),
            **_verified(env.bool("OIDC_EMAIL_VERIFIED", default=False)),
            "groups": env.str("OIDC_GROUPS_CLAIM", default="groups"),
        },
    }


def _saml(env: environ.Env) -> dict[str, Any]:
    names = {what: list(usual) for what, usual in SAML_ATTRIBUTES.items()}
    if email := env.str("SAML_EMAIL_ATTRIBUTE", default=""):
        names["email"] = [email]
    if uid := env.str("SAML_UID_ATTRIBUTE", default=""):
        names["uid"] = [uid]
    return {
        "provider_id": env.str("SAML_IDP_ID", default=""),
        "name": env.str("SAML_NAME", default="SAML"),
        "client_id": env.str("SAML_ID", default="saml"),  # part of this site's addresses
        "settings": {
            "idp": {
                "entity_id": env.str("SAML_IDP_ID", default=""),
                "metadata_url": env.str("SAML_METADATA_URL", default=""),
                "sso_url": env.str("SAML_SSO_URL", default=""),
                "x509cert": env.str("SAML_CERTIFICATE", default="", multiline=True),
            },
            "attribute_mapping": names,
            # An unsolicited response could sign somebody in as another person (login CSRF), and could be replayed.
            "advanced": {
                "reject_idp_initiated_sso": True,
                "reject_deprecated_algorithm": True,
                "strict": True,
                "allow_single_label_domains": True,  # such as http://insight/ in a company network
            },
            **_verified(env.bool("SAML_EMAIL_VERIFIED", default=False)),
            "groups": env.str("SAML_GROUPS_ATTRIBUTE", default="groups"),
        },
    }


def _verified(always: bool) -> dict[str, bool]:
    """Whether the operator vouches for all addresses of this provider; else its statement about each person decides."""
    return {"verified_email": True} if always else {}


def roles_by_group(lines: list[str]) -> dict[str, tuple[str, ...]]:
    """`SSO_ROLES`: "insight-admins:Admin,pm:PM" as roles of each group; an incomplete line is passed on unchanged.

    A group may contain colons (`urn:…`), a role doesn't. `insight_site.signin.signin_checks` rejects bad lines.
    """
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        group, _colon, role = line.strip().rpartition(":")
        found[group] = (*found.get(group, ()), role.strip())
    return found


def mailer(read: dict[str, Any]) -> dict[str, Any]:
    """Convert django-environ's parsed `EMAIL_URL` to an entry of Django's `MAILERS`."""
    backend = read["EMAIL_BACKEND"]
    names = {
        "EMAIL_HOST": "host",
        "EMAIL_PORT": "port",
        "EMAIL_HOST_USER": "username",
        "EMAIL_HOST_PASSWORD": "password",
    }
    names |= {"EMAIL_USE_TLS": "use_tls", "EMAIL_USE_SSL": "use_ssl"}
    if backend.endswith("filebased.EmailBackend"):
        return {"BACKEND": backend, "OPTIONS": {"file_path": read["EMAIL_FILE_PATH"]}}
    if not backend.endswith("smtp.EmailBackend"):
        return {"BACKEND": backend}
    return {
        "BACKEND": backend,
        "OPTIONS": {"timeout": 10, **{to: read[of] for of, to in names.items() if read.get(of)}},
    }
