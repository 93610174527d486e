"""Small middlewares of the site."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# Unfold's menus are written in Alpine, which evaluates its attributes: without 'unsafe-eval' a modal covers the login
# page. Only /admin/ gets it; every other page keeps the strict policy of settings.SECURE_CSP.
ADMIN_CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def admin_csp(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Set the admin's own content security policy; Django's middleware keeps a header that is already set."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path.startswith("/admin/"):
            response.headers.setdefault("Content-Security-Policy", ADMIN_CSP)
        return response

    return middleware
