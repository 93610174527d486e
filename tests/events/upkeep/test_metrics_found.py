"""Metrics keep tags and owner as text: they are found and listed with everything else."""

from typing import Any

import pytest
from django.test import Client

from events.models import Tag
from events.upkeep import tags_and_owners
from tests.events.metric_catalogue.make import metric

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("asked", ["revenue", "매출", "VENUE", "money"])
def test_search__of_a_metric__finds_it_by_name_key_and_tag(admin_client: Client, asked: str) -> None:
    metric("revenue", name_en="Revenue", tags=("money",))
    metric("visits", "count:visit:0-6", name_en="Visits", name_ko="방문")

    found: Any = admin_client.get("/api/v1/search", {"q": asked}).json()["results"]

    assert [(one["kind"], one["url"]) for one in found] == [("metric", "/data/metrics/revenue/")]


def test_tag__renamed__is_renamed_on_metrics_too() -> None:
    row = metric("revenue", tags=("money", "core"))
    tag = Tag.objects.create(name="money")

    tags_and_owners.rename_tag(tag=tag, name="cash")

    row.refresh_from_db()
    assert row.tags == ",cash,core,"
