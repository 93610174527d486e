"""Logins and aliases by Segment's libraries, and an arm that the OpenFeature clients keep over a login."""

import time
from typing import Any

import pytest

from tests.clients.conftest import send
from tests.clients.flags import arms, create, evaluate, issue
from tests.clients.server import Site

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
LIBRARIES = ("segment", "segment-gzip", "node")
SERVER_KEY = """
import json
from events.models import Source
from insight_site.access.keys import issue_key
source, _ = Source.objects.get_or_create(name="backend")
print(json.dumps(issue_key(name="t", source=source, kind="server", scopes=["events:write"], rate=100_000)[1]))
"""
COUNT = """
import json
from events.warehouse import engine as warehouse
from events.outbox.flush import flush_events
flush_events()
with warehouse.connect() as house:
    log = house.events.filter(house.events.event.isin(["visit", "open"]))
    rows = house.arrow(house.named(log.group_by("user_id").aggregate(n=log.count()))).to_pylist()
print(json.dumps({row["user_id"]: row["n"] for row in rows if row["user_id"].endswith(NAME)}))
"""


@pytest.mark.parametrize("library", LIBRARIES)
def test_library__with_logins_and_aliases__joins_as_by_hand(library: str, site: Site, name: str) -> None:
    key, names = site.run(SERVER_KEY), [f"{short}-{name}" for short in ("phone", "laptop", "shared", "alone")]
    phone, laptop, shared, alone = names
    ann, bob, cho, old = (f"{short}-{name}" for short in ("ann", "bob", "cho", "old"))

    errors = send(
        library,
        site.url,
        key,
        visits=[phone, phone, laptop, shared, alone, old],
        logins=[(phone, ann), (shared, bob), (shared, cho)],
        opens=[(laptop, ann), (shared, cho)],
        aliases=[(old, bob)],
    ).finish()

    assert errors == []
    # Ann: 2 visits on her phone, 1 and an open on her laptop. Bob: the shared device's and the old id's. Cho: her open.
    assert site.run(COUNT.replace("NAME", repr(name))) == {ann: 4, bob: 2, cho: 1, alone: 1}


@pytest.mark.parametrize("language", ["python", "node"])
def test_openfeature__a_login__keeps_the_visitors_arm(language: str, site: Site, name: str) -> None:
    create(site, {"key": f"kept-{name}", "variants": arms(3_400, 3_300, 3_300)})
    time.sleep(2)
    (key,) = issue(site, ("server", 1_000_000, []))
    visitors, users = ([f"{kind}-{name}-{n}" for n in range(30)] for kind in ("v", "u"))
    flag = f"kept-{name}"

    def ask(units: list[str], others: list[str] | None = None) -> list[Any]:
        given = [{"anonymousId": other} for other in others] if others else [{} for _ in units]
        calls: list[dict[str, Any]] = [
            {"flag": flag, "unit": unit, "attributes": each} for unit, each in zip(units, given, strict=True)
        ]
        return [answer["variant"] for answer in evaluate(language, "ofrep", site, key, calls=calls)]

    before = ask(visitors)
    after = ask(users, visitors)

    assert set(before) == {"arm0", "arm1", "arm2"}
    assert after == before
    assert ask(users) == before  # also where only the user's id is known
    alone = [f"other-{name}-{n}" for n in range(30)]
    assert ask(alone) != before  # 30 users who draw for themselves
