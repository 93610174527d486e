"""What a site needs before Django can start, and what settings.py reads out of the environment. No rows."""

import gc
import os
import re
import secrets
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environ
import structlog
from django.core.exceptions import ImproperlyConfigured

# Sign-in providers from the environment, in allauth's format. Pure: used by settings.py.

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
    configured: dict[str, dict[str, Any]] = {}
    if server := env.str("OIDC_SERVER_URL", default=""):
        configured["openid_connect"] = {"APPS": [_oidc(env, server)], "OAUTH_PKCE_ENABLED": True}
    if env.str("SAML_METADATA_URL", default="") or env.str("SAML_SSO_URL", default=""):
        configured["saml"] = {"APPS": [_saml(env)]}
    return configured


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

    A group may contain colons (`urn:…`), a role doesn't. `insight_site.checks` rejects bad lines.
    """
    roles: dict[str, tuple[str, ...]] = {}
    for line in lines:
        group, _colon, role = line.strip().rpartition(":")
        roles[group] = (*roles.get(group, ()), role.strip())
    return roles


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


# Masks tokens and keys in log lines: Django logs the path of each failed request, and some paths hold secrets.

SECRET = re.compile(
    r"(/shared/|/stop/|/api/features/|/api/eval/|/ofrep/v1/streams/|/password/[\w-]+/|/login/link/)[^/\s?]+"
)


def masked(_logger: object, _name: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
    """A structlog processor: removes the part of a path that follows a sensitive prefix."""
    return {name: SECRET.sub(r"\1…", value) if isinstance(value, str) else value for name, value in line.items()}


# Settings of notices, read from the environment by `insight_site.settings`.


@dataclass(frozen=True)
class Configured:
    """Notice settings of this site.

    Attributes:
        site: the site's address without final slash, for links in mails.
        private: allow private addresses, and no TLS.
        daily_hour: local hour from which daily notices are sent, 0 to 23.
        digest_weekday: day of the weekly digest, 0 for Monday.
        digest_hour: local hour from which it is sent.
        days: retention of finished notices, in days.
    """

    site: str
    private: bool
    daily_hour: int
    digest_weekday: int
    digest_hour: int
    days: int


def configured(env: environ.Env, hosts: Sequence[str], *, https: bool) -> Configured:
    """Read the settings.

    Args:
        env: the environment.
        hosts: ALLOWED_HOSTS; the first of them is the site's address where SITE_URL isn't set.
        https: whether the site uses HTTPS.

    Raises:
        ImproperlyConfigured: for an hour or a weekday out of range.
    """
    named = next((host for host in hosts if host and not host.startswith((".", "*"))), "localhost")
    values = Configured(
        site=(env.str("SITE_URL", default="") or f"http{'s' if https else ''}://{named}").rstrip("/"),
        private=env.bool("NOTICES_TO_PRIVATE_ADDRESSES", default=False),
        daily_hour=env.int("NOTICES_HOUR", default=8),
        digest_weekday=env.int("DIGEST_WEEKDAY", default=0),
        digest_hour=env.int("DIGEST_HOUR", default=8),
        days=env.int("NOTICES_DAYS", default=90),
    )
    hours = range(24)
    if values.daily_hour not in hours or values.digest_hour not in hours or values.digest_weekday not in range(7):
        raise ImproperlyConfigured("NOTICES_HOUR and DIGEST_HOUR go from 0 to 23, DIGEST_WEEKDAY from 0 (Monday) to 6.")
    return values


# Preparation before Django can start: the folder VAR_DIR and a secret key. `manage.py` calls this first.
#
# Settings only read: importing them must change nothing on disk.

# Each can be given as a file: NAME_FILE holds its path, as Docker, systemd and Kubernetes pass secrets.
SECRETS = (
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "API_KEY_PEPPERS",
    "ERASURE_PEPPER",
    "SIGNING_KEY",
    "DATABASE_URL",
    "REDIS_URL",
    "WAREHOUSE_URL",
    "EMAIL_URL",
    "OIDC_CLIENT_SECRET",
    "SAML_CERTIFICATE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
)
OTHERS, ALL_BUT_ME = 0o007, 0o077
OBJECTS = 20_000  # new ones, after which Python looks for those that nobody can reach; 2,000 by itself


def collect_seldom() -> None:
    """Let this process look for unreachable objects a tenth as often as Python would.

    A process that computes loads half a million objects that stay. To go through them again and again took half a
    second of a core by the time all was loaded.
    """
    gc.set_threshold(OBJECTS)


def prepare(base: Path) -> None:
    """Create VAR_DIR (`var` below this folder), and a secret key in it unless the environment or `.env` has one.

    Database, events and uploads are private: no other account of the machine, in the same group or not, may read a file
    that this process creates; and an existing folder is closed to accounts outside its group. An operator who wants a
    group to read VAR_DIR must give it that folder and set the mode of files.
    """
    os.umask(os.umask(ALL_BUT_ME) | ALL_BUT_ME)
    environ.Env.read_env(base / ".env")
    read_secret_files()
    var = Path(os.environ.get("VAR_DIR") or base / "var")
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (mode := var.stat().st_mode & 0o777) & OTHERS:
        with suppress(PermissionError):  # another account's folder: `manage.py doctor` reports it
            var.chmod(mode & ~OTHERS)
    if not os.environ.get("SECRET_KEY"):
        make_key(var / "secret_key")


def read_secret_files() -> None:
    """Load what NAME_FILE of each of `SECRETS` holds into the environment, where libraries look for it too.

    Raises:
        ImproperlyConfigured: a file can't be read or is empty.
    """
    for name in SECRETS:
        if not (path := os.environ.get(f"{name}_FILE")):
            continue
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as trouble:
            raise ImproperlyConfigured(f"{name}_FILE: {path} can't be read ({type(trouble).__name__}).") from None
        if not value:
            raise ImproperlyConfigured(f"{name}_FILE: {path} is empty.")
        os.environ[name] = value


def make_key(path: Path) -> None:
    """Write a new key unless there is one."""
    if not path.exists():
        write_once(path, secrets.token_urlsafe(50))


def write_once(path: Path, text: str) -> None:
    """Create a file that only its owner may read, unless it exists; readers see the complete file or none."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
    with suppress(FileExistsError):  # another process was first: use its key
        os.link(name, path)
    Path(name).unlink()


# The command that makes the first account of the site that runs here, for its welcome page.

PLACES = ("VAR_DIR", "DATABASE_URL", "DATABASE_URL_FILE")  # each of them can lead to another database
NAMED = re.compile(r"^\s*(?:export\s+)?(\w+)\s*=", re.MULTILINE)
PASSWORD = re.compile(r"://[^/@]*@")


def account_command(base: Path, python: str, environment: Mapping[str, str]) -> str:
    """The command line that makes an account in the database of this site, for a shell on its machine.

    It names what the process got from its environment and a new shell wouldn't have: without it the command would make
    the account in another database. What `.env` holds is read by the command itself. A password is left out.

    Args:
        base: folder of manage.py.
        python: the interpreter that runs the site.
        environment: of the process.
    """
    dotenv = base / ".env"
    read = set(NAMED.findall(dotenv.read_text(encoding="utf-8"))) if dotenv.is_file() else set()
    if environment.get("DATABASE_URL_FILE"):
        read.add("DATABASE_URL")  # which `read_secret_files` has set from that file
    given = [
        f"{name}={shlex.quote(_shown(name, environment[name]))}"
        for name in PLACES
        if environment.get(name) and name not in read
    ]
    own = Path(python)
    shown = own.relative_to(base) if own.is_relative_to(base) else own
    command = " ".join([*given, shlex.quote(str(shown)), "manage.py createsuperuser"])
    return f"cd {shlex.quote(str(base))} && {command}"


def _shown(name: str, value: str) -> str:
    """A path as it is from every folder; an address without its password."""
    return PASSWORD.sub("://…@", value) if name == "DATABASE_URL" else str(Path(value).absolute())
