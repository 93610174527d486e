"""Build Django requests as its WSGI application does, for calls that didn't come through a web server."""

from functools import cache
from io import BytesIO
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest

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
        said = value.decode("latin-1")
        headers[name] = f"{headers[name]},{said}" if name in headers else said
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
