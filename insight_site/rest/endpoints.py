"""What every endpoint of the management API shares: who calls, how lists are paged.

Apps don't import this; REST_FRAMEWORK names it. Keys and their scopes were checked by
`insight_site.access.permissions` before a view ran; here a key's caller becomes DRF's user, and people come in by
their session with Django's permissions.
"""

from contextlib import suppress
from typing import Any

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions, pagination, permissions
from rest_framework.authentication import BaseAuthentication
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from simple_history.models import HistoricalRecords

from events.schema import Caller
from experiments.serve.http_body import BadBodyError, parse


class KeyUser(AnonymousUser):
    """A caller with a key: authenticated, without a row of its own."""

    is_authenticated = True  # type: ignore[assignment]

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self.caller = caller


class KeyAuthentication(BaseAuthentication):
    """The key that `insight_site.access.permissions` has already checked."""

    def authenticate(self, request: Request) -> tuple[KeyUser, Caller] | None:
        """The caller of the key, or None so that a session is tried next."""
        caller = getattr(request._request, "caller", None)
        if caller is None:
            return None
        # DRF lends the key's user to the request, and a history can name people only: the write would fail.
        with suppress(AttributeError):
            del HistoricalRecords.context.request
        return KeyUser(caller), caller

    def authenticate_header(self, request: Request) -> str:
        """Without this DRF turns 401 into 403."""
        return 'Basic realm="insight", Bearer'


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document names keys."""

    target_class = "insight_site.rest.endpoints.KeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """A bearer key; X-API-Key and Basic work alike."""
        return {"type": "http", "scheme": "bearer", "description": "An API key; `X-API-Key` and Basic work alike."}


class MayUse(permissions.DjangoModelPermissions):
    """A key's scope was checked at the door; a person reads when logged in and writes with the model's permission."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """True when the caller may do this."""
        if isinstance(request.user, KeyUser):
            return True
        if request.method in permissions.SAFE_METHODS and not getattr(view, "private", False):
            return bool(request.user.is_authenticated)
        method = str(request.method)
        if getattr(view, "detail", False) and method in ("POST", "DELETE") and view.action != "destroy":
            method = "PATCH"  # a verb, or a part of the row: it changes what is there
        return bool(request.user.has_perms(self.get_required_permissions(method, self._queryset(view).model)))

    def get_required_permissions(self, method: str, model_cls: Any) -> list[str]:
        """Reading needs the permission `view_…` of the model, which Django REST framework doesn't ask for by itself."""
        if method in permissions.SAFE_METHODS:
            return [f"{model_cls._meta.app_label}.view_{model_cls._meta.model_name}"]
        return super().get_required_permissions(method, model_cls)


class StrictJSON(JSONParser):
    """JSON that every database can hold: no NUL, no lone surrogate, no integer over 64 bits."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The value of a body.

        Raises:
            ParseError: for anything else; it becomes a 400.
        """
        try:
            return parse(stream.read())
        except BadBodyError as bad:
            raise exceptions.ParseError(bad.message) from None


class Pages(pagination.PageNumberPagination):
    """Lists of configuration: by page number."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


class ByNumber(pagination.CursorPagination):
    """The oldest first: a row that is made meanwhile is on the last page."""

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 500
    ordering = "id"
