"""What the endpoints of experiments share: the body in a shape, lists that grow."""

from typing import Any

from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request


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
