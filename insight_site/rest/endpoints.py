"""Shared code of all endpoints of the management API: authentication, permissions, pagination.

Apps don't import this; REST_FRAMEWORK names it. Keys and their scopes were checked by
`insight_site.access.permissions` before a view ran; here a key's caller becomes DRF's user, and people are
authenticated by their session, with Django's permissions.
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
    """A caller with a key: authenticated, without a database row."""

    is_authenticated = True  # type: ignore[assignment]

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self.caller = caller


class KeyAuthentication(BaseAuthentication):
    """The key that `insight_site.access.permissions` has already checked."""

    def authenticate(self, request: Request) -> tuple[KeyUser, Caller] | None:
        """The caller of the key, or None to try the session next."""
        caller = getattr(request._request, "caller", None)
        if caller is None:
            return None
        # DRF sets the key's user on the request, but a history row can only refer to a person: the write would fail.
        with suppress(AttributeError):
            del HistoricalRecords.context.request
        return KeyUser(caller), caller

    def authenticate_header(self, request: Request) -> str:
        """Without this header DRF turns 401 into 403."""
        return 'Basic realm="insight", Bearer'


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes API keys in the OpenAPI document."""

    target_class = "insight_site.rest.endpoints.KeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """A bearer key; X-API-Key and Basic work too."""
        return {"type": "http", "scheme": "bearer", "description": "An API key; `X-API-Key` and Basic work alike."}


class MayUse(permissions.DjangoModelPermissions):
    """A key's scope is checked by the access rules; a person needs a login to read, the model's permission to write."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """True when the caller may do this."""
        if isinstance(request.user, KeyUser):
            return True
        if request.method in permissions.SAFE_METHODS and not getattr(view, "private", False):
            return bool(request.user.is_authenticated)
        method = str(request.method)
        if getattr(view, "detail", False) and method in ("POST", "DELETE") and view.action != "destroy":
            method = "PATCH"  # an action, or a part of the row: it changes an existing row
        return bool(request.user.has_perms(self.get_required_permissions(method, self._queryset(view).model)))

    def get_required_permissions(self, method: str, model_cls: Any) -> list[str]:
        """Require the permission `view_…` of the model to read, which Django REST framework by default doesn't."""
        if method in permissions.SAFE_METHODS:
            return [f"{model_cls._meta.app_label}.view_{model_cls._meta.model_name}"]
        return super().get_required_permissions(method, model_cls)


class StrictJSON(JSONParser):
    """JSON that every database can hold: no NUL, no lone surrogate, no integer over 64 bits."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The parsed body.

        Raises:
            ParseError: for invalid JSON or a value that a database can't hold; it becomes a 400.
        """
        try:
            return parse(stream.read())
        except BadBodyError as bad:
            raise exceptions.ParseError(bad.message) from None


class Pages(pagination.PageNumberPagination):
    """Lists of configuration, paginated by page number."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


class ByNumber(pagination.CursorPagination):
    """Cursor pagination, oldest first: a row created meanwhile is on the last page."""

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 500
    ordering = "id"
