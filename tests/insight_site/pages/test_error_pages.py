"""A database that is away for a moment is no fault of the program: pages say when to come again, as doors do."""

from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("trouble", [OperationalError("database is locked"), InterfaceError("connection closed")])
@pytest.mark.parametrize("path", ["/experiments/", "/admin/", "/data/"])
def test_page__while_the_database_is_away__says_when_to_come_again(
    path: str, trouble: Exception, admin_client: Client
) -> None:
    admin_client.raise_request_exception = False

    with connection.execute_wrapper(raising(trouble)):
        answer = admin_client.get(path)

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert b"Try again in a few seconds" in answer.content


def test_page__with_a_fault_of_the_program__stays_a_500(admin_client: Client) -> None:
    admin_client.raise_request_exception = False

    with connection.execute_wrapper(raising(ZeroDivisionError())):
        answer = admin_client.get("/experiments/")

    assert answer.status_code == 500
    assert "Retry-After" not in answer


def test_rest__while_the_database_is_away__says_so_in_its_own_shape(admin_client: Client) -> None:
    admin_client.raise_request_exception = False

    with connection.execute_wrapper(raising(OperationalError("database is locked"))):
        answer = admin_client.get("/api/v1/experiments/")

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def raising(trouble: Exception) -> Any:
    def execute(*_args: Any, **_kwargs: Any) -> None:
        raise trouble

    return execute
