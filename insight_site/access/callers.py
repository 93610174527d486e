"""Where a call comes from, and requests as Django's WSGI application makes them, for calls without a web server."""

import ipaddress
from functools import cache
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest

# The client's network address.


def client_address(request: HttpRequest) -> str:
    """The caller's address; behind a proxy, the last one in the header, since callers can forge the others."""
    if settings.BEHIND_PROXY and (forwarded := request.headers.get("X-Forwarded-For")):
        return _without_port(forwarded.split(",")[-1].strip())
    return str(request.META.get("REMOTE_ADDR", ""))


def _without_port(address: str) -> str:
    """Strip the port that some proxies add, another per connection: `203.0.113.7:4711`, `[2001:db8::1]:4711`."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def visitor_of(request: HttpRequest) -> str:
    """What rate limits count as one visitor: an IPv4 address, or the IPv6 /64 that one line has to itself."""
    address = client_address(request)
    return network_of(address.partition("%")[0]) or address[:45]


def plain(address: str) -> str:
    """An address in canonical form: IPv4-mapped IPv6 (dual-stack sockets) becomes IPv4; "" if not an address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def network_of(address: str) -> str:
    """The network counted as one place: the IPv4 address, or the /64 of an IPv6 one; "" if it isn't an address."""
    ip = plain(address)
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ":" in ip else ip


# Build Django requests as its WSGI application does, for calls that didn't come through a web server.

NOT_PREFIXED = (b"content-type", b"content-length")


def request_of(environ: dict[str, Any], body: bytes = b"") -> HttpRequest:
    """A request from a WSGI environment (PEP 3333); missing keys get the values of an empty call."""
    usual = {
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
    }
    request: HttpRequest = _request_class()({**usual, **environ})
    return request


def environ_of(scope: Any) -> dict[str, Any]:
    """The WSGI environment of an ASGI scope, without the body."""
    server, client = scope.get("server") or ("localhost", 80), scope.get("client") or ("", 0)
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").upper().replace("-", "_")
        name = name if raw.lower() in NOT_PREFIXED else f"HTTP_{name}"
        text = value.decode("latin-1")
        headers[name] = f"{headers[name]},{text}" if name in headers else text
    return {
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": scope["path"],
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": str(client[0]),
        "wsgi.url_scheme": scope["scheme"],
        **headers,
    }


@cache
def _request_class() -> Any:
    return get_wsgi_application().request_class
