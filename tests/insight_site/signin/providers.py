"""Providers of tests: a real OpenID server, and a SAML provider that signs with a key of its own."""

import base64
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import environ
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.test import Client
from onelogin.saml2.utils import OneLogin_Saml2_Utils as Saml

from insight_site.first_start import providers

SITE = "http://testserver"
ACS = f"{SITE}/sso/saml/saml/acs/"
AUDIENCE = f"{SITE}/sso/saml/saml/metadata/"
IDP = "https://idp.example/metadata"


def set_up(settings: Any, **environment: str) -> None:
    """Let the site read these from its environment."""
    from allauth.socialaccount.providers import registry
    from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
    from allauth.socialaccount.providers.saml.provider import SAMLProvider

    for provider in (OpenIDConnectProvider, SAMLProvider):
        registry.register(provider)
    env = environ.Env()
    env.ENVIRON = environment
    settings.SOCIALACCOUNT_PROVIDERS = providers(env)


# ── OpenID Connect ────────────────────────────────────────────────────────────
def go_through_oidc(client: Client, sub: str, *, following: str = "", deny: bool = False) -> Any:
    """What a browser does between *Log in with …* and the site's answer to the callback."""
    started = client.get("/sso/oidc/oidc/login/", {"next": following} if following else {})
    sent = requests.post(
        started["Location"], data={"action": "deny"} if deny else {"sub": sub}, allow_redirects=False, timeout=10
    )
    return client.get(sent.headers["Location"].removeprefix(SITE))


# ── SAML ──────────────────────────────────────────────────────────────────────
@cache
def key_pair(name: str) -> tuple[str, str]:
    """A private key and its certificate, both PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


@dataclass
class Said:
    """What the provider says of somebody, and how."""

    name_id: str = "ann-1"
    email: str = "ann@example.org"
    groups: tuple[str, ...] = ()
    audience: str = AUDIENCE
    destination: str = ACS
    minutes: int = 5
    in_response_to: str | None = None
    signer: str = "idp"
    sign: str = "assertion"
    change: Callable[[str], str] = field(default=lambda xml: xml)


def request_id(address: str) -> str:
    """The id of the question that stands in an address of the provider."""
    packed = parse_qs(urlsplit(address).query)["SAMLRequest"][0]
    return str(ElementTree.fromstring(zlib.decompress(base64.b64decode(packed), -15)).attrib["ID"])


def assertion(said: Said, name: str = "_assertion1") -> str:
    now = datetime.now(UTC)
    moment = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    before = f"{now - timedelta(minutes=60):%Y-%m-%dT%H:%M:%SZ}"
    until = f"{now + timedelta(minutes=said.minutes):%Y-%m-%dT%H:%M:%SZ}"
    values = "".join(f"<saml:AttributeValue>{group}</saml:AttributeValue>" for group in said.groups)
    groups = f'<saml:Attribute Name="groups">{values}</saml:Attribute>' if values else ""
    answered = f' InResponseTo="{said.in_response_to}"' if said.in_response_to else ""
    return (
        f'<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{name}" Version="2.0" '
        f'IssueInstant="{moment}"><saml:Issuer>{IDP}</saml:Issuer><saml:Subject><saml:NameID '
        f'Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{said.name_id}</saml:NameID>'
        '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData '
        f'NotOnOrAfter="{until}" Recipient="{said.destination}"{answered}/></saml:SubjectConfirmation></saml:Subject>'
        f'<saml:Conditions NotBefore="{before}" NotOnOrAfter="{until}"><saml:AudienceRestriction><saml:Audience>'
        f"{said.audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
        f'<saml:AuthnStatement AuthnInstant="{moment}" SessionIndex="_s1"><saml:AuthnContext>'
        "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>"
        "</saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>"
        f'<saml:Attribute Name="email"><saml:AttributeValue>{said.email}</saml:AttributeValue></saml:Attribute>{groups}'
        "</saml:AttributeStatement></saml:Assertion>"
    )


def response(said: Said) -> str:
    """The signed answer, as the browser's form carries it."""
    key, certificate = key_pair(said.signer)
    inner = assertion(said)
    if said.sign == "assertion":
        inner = _signed(inner, key, certificate)
    answered = f' InResponseTo="{said.in_response_to}"' if said.in_response_to else ""
    now = datetime.now(UTC)
    whole = (
        '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
        f'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_response1" Version="2.0" '
        f'IssueInstant="{now:%Y-%m-%dT%H:%M:%SZ}" Destination="{said.destination}"{answered}><saml:Issuer>{IDP}'
        '</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>'
        f"</samlp:Status>{inner}</samlp:Response>"
    )
    if said.sign == "response":
        whole = _signed(whole, key, certificate)
    return base64.b64encode(said.change(whole).encode()).decode()


def _signed(xml: str, key: str, certificate: str) -> str:
    found = Saml.add_sign(xml, key, certificate, False)
    return str(found.decode() if isinstance(found, bytes) else found)


def go_through_saml(client: Client, said: Said) -> Any:
    """Ask at the site, answer as the provider does, and go on as a browser does."""
    started = client.get("/sso/saml/saml/login/")
    said.in_response_to = said.in_response_to or request_id(started["Location"])
    return post(client, response(said))


def post(client: Client, packed: str) -> Any:
    client.post("/sso/saml/saml/acs/", {"SAMLResponse": packed, "RelayState": ""})
    return client.get("/sso/saml/saml/acs/finish/")
