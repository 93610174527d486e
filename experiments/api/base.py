"""Helpers shared by the endpoints of experiments: validated bodies, pagination, the caller."""

from typing import Any

from django.contrib.auth.models import User
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from runs.web import person


class Newest(CursorPagination):
    """Pagination by cursor, the newest first, for lists that grow."""

    ordering = "-id"
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1_000


def asked[S: serializers.BaseSerializer[Any]](kind: type[S], request: Request) -> dict[str, Any]:
    """The validated values of a body."""
    shape = kind(data=request.data)
    shape.is_valid(raise_exception=True)
    return dict(shape.validated_data)


def account(request: Request) -> User | None:
    """Who writes a plan or answers its review: the person, or the account that made the key.

    Otherwise a person could write a plan with their own key, and approve it themselves.
    """
    if (found := person(request)) is not None:
        return found
    made_by = getattr(getattr(request._request, "caller", None), "made_by", None)
    return None if made_by is None else User.objects.filter(pk=made_by).first()


def may_peek(request: Request) -> bool:
    """Whether this caller may read peeks: people by their permissions, keys by the scope `outcomes:peek`."""
    caller = getattr(request._request, "caller", None)
    return caller is None or caller.may("outcomes:peek")


def agent(request: Request) -> str:
    """Name of the agent that calls the agents' API; "" for people and programs."""
    return str(getattr(request._request, "agent", ""))
