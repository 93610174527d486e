"""S12: what anybody may ask costs nothing that grows with the site."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from events.models import MessageId
from insight_site.operate import component_health

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/healthz"])
def test_probes__of_a_week_of_message_ids__read_none_of_them(path: str, settings: Settings) -> None:
    settings.INTERNAL_NETWORKS = ["127.0.0.0/8"]
    for forget in (component_health.forget_readiness, component_health.forget, cache.clear):
        forget()
    with CaptureQueriesContext(connection) as asked:
        assert Client().get(path).status_code in (200, 503)
    with CaptureQueriesContext(connection) as again:
        Client().get(path)

    statements = [row["sql"] for row in asked if "SAVEPOINT" not in row["sql"]]  # the test's own transaction
    assert [sql for sql in statements if MessageId._meta.db_table in sql] == []  # 2 million rows were read before
    assert len(statements) <= 30
    assert len(again) <= len(asked)
