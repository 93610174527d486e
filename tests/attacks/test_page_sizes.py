"""S22: with 300,000 event names, and long ones, every page stays under 1 MB.

CI sends 50,000, which take two megabytes and more wherever all of them are listed.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.test import Client

from events.catalogue import refresh
from events.models import UnitTraits
from events.schema import EVENT_BYTES, NAME_CHARS
from events.store import event_table
from tests.attacks import routes
from tests.marks import first_in_ci

pytestmark = [pytest.mark.once, pytest.mark.django_db]
MEGABYTE = 1_000_000
BEGAN = datetime(2026, 10, 1, 12, tzinfo=UTC)


def fill_store(flood: int) -> None:
    """A busy event, and a flood of names that were sent once; the first hundred are as long as the door takes them."""
    names = [f"{'<b>&"' * 60}{n}"[:NAME_CHARS] if n < 100 else f"flood {n}" for n in range(flood)]
    people = 2_000
    count = flood + 2 * people
    moments = [BEGAN + timedelta(seconds=n % 86_000) for n in range(flood)]
    columns: dict[str, Any] = {
        "user_id": [f"u{n % people}" for n in range(flood)] + 2 * [f"u{n}" for n in range(people)],
        "event": [*names, *["signup"] * people, *["invite"] * people],
        "time": [*moments, *[BEGAN] * people, *[BEGAN + timedelta(days=1)] * people],
        "properties": ["{}"] * count,
        "message_id": [f"m{n}" for n in range(count)],
        "received_at": [BEGAN + timedelta(days=2)] * count,
    }  # fmt: skip
    fields = [field for field in event_table.SCHEMA if field.name != event_table.PARTITION]
    event_table.append(pa.table(columns, schema=pa.schema(fields)), app_id="w", version=1)


@pytest.mark.slow
@pytest.mark.parametrize("flood", first_in_ci([50_000, 300_000]))
def test_pages__with_very_many_event_names__stay_small(
    flood: int, admin_client: Client, settings: Any, tmp_path: Path
) -> None:
    settings.EVENTS_URL, settings.EXPLORE_DIR = str(tmp_path / "events"), str(tmp_path / "explore")
    fill_store(flood)
    routes.make_site()
    fat = {f"t{n}": "x" * (EVENT_BYTES // 16) for n in range(30)}
    UnitTraits.objects.bulk_create(UnitTraits(user_id=f"fat {n}", traits=fat) for n in range(100))
    assert refresh.make_catalogue()

    sizes = {}
    for route in routes.all_routes():
        answer = admin_client.get(route.address)
        whole = answer.getvalue()
        sizes[route.name] = (len(whole), answer.status_code)
    searched = admin_client.get("/data/events/?q=flood&sort=name&page=17")
    sizes["a search"] = (len(searched.content), searched.status_code)

    heaviest = sorted(((size, name) for name, (size, _status) in sizes.items()), reverse=True)[:8]
    print("\n".join(f"{size:>9} {name}" for size, name in heaviest))
    assert [(name, size) for name, (size, status) in sizes.items() if size >= MEGABYTE or status >= 500] == []
    assert sizes["aha:new_study"][1] == 200  # 30.8 MB before
    assert sizes["aha:new_study"][0] < 200_000
