"""S13: whoever sends traits without end gets 64 KiB of them, and no page grows with them."""

import pytest
from django.test import Client

from events.models import UnitTraits
from events.outbox.accept import MAX_TRAITS, TRAITS_BYTES
from tests.attacks.doors import key_of, send

pytestmark = pytest.mark.django_db


@pytest.mark.slow
def test_traits__of_one_user_in_forty_calls__are_the_last_64_kib_and_pages_stay_small(admin_client: Client) -> None:
    key = key_of("client")
    for user in range(6):
        for call in range(8):
            traits = {f"t{call}_{n}": "x" * 5_000 for n in range(5)}
            answer = send(key, {"batch": [{"type": "identify", "userId": f"u{user}", "traits": traits}]})
            assert answer.json()["accepted"] == 1

    sizes = [len(str(row.traits)) for row in UnitTraits.objects.all()]
    listed = admin_client.get("/admin/events/unittraits/").content
    own = admin_client.get(f"/admin/events/unittraits/{UnitTraits.objects.first().pk}/change/").content  # type: ignore[union-attr]

    assert max(sizes) <= TRAITS_BYTES  # 200 kB before, and 16 MB after 35 calls
    assert {name.split("_")[0] for row in UnitTraits.objects.all() for name in row.traits} >= {"t7", "t6"}
    assert len(listed) < 200_000  # 96 MB for six users before
    assert len(own) < 300_000


def test_traits__very_many_small_ones__stay_within_both_bounds() -> None:
    key = key_of("client")
    for call in range(4):
        traits = {f"t{call}_{n}": n for n in range(400)}
        send(key, {"batch": [{"type": "identify", "userId": "u", "traits": traits}]})

    row = UnitTraits.objects.get()

    assert len(row.traits) == MAX_TRAITS == len(row.times)
    assert sum(name.startswith("t3_") for name in row.traits) == 400
