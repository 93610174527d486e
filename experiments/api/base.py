"""What the endpoints of experiments share: the body in a shape, lists that grow."""

from typing import Any

from django.contrib.auth.models import User
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from runs.web import person


class Newest(CursorPagination):
    """Rows that keep coming: by cursor, the newest first."""

    ordering = "-id"
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1_000


def asked[S: serializers.BaseSerializer[Any]](kind: type[S], request: Request) -> dict[str, Any]:
    """The values of a body in this shape."""
    shape = kind(data=request.data)
    shape.is_valid(raise_exception=True)
    return dict(shape.validated_data)


def account(request: Request) -> User | None:
    """Who writes a plan or answers its review: the person, or the account that made the key.

    Else somebody could write a plan with a key of theirs, and approve it in person.
    """
    if (found := person(request)) is not None:
        return found
    made_by = getattr(getattr(request._request, "caller", None), "made_by", None)
    return None if made_by is None else User.objects.filter(pk=made_by).first()


def may_peek(request: Request) -> bool:
    """Whether this caller may read what a peek has shown: people as their permissions say, of keys those alone that may
    peek.
    """
    caller = getattr(request._request, "caller", None)
    return caller is None or caller.may("outcomes:peek")


def agent(request: Request) -> str:
    """Name of the agent that asks through the door for agents; "" for people and programs."""
    return str(getattr(request._request, "agent", ""))
