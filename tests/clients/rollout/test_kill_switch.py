"""The kill switch: two gunicorns over one database, and every one of their processes gives the default within 2 s."""

import http.client
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from tests.clients.flags import arms, ask, create, issue
from tests.clients.server import Site, migrated_database

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
WITHIN = 2.0
ADMIN = """
import json
from events.models import Source
from insight_site.access.keys import issue_key
source, _ = Source.objects.get_or_create(name="admin")
print(json.dumps(issue_key(name="a", source=source, kind="admin", scopes=["admin:*"])[1]))
"""
ROWS = [{"segment": None, "steps": [{"share": 10_000}]}]
EVALUATE = "/ofrep/v1/evaluate/flags/"


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Site]]:
    """Two gunicorns with one worker process each."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    with ExitStack() as stack:
        url = stack.enter_context(migrated_database(folders[0]))
        both = [Site(folder, url, WEB_CONCURRENCY="1") for folder in folders]
        for other in both[1:]:
            other.environment |= {name: both[0].environment[name] for name in ("SECRET_KEY", "EVENTS_URL")}
        for site in both:
            site.start()
            stack.callback(site.stop)
        yield both[0], both[1]


@pytest.fixture(scope="module")
def keys(sites: tuple[Site, Site]) -> tuple[str, str, str]:
    """A server key, a client key, and an admin's."""
    server, client = issue(sites[0], ("server", 1_000_000, []), ("client", 1_000_000, []))
    return server, client, sites[0].run(ADMIN)


def watch(site: Site, key: str, flag: str, wanted: str, until: float) -> float | None:
    """When the process first gave the wanted reason, and gave nothing else in a second after it; None: it never did."""
    first: float | None = None
    while time.monotonic() < (until if first is None else first + 1):
        _status, _headers, body = ask(site, key, EVALUATE + flag, {"context": {"targetingKey": "u1"}})
        if body["reason"] == wanted:
            first = first or time.monotonic()
        else:
            assert first is None, "it fell back"
        time.sleep(0.02)
    return first


def post(site: Site, key: str, path: str, body: dict[str, Any]) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    try:
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        connection.request("POST", f"/api/v1/experiments/{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        assert answer.status < 300, content
        return content
    finally:
        connection.close()


@pytest.mark.parametrize("what", ["experiment", "rollout"])
def test_kill_switch__is_seen_by_two_processes_within_two_seconds(
    what: str, sites: tuple[Site, Site], keys: tuple[str, str, str]
) -> None:
    server, client, admin = keys
    flag = f"kill-{what}"
    create(sites[0], {"key": flag, "variants": arms(1, 9_999)})
    before = "SPLIT"
    if what == "rollout":
        post(sites[0], admin, f"{flag}/stop", {})
        post(sites[0], admin, f"{flag}/rollout", {"arm": "arm1", "rows": ROWS, "why": "it is liked"})
        before = "TARGETING_MATCH"
    time.sleep(WITHIN)
    for site in sites:
        _, _, body = ask(site, server, EVALUATE + flag, {"context": {"targetingKey": "u1"}})
        assert (body["reason"], body["value"]) == (before, "arm1")

    with ThreadPoolExecutor(2) as pool:
        until = time.monotonic() + 30
        watching = [pool.submit(watch, site, server, flag, "DISABLED", until) for site in sites]
        time.sleep(0.5)
        answer = post(sites[0], admin, f"{flag}/kill", {"why": "it burns"})
        pressed = time.monotonic()  # it is done now; the first call of REST loads it, which is no part of the switch
        seen = [one.result() for one in watching]

    assert answer == {"stopped": what}
    print(f"{what}: seen after", [None if at is None else round(at - pressed, 2) for at in seen])
    assert all(at is not None and at - pressed < WITHIN for at in seen)
    for site in sites:
        _, _, payload = ask(site, client, f"/api/features/{client}")
        assert payload["features"][flag] == {"defaultValue": "none"}
    post(sites[1], admin, f"{flag}/resume" if what == "experiment" else f"{flag}/rollout/resume", {})
    time.sleep(WITHIN)
    for site in sites:
        _, _, body = ask(site, server, EVALUATE + flag, {"context": {"targetingKey": "u1"}})
        assert (body["reason"], body["value"]) == (before, "arm1")


def test_step__takes_effect_in_two_processes_at_its_date__and_changes_the_tag_of_the_payload(
    sites: tuple[Site, Site], keys: tuple[str, str, str]
) -> None:
    server, client, admin = keys
    create(sites[0], {"key": "by-date", "variants": arms(9_999, 1)})
    post(sites[0], admin, "by-date/stop", {})
    at = time.time() + 6
    steps = [{"share": 1}, {"share": 10_000, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))}]
    post(sites[0], admin, "by-date/rollout", {"arm": "arm1", "rows": [{"steps": steps}], "why": "it is liked"})
    time.sleep(WITHIN)

    def served() -> list[tuple[str, str, str, str]]:
        found = []
        for site in sites:
            _, _, body = ask(site, server, EVALUATE + "by-date", {"context": {"targetingKey": "u1"}})
            _, headers, payload = ask(site, client, f"/api/features/{client}")
            found.append((body["value"], headers["ETag"], payload["dateUpdated"][:19], json.dumps(payload["features"])))
        return found

    before = served()
    assert time.time() < at - 1
    time.sleep(max(0, at - time.time()) + 0.1)
    after = served()

    assert before[0] == before[1]
    assert after[0] == after[1]
    assert (before[0][0], after[0][0]) == ("none", "arm1")
    assert before[0][1] != after[0][1]
    assert after[0][2] == steps[1]["at"][:19]  # type: ignore[index]
